"""D-1: the same bytes to PostgreSQL and through the pooler give the same messages."""

import struct

import pytest

from harness import wire
from harness.wire import (bind, close, copy_data, copy_done, copy_fail, describe, execute, extended, flush, function_call,
                          parse, q, sync)

# A script is a list of (bytes, how the answer ends): a number of ReadyForQuery (int > 0), or "nX": exactly X messages.
Z1, Z2, Z3 = 1, 2, 3


def n(count):
    return f"n{count}"


COPY_IN = "COPY pg_temp.c FROM STDIN"
MAKE = "CREATE TEMP TABLE c(a int CHECK (a < 100), b text) ON COMMIT DROP"
BEGIN = (q("BEGIN"), Z1)
MADE = [BEGIN, (q(MAKE), Z1)]
COMMIT = (q("COMMIT"), Z1)
ROLLBACK = (q("ROLLBACK"), Z1)

SCRIPTS = {
    # simple queries
    "select": [(q("SELECT 1, 'two', NULL, 4.5::numeric"), Z1)],
    "empty": [(q(""), Z1)],
    "semicolon": [(q(";"), Z1)],
    "only_comments": [(q("-- nothing\n/* at all */"), Z1)],
    "two_statements": [(q("SELECT 1; SELECT 2"), Z1)],
    "hundred_statements": [(q(";".join(f"SELECT {i}" for i in range(100))), Z1)],
    "error": [(q("SELECT 1/0"), Z1), (q("SELECT 1"), Z1)],
    "syntax_error": [(q("SELEKT"), Z1), (q("SELECT 1"), Z1)],
    "second_statement_fails": [(q("SELECT 1; SELECT 1/0; SELECT 3"), Z1)],
    "notice": [(q("SELECT shout('hear me')"), Z1)],
    "warning": [(q("ROLLBACK"), Z1)],
    "transaction": [BEGIN, (q("SELECT 1"), Z1), COMMIT, (q("SELECT 2"), Z1)],
    "failed_transaction": [BEGIN, (q("SELECT 1/0"), Z1), (q("SELECT 1"), Z1), COMMIT, (q("SELECT 2"), Z1)],
    "savepoint": [BEGIN, (q("SAVEPOINT a"), Z1), (q("SELECT 1/0"), Z1), (q("ROLLBACK TO a"), Z1), (q("SELECT 7"), Z1), COMMIT],
    "begin_and_commit_in_one": [(q("BEGIN; SELECT 1; COMMIT; BEGIN"), Z1), (q("SELECT 2; COMMIT"), Z1)],
    "many_columns": [(q("SELECT " + ",".join(str(i) for i in range(1600))), Z1)],
    "many_rows": [(q("SELECT i, repeat('x', 100) FROM generate_series(1, 5000) i"), Z1)],
    "big_row": [(q("SELECT repeat('0123456789', 200000)"), Z1)],
    "big_query": [(q("SELECT length('" + "y" * 1500000 + "')"), Z1)],
    "queries_pipelined": [(b"".join(q(f"SELECT {i}") for i in range(50)), 50)],
    "queries_pipelined_with_errors": [(b"".join(q(f"SELECT 1/{i % 3}") for i in range(30)), 30)],
    # extended
    "extended": [(extended("SELECT $1::int + 1", [41]), Z1)],
    "extended_null": [(extended("SELECT $1::text", [None]), Z1)],
    "extended_empty": [(extended(""), Z1)],
    "extended_error_in_parse": [(extended("SELEKT"), Z1), (extended("SELECT 1"), Z1)],
    "extended_error_in_bind": [(extended("SELECT $1::int", ["x"]), Z1), (extended("SELECT 1"), Z1)],
    "extended_wrong_count": [(extended("SELECT $1::int", []), Z1), (extended("SELECT 1"), Z1)],
    "extended_error_in_execute": [(extended("SELECT 1/$1::int", [0]), Z1), (extended("SELECT 1"), Z1)],
    "lone_sync": [(sync(), Z1)],
    "many_syncs": [(sync() * 100, 100)],
    "parse_only": [(parse("SELECT 1") + sync(), Z1)],
    "describe_statement": [(parse("SELECT $1::int, $2::text") + describe("S") + sync(), Z1)],
    "describe_unknown_portal": [(describe("P", "nix") + sync(), Z1), (q("SELECT 1"), Z1)],
    "describe_unknown_statement": [(describe("S", "nix") + sync(), Z1), (q("SELECT 1"), Z1)],
    "close_unknown": [(close("P", "nix") + close("S", "nix") + sync(), Z1)],
    "execute_unknown_portal": [(execute("nix") + sync(), Z1), (q("SELECT 1"), Z1)],
    "bind_unknown_statement": [(bind([], stmt="nix") + sync(), Z1), (q("SELECT 1"), Z1)],
    "named_portals": [(parse("SELECT generate_series(1,3)") + bind([], "a") + bind([], "b") + execute("a", 2) + execute("b", 1)
                       + execute("a") + execute("b") + close("P", "a") + sync(), Z1)],
    "portal_suspended": [(parse("SELECT generate_series(1,5)") + bind() + execute(rows=2) + execute(rows=2) + execute(rows=2)
                          + sync(), Z1)],
    "portal_suspended_then_flush": [(parse("SELECT generate_series(1,5)") + bind() + execute(rows=2) + flush(), n(5)),
                                    (execute(rows=2) + flush(), n(3)), (execute(rows=9) + sync(), Z1), (q("SELECT 1"), Z1)],
    "portal_over_syncs_in_transaction": [
        BEGIN, (parse("SELECT generate_series(1,5)") + bind([], "p") + execute("p", 2) + sync(), Z1),
        (execute("p", 2) + sync(), Z1), (execute("p", 2) + sync(), Z1), COMMIT, (q("SELECT 1"), Z1)],
    "flush_without_sync": [(parse("SELECT 1") + describe("S") + flush(), n(3)), (bind() + execute() + flush(), n(3)),
                           (sync(), Z1)],
    "flush_after_each": [(parse("SELECT 1") + flush(), n(1)), (bind() + flush(), n(1)), (describe() + flush(), n(1)),
                         (execute() + flush(), n(2)), (sync(), Z1)],
    "flush_after_error": [(parse("SELEKT") + flush(), n(1)), (bind() + execute() + flush() + sync(), Z1), (q("SELECT 1"), Z1)],
    "flush_alone": [(flush() + q("SELECT 1"), Z1)],
    "execute_twice": [(parse("INSERT INTO sink VALUES (1)") + bind() + execute() + execute() + sync(), Z1), (q("SELECT 1"), Z1)],
    "pipeline_of_fifty": [(b"".join(extended(f"SELECT {i}") for i in range(50)), 50)],
    "pipeline_one_sync": [(b"".join(extended(f"SELECT {i}", end=b"") for i in range(50)) + sync(), Z1)],
    "pipeline_error_in_the_middle": [(extended("SELECT 1", end=b"") + extended("SELECT 1/0", end=b"")
                                      + extended("SELECT 3", end=b"") + sync() + extended("SELECT 4"), Z2)],
    "pipeline_errors_everywhere": [(b"".join(extended(f"SELECT 1/{i % 2}") for i in range(40)), 40)],
    "pipeline_commit_inside": [(extended("BEGIN", end=b"") + extended("SELECT 1", end=b"") + extended("COMMIT", end=b"") + sync()
                                + extended("SELECT 2"), Z2)],
    "pipeline_failed_transaction": [(extended("BEGIN") + extended("SELECT 1/0") + extended("SELECT 2") + extended("ROLLBACK")
                                     + extended("SELECT 3"), 5)],
    "query_inside_batch": [(parse("SELECT 1") + bind() + execute() + q("SELECT 2"), Z1), (sync(), Z1)],
    "V-F11 query_in_failed_batch": [(parse("SELEKT") + q("SELECT 2") + sync() + q("SELECT 3"), Z2)],
    "V-F11 query_after_bind_error": [(parse("SELECT 1") + bind(stmt="nix") + q("SELECT 2") + execute() + sync() + q("SELECT 3"), Z2)],
    "mixed": [(q("SELECT 1") + extended("SELECT 2") + q("SELECT 3") + sync() + extended("SELECT 1/0") + q("SELECT 5"), 6)],
    "extended_begin_then_error": [(extended("BEGIN"), Z1), (extended("SELECT 1/0"), Z1), (extended("SELECT 1"), Z1),
                                  (extended("ROLLBACK"), Z1)],
    "large_bind": [(extended("SELECT length($1::text)", ["z" * 700000]), Z1)],
    # function call: abs(int4)
    "function_call": [(function_call(1397, ["-5"]), Z1), (q("SELECT 1"), Z1)],
    "function_call_error": [(function_call(2147483, ["-5"]), Z1), (q("SELECT 1"), Z1)],
    "function_call_pipelined": [(function_call(1397, ["-5"]) + q("SELECT 2") + function_call(1397, ["x"]) + q("SELECT 3"), 4)],
    # COPY out
    "copy_out": [(q("COPY (SELECT generate_series(1,1000)) TO STDOUT"), Z1)],
    "copy_out_empty": [(q("COPY (SELECT 1 WHERE false) TO STDOUT"), Z1)],
    "copy_out_error": [(q("COPY (SELECT 1/(5-i) FROM generate_series(1,9) i) TO STDOUT"), Z1), (q("SELECT 1"), Z1)],
    "copy_out_extended": [(extended("COPY (SELECT generate_series(1,1000)) TO STDOUT"), Z1)],
    "copy_out_twice_in_one": [(q("COPY (SELECT 1) TO STDOUT; COPY (SELECT 2) TO STDOUT; SELECT 3"), Z1)],
    "copy_out_pipelined": [(q("COPY (SELECT 1) TO STDOUT") + q("SELECT 2") + extended("COPY (SELECT 3) TO STDOUT"), Z3)],
    # COPY in
    "T-COPY copy_in": MADE + [(q(COPY_IN), n(1)), (copy_data("1\tx\n2\ty\n") + copy_done(), Z1), (q("SELECT * FROM c"), Z1), COMMIT],
    "T-COPY copy_in_autocommit": [(q("COPY sink FROM STDIN"), n(1)), (copy_data("1\tx\n") + copy_done(), Z1), (q("SELECT 1"), Z1)],
    "T-COPY copy_in_at_once": [(q("COPY sink FROM STDIN") + copy_data("1\tx\n") + copy_done(), Z1), (q("SELECT 1"), Z1)],
    "T-COPY copy_in_nothing": [(q("COPY sink FROM STDIN"), n(1)), (copy_done(), Z1), (q("SELECT 1"), Z1)],
    "T-COPY copy_in_many_messages": [(q("COPY sink FROM STDIN"), n(1)),
                                     (b"".join(copy_data(f"{i}\tx\n") for i in range(3000)) + copy_done(), Z1), (q("SELECT 1"), Z1)],
    "T-COPY copy_fail": [(q("COPY sink FROM STDIN"), n(1)), (copy_data("1\tx\n") + copy_fail(), Z1), (q("SELECT 1"), Z1)],
    "T-COPY copy_fail_in_transaction": [BEGIN, (q("COPY sink FROM STDIN"), n(1)), (copy_data("1\tx\n") + copy_fail(), Z1),
                                        (q("SELECT 1"), Z1), ROLLBACK, (q("SELECT 1"), Z1)],
    "T-COPY error_at_start": [(q("COPY nowhere FROM STDIN"), Z1), (q("SELECT 1"), Z1)],
    "T-COPY error_at_start_data_follows": [(q("COPY nowhere FROM STDIN") + copy_data("1\tx\n") + copy_done(), Z1),
                                           (q("SELECT 1"), Z1)],
    "T-COPY error_before_done": [(q("COPY sink FROM STDIN"), n(1)), (copy_data("what\tx\n"), Z1),
                                 (copy_data("2\tx\n") + copy_done() + q("SELECT 1"), Z1)],
    "T-COPY error_at_done": [(q("COPY sink FROM STDIN"), n(1)), (copy_data("1\tx\nwhat\tx\n") + copy_done(), Z1), (q("SELECT 1"), Z1)],
    "T-COPY error_then_fail": [(q("COPY sink FROM STDIN"), n(1)), (copy_data("what\tx\n"), Z1),
                               (copy_fail() + q("SELECT 1"), Z1)],
    "T-COPY error_check_constraint": [(q("COPY sink FROM STDIN"), n(1)), (copy_data("1000000\tx\n") + copy_data("2\ty\n") + copy_done(), Z1),
                                      (q("SELECT 1"), Z1)],
    "T-COPY error_before_done_in_transaction": [BEGIN, (q("COPY sink FROM STDIN"), n(1)), (copy_data("what\tx\n"), Z1),
                                                (copy_done() + q("SELECT 1"), Z1), ROLLBACK, (q("SELECT 1"), Z1)],
    "T-COPY two_in_one_query": [(q("COPY sink FROM STDIN; COPY sink FROM STDIN"), n(1)), (copy_data("1\tx\n") + copy_done(), n(2)),
                                (copy_data("2\tx\n") + copy_done(), Z1), (q("SELECT 1"), Z1)],
    "T-COPY two_in_one_first_fails": [(q("COPY sink FROM STDIN; COPY sink FROM STDIN"), n(1)),
                                      (copy_data("what\n") + copy_done(), Z1), (q("SELECT 1"), Z1)],
    "T-COPY two_in_one_second_fails": [(q("COPY sink FROM STDIN; COPY sink FROM STDIN"), n(1)), (copy_data("1\tx\n") + copy_done(), n(2)),
                                       (copy_data("what\n") + copy_done(), Z1), (q("SELECT 1"), Z1)],
    "T-COPY in_and_select_in_one": [(q("SELECT 1; COPY sink FROM STDIN; SELECT 2"), n(4)), (copy_data("1\tx\n") + copy_done(), Z1),
                                    (q("SELECT 3"), Z1)],
    "T-COPY in_and_out_in_one": [(q("COPY sink FROM STDIN; COPY (SELECT 2) TO STDOUT"), n(1)), (copy_done(), Z1), (q("SELECT 3"), Z1)],
    "T-COPY extended": [(parse("COPY sink FROM STDIN") + bind() + execute() + flush(), n(3)),
                        (copy_data("1\tx\n") + copy_done() + sync(), Z1), (q("SELECT 1"), Z1)],
    "T-COPY extended_sync_early": [(parse("COPY sink FROM STDIN") + bind() + execute() + sync(), n(3)),
                                   (copy_data("1\tx\n") + copy_done() + sync(), Z1), (q("SELECT 1"), Z1)],
    "T-COPY extended_libpq_way": [(extended("COPY sink FROM STDIN"), n(4)), (copy_data("1\tx\n") + copy_done() + sync(), Z1),
                                  (q("SELECT 1"), Z1)],
    "T-COPY extended_fail": [(parse("COPY sink FROM STDIN") + bind() + execute() + flush(), n(3)),
                             (copy_data("1\tx\n") + copy_fail() + sync(), Z1), (q("SELECT 1"), Z1)],
    "T-COPY extended_error_before_done": [(parse("COPY sink FROM STDIN") + bind() + execute() + flush(), n(3)),
                                          (copy_data("what\n") + flush(), n(1)),
                                          (copy_data("1\n") + copy_done() + sync(), Z1), (q("SELECT 1"), Z1)],
    "T-COPY extended_error_at_done": [(parse("COPY sink FROM STDIN") + bind() + execute() + flush(), n(3)),
                                      (copy_data("what\n") + copy_done() + sync(), Z1), (q("SELECT 1"), Z1)],
    "T-COPY extended_error_at_start": [(parse("COPY nowhere FROM STDIN") + bind() + execute() + copy_data("1\n") + copy_done() + sync(), Z1),
                                       (q("SELECT 1"), Z1)],
    "T-COPY extended_in_pipeline": [(extended("SELECT 1", end=b"") + parse("COPY sink FROM STDIN") + bind() + execute() + flush(), n(7)),
                                    (copy_data("1\tx\n") + copy_done() + extended("SELECT 2"), Z1), (q("SELECT 1"), Z1)],
    "V-F07 copy_messages_outside_copy": [(copy_data("x") + q("SELECT 1"), Z1), (copy_done() + q("SELECT 2"), Z1),
                                         (copy_fail() + q("SELECT 3"), Z1), (copy_data("x") + copy_done() + extended("SELECT 4"), Z1)],
    "T-COPY flush_and_sync_inside_copy": [(q("COPY sink FROM STDIN"), n(1)), (copy_data("1\tx\n") + flush() + sync() + copy_data("2\ty\n")
                                          + sync() + copy_done(), Z1), (q("SELECT 1"), Z1)],
    "T-COPY binary_garbage": [(q("COPY sink FROM STDIN BINARY"), n(1)), (copy_data(b"\0\xff\1garbage") + copy_done(), Z1), (q("SELECT 1"), Z1)],
}

