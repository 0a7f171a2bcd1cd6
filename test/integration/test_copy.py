"""T-COPY-01 … 08: a COPY from the client that goes wrong, in every shape, at every stage, with every end; one server, and somebody who
waits for it. (That the answers are PostgreSQL's own is test_protocol.py's matter.)

shape  simple, extended, in the middle of a pipeline, two COPYs in one Query
error  none, of the server before CopyDone was sent, with CopyDone already on its way, at its end (a trigger) after CopyDone
end    the client dies (in the middle of a CopyData), sends CopyFail, or stalls until query_timeout ends it
"""

import time

import pytest

from harness import wire
from harness.wire import bind, copy_data, copy_done, copy_fail, execute, extended, flush, parse, q, sync

SHAPES = ["simple", "extended", "pipelined", "two"]
ERRORS = ["none", "before", "with", "after"]
ENDS = ["dies", "fails", "stalls"]
# the plan's eight: each shape with an error of the server, and without
NUMBER = {(s, e): 1 + i * 2 + e for i, s in enumerate(SHAPES) for e in (0, 1)}

GOOD, BAD, HALF = copy_data("1\n2\n"), copy_data("what\n"), copy_data("3\n4\n5\n")[:7]


@pytest.fixture(scope="module", autouse=True)
def tables(pg):
    with wire.Client(pg.sock, "postgres", "db0") as c:
        c.query("CREATE TABLE IF NOT EXISTS copied(n int); TRUNCATE copied; GRANT ALL ON copied TO PUBLIC")
        c.query("CREATE OR REPLACE FUNCTION copied_late() RETURNS trigger LANGUAGE plpgsql AS "
                "$$BEGIN IF EXISTS (SELECT FROM copied WHERE n = 13) THEN RAISE 'too late'; END IF; RETURN NULL; END$$")
        c.query("CREATE OR REPLACE TRIGGER late AFTER INSERT ON copied EXECUTE FUNCTION copied_late()")


def begin(c, shape):
    """Until the server waits for data."""
    sql = "COPY copied FROM STDIN"
    if shape == "simple":
        c.send(q(sql))
    elif shape == "two":
        c.send(q(f"{sql}; {sql}"))
    elif shape == "extended":
        c.send(parse(sql) + bind() + execute() + flush())
    else:
        c.send(extended("SELECT 1", end=b"") + parse(sql, "in") + bind(stmt="in") + execute() + flush())
    msgs = c.until("GE")
    assert msgs[-1].type == "G", wire.describe_msgs(msgs)
    if shape == "two":          # the first goes well; what is to go wrong is the second
        c.send(GOOD + copy_done())
        assert c.until("GE")[-1].type == "G"


def go_wrong(c, error):
    if error == "none":
        c.send(GOOD)
    elif error == "before":
        c.send(GOOD + BAD)
        # COPY has its data in pieces: the server may want more before it looks
        c.send(copy_data("2\n" * 40000))
        assert c.until("E")
        c.send(GOOD)
    elif error == "with":
        c.send(GOOD + BAD + copy_done())
    else:
        c.send(copy_data("13\n") + copy_done())


def rows(pg):
    with wire.Client(pg.sock, "postgres", "db0") as c:
        return int(c.value("SELECT count(*) FROM copied"))


def matrix():
    for s in SHAPES:
        for e in ERRORS:
            for end in ENDS:
                yield pytest.param(s, e, end, id=f"{NUMBER[s, e != 'none']:02d}-{s}-{e}-{end}")


@pytest.fixture(scope="module")
def poolers(top, pg):
    from harness.pooler import Pooler
    made = [Pooler(pg, f"{top}/copy{n}", workers=n, pool_size=1, max_overflow=0, pool_timeout=10, query_timeout=1).start() for n in (1, 4)]
    yield made
    problems = []
    for p in made:
        try:
            p.stop()
        except AssertionError as e:
            problems.append(str(e))
    if problems:
        pytest.fail("\n".join(problems), pytrace=False)


@pytest.mark.parametrize("shape,error,end", matrix())
def test_T_COPY(pg, poolers, shape, error, end):
    for p in poolers:
        # those that come after an error need not wait for anything; the others until the client has been ended
        follower = p.client()
        follower.query("SELECT 1")
        c = p.client()
        begin(c, shape)
        go_wrong(c, error)
        t = time.monotonic()
        allowed = 2 if p.sanitized() else 1
        if end == "dies":
            c.send(HALF)
            if error == "none":
                c.close()
            else:
                c.abort()
        elif end == "fails":
            c.send(copy_fail() + (b"" if shape in ("simple", "two") else sync()))
            msgs = c.until("Z")
            if error == "none":
                assert "57014" in wire.describe_msgs(msgs), wire.describe_msgs(msgs)
        else:
            allowed += 1
        r = follower.ask("SELECT 'mine', pg_current_xact_id_if_assigned() IS NULL")
        took = time.monotonic() - t
        assert r.types == "TDCZ" and r.status == "I" and r.rows == [("mine", "t")], wire.describe_msgs(r.msgs)
        assert took < allowed, f"the follower waited {took:.2f} s"
        if end == "fails":
            assert c.value("SELECT 'in step'") == "in step"
        if end == "stalls" and took < 0.5:
            # its server was at rest already: what it says to the end of a COPY that is over is for nobody
            c.send(GOOD + copy_done())
            assert follower.value("SELECT 'still mine'") == "still mine"
            c.send(q("SELECT 'in step'"))
            assert wire.row(c.until("D")[-1].body) == ("in step",) and c.until("Z")
        assert rows(pg) == 0
        c.close()
        assert follower.value("SELECT 2") == "2"
        follower.quit()
        assert {r["database"]: r for r in p.show("POOLS")}["db0"]["cl_waiting"] == "0"
