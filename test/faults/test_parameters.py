"""Servers that refuse what we set for a client, and that report what nobody can set."""

import pytest

from fakepg import PARAMETERS, auth, complete, data_row, error, key_data, parameter, ready, row_description
from harness.wire import Client, Closed, PgError


def vendor(rig, db):
    """A server that reports a parameter nobody can set; what was set all the same."""
    told = []

    def on_query(peer, sql):
        if sql.startswith("SELECT change to "):
            peer.send(row_description("x"), data_row("y"), complete("SELECT 1"), parameter("vendor_fact", sql[-1]), ready())
        elif "vendor_fact" in sql:
            told.append(sql)
            peer.send(error("55P02", 'parameter "vendor_fact" cannot be changed'), ready())
        else:
            return False
        return True

    def script(peer):
        peer.send(auth(0), PARAMETERS, parameter("vendor_fact", "a"), key_data(), ready())
        peer.serve(on_query)

    rig.fake.scripts[db] = script
    return told


def test_what_nobody_can_set_is_learnt(rig):
    """A parameter that is reported and changes by itself: one client is refused, then it is left alone."""
    db = "vendor"
    told = vendor(rig, db)
    with Client(rig.pooler.addr, "app", db) as a, Client(rig.pooler.addr, "app", db) as b, Client(rig.pooler.addr, "app", db) as c:
        assert a.params["vendor_fact"] == "a"
        assert a.value("SELECT change to b") == "y"
        assert a.value("SELECT 1") == "1"
        with pytest.raises((PgError, Closed)) as e:
            b.value("SELECT 2")
        errors = [m for m in e.value.msgs if m.type == "E"]
        assert len(errors) == 1 and b"55P02" in errors[0].body
        assert told == ['SET "vendor_fact"=E\'a\';']
        for _ in range(3):
            assert c.value("SELECT 3") == "3"
            assert a.value("SELECT 4") == "4"
        assert len(told) == 1
        a.quit(), c.quit()


def test_what_is_learnt_is_learnt_by_all_workers(rig, four_workers):
    """One client is refused, on whatever worker; nobody after it, nor who has carried the value since before."""
    db = "vendors"
    told = vendor(rig, db)
    first, *others = [Client(four_workers.addr, "app", db) for _ in range(16)]
    assert first.value("SELECT change to b") == "y"
    with pytest.raises((PgError, Closed)):
        others.pop().value("SELECT 1")
    assert len(told) == 1
    for i, c in enumerate(others):
        assert c.value(f"SELECT change to {i % 10}") == "y"
        assert first.value("SELECT 2") == "2"
    for c in [first] + others:
        assert c.value("SELECT 3") == "3"
        c.quit()
    assert len(told) == 1


def test_a_value_that_is_too_long_to_be_kept_is_not_lost_in_silence(rig):
    """Its client could not be served as it was told, so it is not; nobody else gets that server."""
    db = "long_value"

    def on_query(peer, sql):
        if sql != "SELECT change":
            return False
        peer.send(row_description("x"), data_row("y"), complete("SELECT 1"), parameter("fact", "f" * 70000), ready())
        return True

    def script(peer):
        peer.send(auth(0), PARAMETERS, parameter("fact", "short"), key_data(), ready())
        peer.serve(on_query)

    rig.fake.scripts[db] = script
    a, b = (Client(rig.pooler.addr, "app", db) for _ in range(2))
    with pytest.raises((PgError, Closed)) as e:
        for _ in range(2):
            a.value("SELECT change")
    assert [b"53200" in m.body for m in e.value.msgs if m.type == "E"] == [True]
    assert b.value("SELECT 1") == "1" and b.params["fact"] == "short"
    assert len(rig.fake.peers[db]) == 2
    b.quit(), a.close()


@pytest.mark.parametrize("code", ["57014", "53200", "XX000"])
def test_a_set_that_fails_later_ends_that_client_only(rig, code):
    """What was accepted at login is refused at work: the client learns it; what is on the server stays known."""
    db = f"fails{code}"
    told, refuse = [], []

    def script(peer):
        peer.greet()

        def on_query(peer, sql):
            if sql.startswith(("SET", "RESET")):
                told.append(sql)
                if refuse and refuse[0] in sql:
                    refuse.clear()
                    peer.send(error(code, "no"), ready())
                else:
                    peer.send(complete("SET"), ready())
                return True
            return False

        peer.serve(on_query)

    rig.fake.scripts[db] = script
    a = Client(rig.pooler.addr, "app", db, params={"work_mem": "5MB"})
    b = Client(rig.pooler.addr, "app", db, params={"geqo": "off"})
    assert told == ['SET "work_mem"=E\'5MB\';', 'RESET "work_mem";SET "geqo"=E\'off\';']
    refuse.append("RESET")
    with pytest.raises((PgError, Closed)) as e:
        a.value("SELECT 1")
    assert [code.encode() in m.body for m in e.value.msgs if m.type == "E"] == [True]
    del told[:]
    # geqo is still set on the server, and nobody took work_mem there
    c = Client(rig.pooler.addr, "app", db)
    assert c.value("SELECT 2") == "2"
    assert told == ['RESET "geqo";']
    assert b.value("SELECT 3") == "3"
    assert told[1:] == ['SET "geqo"=E\'off\';']
    b.quit(), c.quit(), a.close()


def test_a_refusal_at_login_is_told_and_forgotten(rig):
    db = "refuses"
    told = []

    def script(peer):
        peer.greet()

        def on_query(peer, sql):
            if not sql.startswith(("SET", "RESET")):
                return False
            told.append(sql)
            peer.send(error("42704", 'unrecognized configuration parameter "nonsense"') if "nonsense" in sql else complete("SET"), ready())
            return True

        peer.serve(on_query)

    rig.fake.scripts[db] = script
    for _ in range(3):
        with pytest.raises(PgError) as e:
            Client(rig.pooler.addr, "app", db, params={"nonsense": "1"})
        assert e.value.code == "42704"
    del told[:]
    with Client(rig.pooler.addr, "app", db) as c:
        assert c.value("SELECT 1") == "1"
        c.quit()
    assert told == [], "nothing was set, so nothing is to be taken away"