NAMED = {
    "named": [(parse("SELECT $1::int", "s1") + sync(), Z1), (bind([5], stmt="s1") + execute() + sync(), Z1),
              (close("S", "s1") + sync(), Z1), (bind([5], stmt="s1") + execute() + sync(), Z1)],
    "named_twice": [(parse("SELECT 1", "s1") + sync(), Z1), (parse("SELECT 2", "s1") + sync(), Z1), (q("SELECT 1"), Z1)],
    "named_reused": [(parse("SELECT $1::text", "s1") + b"".join(bind([i], stmt="s1") + execute() for i in range(20)) + sync(), Z1)],
    "named_in_pipeline_with_error": [(parse("SELECT 1/$1::int", "s1") + sync(), Z1),
                                     (b"".join(bind([i % 2], stmt="s1") + execute() + sync() for i in range(10)), 10)],
    "sql_prepare": [(q("PREPARE p AS SELECT $1::int"), Z1), (q("EXECUTE p(3)"), Z1), (q("DEALLOCATE p"), Z1), (q("EXECUTE p(3)"), Z1)],
    "set_and_show": [(q("SET work_mem='5MB'"), Z1), (q("SHOW work_mem"), Z1), (q("RESET work_mem"), Z1)],
    "holdable_cursor": [BEGIN, (q("DECLARE h CURSOR WITH HOLD FOR SELECT generate_series(1,5)"), Z1), COMMIT,
                        (q("FETCH 2 FROM h"), Z1), (q("CLOSE h"), Z1)],
    "temp_table": [(q("CREATE TEMP TABLE tt(a int)"), Z1), (q("INSERT INTO tt VALUES (1),(2)"), Z1), (q("SELECT * FROM tt"), Z1)],
    "notify_self": [(q("LISTEN chan"), Z1), (q("SELECT 1"), Z1), (q("UNLISTEN chan"), Z1)],
    "parameter_status": [(q("SET application_name='other'"), Z1), (q("SET TimeZone='Europe/Paris'"), Z1), (q("SHOW TimeZone"), Z1),
                         (q("RESET ALL"), Z1), (q("SELECT 1"), Z1)],
}


