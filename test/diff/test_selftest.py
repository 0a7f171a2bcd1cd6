"""Does the comparison find what it is there to find?"""

import argparse

import pytest

import compare
import language
import many
import scripts
from grammar import Grammar
import sabotage
from sabotage import LIES, Liar
from test_grammar import options

SEEDS = range(60)


def failures_behind(world, by_mode, lie):
    return sabotage.failures_behind(world.direct, by_mode("session"), lie, SEEDS)


def test_a_relay_that_does_not_lie_is_not_blamed(world, by_mode):
    found, told = failures_behind(world, by_mode, None)
    assert not found and not told, many.tell(found[0], "session")


@pytest.mark.parametrize("lie", LIES)
def test_every_lie_is_found_by_random_scripts(world, by_mode, lie):
    found, told = failures_behind(world, by_mode, lie)
    assert told, "nothing was said that could be lied about"
    assert found


@pytest.mark.parametrize("lie", ["a CommandComplete is lost", "a row is changed", "an error has another text", "the connection ends"])
def test_every_lie_is_found_by_scripts(world, by_mode, lie):
    pooled = by_mode("session")
    liar = Liar(pooled.pooler.addr, lie)
    pooled.address = liar.addr
    try:
        wrong = [scripts.check(s, world.direct, pooled, "whole") for s in scripts.load_all(["named", "extended-errors", "many-names"])]
    finally:
        pooled.address = pooled.pooler.addr
        liar.close()
    assert any(wrong)


def test_a_script_that_expects_something_else_fails(world, by_mode):
    (good,) = scripts.load_all(["named"])
    assert scripts.check(good, world.direct, by_mode("session"), "whole") is None
    with open(good.path, encoding="utf-8") as f:
        text = f.read()
    for old, new in (('DataRow "2"', 'DataRow "3"'), ("ReadyForQuery I", "ReadyForQuery T"), ("< BindComplete\n", ""), ("26000", "26001")):
        assert old in text
        bad = language.parse("bad", good.path, text.replace(old, new, 1))
        assert "PostgreSQL does not answer as the script says" in scripts.check(bad, world.direct, by_mode("session"), "whole")


def test_a_transaction_in_statement_mode_must_be_refused(world, by_mode):
    """Not refused (session mode in its place), the rule of statement mode must not let it pass."""
    (script,) = scripts.load_all(["transaction"])
    pooled = by_mode("session")
    pooled.mode = "statement"
    pooled.begin_script = pooled.end_script = lambda: None
    try:
        assert "ought to be refused" in scripts.check(script, world.direct, pooled, "whole")
    finally:
        pooled.mode = "session"
        del pooled.begin_script, pooled.end_script


def error(**fields):
    return "E", b"".join(k.encode() + v.encode() + b"\0" for k, v in fields.items()) + b"\0"


def test_own_errors_must_be_the_same_but_for_their_source():
    full = error(S="ERROR", V="ERROR", C="26000", M="none", P="3", F="prepare.c", L="9", R="fetch")
    own = dict(S="ERROR", V="ERROR", C="26000", M="none", P="3")
    assert compare.same([full], [error(**own)]) is None
    for change in (dict(C="42P05"), dict(M="no"), dict(S="FATAL"), dict(V="FATAL"), dict(P="4"), dict(D="detail"), dict(L="8")):
        assert compare.same([full], [error(**dict(own, **change))]), change
    del own["P"]
    assert compare.same([full], [error(**own)])
    assert compare.same([full, full], [full]) and compare.same([full], [full, full])


def test_a_failure_is_reduced_and_told(world, by_mode, capsys):
    """What is printed names the seed and can be run again."""
    pooled = by_mode("session")
    liar = Liar(pooled.pooler.addr, "an error has another line")
    world_pool = world.pool
    world.pool = lambda *a, **k: pooled
    pooled.address = liar.addr
    try:
        o = options("session", count=40, max_failures=1)
        failures, told = many.run(world, o)
    finally:
        world.pool = world_pool
        pooled.address = pooled.pooler.addr
        liar.close()
    out = capsys.readouterr().out
    assert failures and f"seed {failures[0].seed}:" in out and "the ending" in out
    assert isinstance(o, argparse.Namespace) and "failed" in told
    again = Grammar("session").make(failures[0].seed)
    assert again == Grammar("session").make(failures[0].seed)
