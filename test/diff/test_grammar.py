"""Random scripts. FYNIX_DIFF_COUNT: how many in each mode (default 3000; `make check` runs 10,000 in transaction mode)."""

import argparse
import os

import pytest

import many

COUNT = int(os.environ.get("FYNIX_DIFF_COUNT", "3000"))
SEED = int(os.environ.get("FYNIX_DIFF_SEED", "0"))


def options(mode, **kw):
    return argparse.Namespace(**dict(dict(mode=mode, count=COUNT, seed=SEED, sessions=6, servers=2, again=1, max_failures=5,
                                          verbose=False, unnamed=False), **kw))


@pytest.mark.parametrize("mode", ["transaction", "session", "statement"])
def test_T_SYNC_02_random_scripts(world, capsys, mode):
    o = options(mode)
    failures, told = many.run(world, o)
    assert not failures, told + "\n" + capsys.readouterr().out
    assert o.done == COUNT
    # and they were worth it
    if COUNT >= 1000:
        assert set(o.kinds) >= set("123ntTDCIsENZGHcdV"), sorted(o.kinds)
        assert set(o.states) >= {"26000", "34000", "42P05", "42601", "42703", "08P01", "22P02", "23514", "57014", "P0001"}, o.states
        assert mode == "session" or o.changes > COUNT / 20, f"the server changed {o.changes} times only"