def play(client, script):
    """Run it; every step's messages."""
    out = []
    for data, end in script:
        client.send(data)
        got = client.take(int(end[1:])) if isinstance(end, str) else client.until("Z", end)
        out.append([plain(m) for m in got])
    return out


def plain(m):
    """A message as it can be compared: RowDescription without the table's oid, which differs for temporary tables."""
    if m.type == "T":
        return "T", tuple(c._replace(table=bool(c.table)) for c in wire.columns(m.body))
    return m.type, m.body


def readable(steps):
    return [wire.describe_msgs([wire.Msg(*m) for m in s]) for s in steps]


# PgBouncer 1.18 is known to stumble over these
STANDIN_TROUBLE = {
    "T-COPY error_before_done", "T-COPY error_then_fail", "T-COPY error_at_start_data_follows",
    "T-COPY error_before_done_in_transaction", "V-F07 copy_messages_outside_copy", "T-COPY extended_error_at_start",
}


def same(pg, p, name, script):
    with pg.client() as direct:
        want = play(direct, script)
        direct.quit()
    with p.client() as c:
        got = play(c, script)
        assert readable(got) == readable(want)
        assert got == want
        # and it is still in step
        r = c.ask("SELECT 'still in step'")
        assert r.types == "TDCZ" and r.value == "still in step", r.msgs
        c.quit()


@pytest.fixture(scope="module")
def by_mode(top, pg):
    """One pooler for each mode, with a pool of one: a server that is not given back shows up as a hang."""
    from harness.pooler import Pooler
    made = {m: Pooler(pg, f"{top}/proto-{m}", pool_mode=m, pool_size=1, max_overflow=0, pool_timeout=5).start()
            for m in ("transaction", "session")}
    yield made
    problems = []
    for p in made.values():
        try:
            p.stop()
        except AssertionError as e:
            problems.append(str(e))
    if problems:
        pytest.fail("\n".join(problems), pytrace=False)


def cases(scripts):
    for name in scripts:
        marks = [] if name in STANDIN_TROUBLE else [pytest.mark.compat]
        yield pytest.param(name, id=name.replace(" ", "_"), marks=marks)


@pytest.mark.parametrize("mode", ["transaction", "session"])
@pytest.mark.parametrize("name", cases(SCRIPTS))
def test_D_1_same_as_direct(pg, by_mode, mode, name):
    same(pg, by_mode[mode], name, SCRIPTS[name])


@pytest.mark.parametrize("name", cases(NAMED))
def test_D_1_same_as_direct_session_only(pg, by_mode, name):
    same(pg, by_mode["session"], name, NAMED[name])


@pytest.mark.parametrize("name", cases(SCRIPTS))
def test_D_1_one_byte_at_a_time(pg, by_mode, name):
    """Same answers when the bytes trickle in, one per segment."""
    script = SCRIPTS[name]
    if sum(len(d) for d, _ in script) > 3000:
        script = [(q("SELECT 'short instead'"), 1)]
    with pg.client() as direct:
        want = play(direct, script)
        direct.quit()
    with by_mode["transaction"].client() as c:
        got = []
        for data, end in script:
            for i in range(len(data)):
                c.send(data[i:i + 1])
            msgs = c.take(int(end[1:])) if isinstance(end, str) else c.until("Z", end)
            got.append([plain(m) for m in msgs])
        assert got == want, (readable(got), readable(want))
        c.quit()


@pytest.mark.parametrize("mode", ["transaction", "session"])
def test_query_inside_copy_ends_the_session_and_only_this_one(by_mode, mode):
    """PostgreSQL calls it a loss of synchronisation and closes; so do we, and the server is not given to anybody."""
    p = by_mode[mode]
    c = p.client()
    c.send(q("COPY sink FROM STDIN"))
    assert c.recv().type == "G"
    c.send(copy_data("1\tx\n") + q("SELECT 'not now'"))
    msgs = c.rest(5)
    assert msgs and msgs[0].type == "E" and all(m.type in "EN" for m in msgs), wire.describe_msgs(msgs)
    with p.client() as d:
        assert d.ask("SELECT 'next'").types == "TDCZ"
        d.quit()


# ---- start of a session ----

@pytest.mark.compat
def test_ssl_and_gssenc_requests_are_answered_N(module_pooler):
    for order in ([wire.SSL_REQUEST], [wire.GSSENC_REQUEST], [wire.GSSENC_REQUEST, wire.SSL_REQUEST], [wire.SSL_REQUEST, wire.GSSENC_REQUEST]):
        c = wire.Client(module_pooler.addr, "app", "db0", login=False)
        for code in order:
            c.send(wire.request(code))
            assert c.recv_exact(1) == b"N"
        c.send(wire.startup({"user": "app", "database": "db0"}))
        c.login()
        assert c.value("SELECT 1") == "1"
        c.quit()


@pytest.mark.compat
def test_login_gives_what_postgresql_gives(pg, module_pooler):
    """The same ParameterStatus names and values, a key, ReadyForQuery I."""
    with pg.client() as d, module_pooler.client() as c:
        assert c.seq[0] == "R" and c.seq.endswith("KZ"), c.seq
        for name in ("server_version", "server_encoding", "client_encoding", "DateStyle", "TimeZone", "integer_datetimes",
                     "standard_conforming_strings", "IntervalStyle"):
            assert c.params.get(name) == d.params[name], name
        assert c.pid and c.key is not None


def test_login_reports_every_parameter_postgresql_reports(pg, module_pooler):
    with pg.client() as d, module_pooler.client() as c:
        assert set(d.params) - set(c.params) == set()


@pytest.mark.compat
def test_keys_differ(module_pooler):
    clients = [module_pooler.client() for _ in range(50)]
    assert len({(c.pid, c.key) for c in clients}) == 50
    for c in clients:
        c.quit()


@pytest.mark.parametrize("minor,speaks", [(0, 0), (1, 0), (2, 2), (3, 2), (0x270F, 2), (0xFFFF, 2)])
def test_V_S13_minor_versions(pg, module_pooler, minor, speaks):
    """3.0 and 3.2 are spoken; for anything else NegotiateProtocolVersion comes once, first of all; then a usable session."""
    c = wire.Client(module_pooler.addr, "app", "db0", proto=0x00030000 | minor)
    assert c.seq.count("v") == (minor != speaks), c.seq
    if minor != speaks:
        assert c.seq.startswith("v")
        newest, count = struct.unpack("!II", c.negotiate)
        assert newest == 0x30000 | speaks and count == 0, (hex(newest), count)
    assert isinstance(c.key, int) if speaks == 0 else len(c.key) == 32
    assert c.value("SELECT 1") == "1"
    c.quit()


@pytest.mark.parametrize("minor", [0, 1, 2, 3])
def test_V_S13_unknown_options_and_a_version(module_pooler, minor):
    """Both in one NegotiateProtocolVersion, which never names a newer version than was asked for."""
    c = wire.Client(module_pooler.addr, "app", "db0", params=[("_pq_.a", "1"), ("_pq_.b", "")], proto=0x00030000 | minor)
    assert c.seq.count("v") == 1, c.seq
    assert c.negotiate == struct.pack("!II", 0x30000 | (2 if minor >= 2 else 0), 2) + b"_pq_.a\0_pq_.b\0"
    assert c.value("SELECT 1") == "1"
    c.quit()


def test_protocols_that_do_not_exist_are_refused(module_pooler):
    for proto in (0x00020000, 0x00040000, 0x00000000, 0xFFFF0003, 0x00010003):
        with pytest.raises(wire.PgError) as e:
            wire.Client(module_pooler.addr, "app", "db0", proto=proto)
        assert e.value.code == "0A000" and "supports 3.0 to 3.2" in e.value.text, e.value


def test_V_S13_unknown_protocol_extensions_are_listed(module_pooler):
    names = [f"_pq_.x{i}" for i in range(100)]
    c = wire.Client(module_pooler.addr, "app", "db0", params=[(x, "1") for x in names])
    assert c.seq.count("v") == 1, c.seq
    _, count = struct.unpack_from("!II", c.negotiate)
    assert count == 100
    assert [x.decode() for x in c.negotiate[8:].split(b"\0")[:-1]] == names
    assert c.value("SELECT 1") == "1"
    c.quit()


@pytest.mark.compat
def test_database_defaults_to_user_name(pooler):
    p = pooler(databases={"app": "dbname=db1"})
    c = wire.Client(p.addr, "app", None)
    assert c.value("SELECT current_database()") == "db1"
    c.quit()


def test_the_client_is_told_the_truth_about_its_parameters(module_pooler):
    """What ParameterStatus says is what holds on the server (that it be what the client asked for is the next step)."""
    c = module_pooler.client(params={"application_name": "me", "client_encoding": "LATIN1", "DateStyle": "German"})
    for name in ("client_encoding", "DateStyle", "TimeZone", "standard_conforming_strings", "server_version", "server_encoding"):
        assert c.params[name] == c.value(f"SHOW {name}"), name
    c.quit()


def test_unknown_startup_parameter_is_refused_in_the_servers_words(module_pooler, pg):
    """Parameters are honoured, so it is PostgreSQL that does not know this one: nobody has a word of his own for it."""
    refusals = []
    for make in (pg.client, module_pooler.client):
        with pytest.raises(wire.PgError) as e:
            make(params={"no_such_thing": "1"})
        refusals.append((e.value.severity, e.value.code, e.value.text))
    assert refusals[0] == refusals[1] == ("FATAL", "42704", 'unrecognized configuration parameter "no_such_thing"')
    with module_pooler.client() as c:
        assert c.value("SELECT 1") == "1"
        c.quit()


@pytest.mark.compat
def test_unknown_startup_parameter_is_refused_by_name_in_pgbouncers_profile(pooler):
    with pytest.raises(wire.PgError) as e:
        pooler(section="pgbouncer").client(params={"no_such_thing": "1"})
    assert (e.value.severity, e.value.code, e.value.text) == ("FATAL", "08P01", "unsupported startup parameter: no_such_thing")


@pytest.mark.compat
def test_ignore_startup_parameters(pooler):
    p = pooler(ignore_startup_parameters="no_such_thing, extra_float_digits")
    c = p.client(params={"no_such_thing": "1", "extra_float_digits": "2"})
    assert c.value("SELECT 1") == "1"
    c.quit()


@pytest.mark.compat
def test_terminate_closes_and_nothing_is_left(module_pooler):
    def count():
        return len([x for x in module_pooler.show("CLIENTS") if x["user"] == "app"])

    before = count()
    c = module_pooler.client()
    c.query("SELECT 1")
    assert count() == before + 1
    c.send(wire.terminate())
    assert c.rest(3) == []
    wire.wait_until(lambda: count() == before, what="client gone")


CONF = {"pool_size": 5, "max_overflow": 0}
