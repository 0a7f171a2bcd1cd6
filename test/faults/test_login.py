"""A hostile server during our login to it (V-B01 … V-B13): the client gets one clean error, and nobody else notices."""

import socket
import struct
import threading
import time

import pytest

from fakepg import (PARAMETERS, POISON, auth, complete, data_row, error, fatal, key_data, negotiate, notice, parameter, ready,
                    row_description)
from harness.scram import b64, md5_secret, secret
from harness.wire import Client, Closed, PgError, cstr, msg, wait_until

# scrammy's entry is a SCRAM verifier: it knows no password; locky's is md5
CONF = {"userlist": {"app": "pw-app", "scrammy": secret("pw-scrammy"), "locky": md5_secret("locky", "pw-locky"),
                     "admin": "x", "stats": "x"}}

AFTER = data_row(POISON) + error("XX000", POISON) + notice(POISON)


def refused(rig, database, user="app", seconds=8):
    """A client's login that must end with one error and EOF; gives the error."""
    c = Client(rig.pooler.addr, user, database, login=False, timeout=seconds)
    from harness.wire import startup
    c.send(startup({"user": user, "database": database}))
    raw = c.rest(seconds)
    c.close()
    assert raw and raw[-1].type == "E", f"no error: {raw}"
    assert [m.type for m in raw if m.type not in "RS"] == ["E"], raw
    for m in raw:
        assert POISON not in m.body, f"what the server said after its offence came through: {m}"
    from harness.wire import fields
    e = fields(raw[-1].body)
    assert len(e["C"]) == 5 and e["M"], e
    return e


def raw_script(data, then=AFTER, linger=True):
    def script(peer):
        peer.send(data + then)
        if linger:
            peer.linger()
    return script


def m_(kind, size):
    """A header that declares size, whatever follows."""
    return kind.encode() + struct.pack("!I", size & 0xFFFFFFFF)


OK = auth(0)
GREETING = OK + PARAMETERS + key_data()

# bytes of the server's side of the login -> a part of what the client must be told, or None
BAD = {
    "e_no_fields": (msg("E", b"\0"), None),
    "e_empty": (msg("E"), None),
    "e_length_3": (m_("E", 3), "protocol"),
    "e_length_huge": (m_("E", 0x7FFFFFFF), "protocol"),
    "e_length_negative": (m_("E", -1), "protocol"),
    "e_no_terminator": (msg("E", b"SFATAL\0C53300\0Mtoo many of us"), None),
    "e_no_terminator_2": (msg("E", b"SFATAL\0C53300\0Mtoo many of us\0"), "too many of us"),
    "e_no_s": (msg("E", b"VFATAL\0C53300\0Mno s\0\0"), "no s"),
    "e_no_v": (msg("E", b"SFATAL\0C53300\0Mno v\0\0"), "no v"),
    "e_no_c": (msg("E", b"SFATAL\0VFATAL\0Mno c\0\0"), "no c"),
    "e_no_m": (msg("E", b"SFATAL\0VFATAL\0C53300\0\0"), None),
    "e_odd_code": (msg("E", b"SFATAL\0C5330\xff\0Modd code\0\0"), "odd code"),
    "e_long_code": (msg("E", b"SFATAL\0C53300000000000000\0Mlong code\0\0"), "long code"),
    "e_unknown_fields": (msg("E", b"\x01x\0\xffy\0SFATAL\0C53300\0!z\0Munknown fields\0\0"), "unknown fields"),
    "e_60k": (error("53300", "M" * 60000, "FATAL"), "MMMM"),
    "e_1m": (error("53300", "M" * 1000000, "FATAL"), None),
    "e_binary": (error("53300", b"\x80\xff\x1b[31m\n\r%n%s", "FATAL"), None),
    "e_not_fatal": (error("53300", "only an error"), "only an error"),
    "e_after_ok": (OK + error("53300", "after ok", "FATAL"), "after ok"),
    "e_after_key": (GREETING + fatal(), "terminating connection"),
    "z_first": (ready(), None),
    "z_status_x": (GREETING + ready("x"), None),
    "z_status_0": (GREETING + ready("\0"), None),
    "z_in_transaction": (GREETING + ready("T"), None),
    "z_length_4": (GREETING + msg("Z"), None),
    "z_length_6": (GREETING + msg("Z", b"II"), None),
    "s_no_nul": (OK + msg("S", b"abc"), None),
    "s_one_nul": (OK + msg("S", b"abc\0"), None),
    "s_value_open": (OK + msg("S", b"abc\0def"), None),
    "s_three": (OK + msg("S", b"abc\0def\0ghi\0"), None),
    "s_empty": (OK + msg("S"), None),
    "s_1m": (OK + parameter("n" * 1000000, "v"), None),
    "s_flood": (OK + b"".join(parameter(f"p{i}", "v" * 20) for i in range(100000)), None),
    "k_0": (OK + msg("K"), None),
    "k_pid_only": (OK + msg("K", b"\0\0\0\1"), None),
    "k_7": (OK + msg("K", b"1234567"), None),
    "k_261": (OK + key_data(257), None),
    "k_1m": (OK + msg("K", b"k" * 1000000), None),
    "k_before_ok": (key_data(), None),
    "v_1m": (msg("v", b"v" * 1000000), None),
    "v_empty": (msg("v"), "protocol version"),
    "v_short": (msg("v", struct.pack("!IH", 0x30000, 0)), "protocol version"),
    "v_long": (msg("v", struct.pack("!III", 0x30000, 0, 0)), "protocol version"),
    "v_twice": (negotiate() * 2, "protocol version"),
    "v_2_31_options": (msg("v", struct.pack("!II", 0x30000, 0x80000000)), "protocol version"),
    "v_option_we_never_sent": (negotiate(0x30000, "_pq_.x"), "protocol version"),
    "v_3_1": (negotiate(0x30001), "protocol version"),
    "v_3_2": (negotiate(0x30002), "protocol version"),
    "v_3_3": (negotiate(0x30003), "protocol version"),
    "v_2_0": (negotiate(0x20000), "protocol version"),
    "v_4_0": (negotiate(0x40000), "protocol version"),
    "v_0": (negotiate(0), "protocol version"),
    "v_after_ok": (OK + negotiate(), "protocol version"),
    "v_after_key": (GREETING + negotiate(), "protocol version"),
    "r_empty": (msg("R"), None),
    "r_3": (msg("R", b"\0\0\0"), None),
    "r_1m": (msg("R", b"\0\0\0\0" + b"r" * 1000000), None),
    "r_ok_and_more": (auth(0, b"x"), None),
    "r_ok_twice": (OK + OK, None),
    "r_ok_then_password": (OK + auth(3), None),
    "r_99": (auth(99), "99"),
    "r_2": (auth(2), None), "r_6": (auth(6), None), "r_7": (auth(7), None), "r_8": (auth(8), None), "r_9": (auth(9), None),
    "r_negative": (auth(0xFFFFFFFF), None),
    "r_password_and_more": (auth(3, b"x"), None),
    "r_password_twice": (auth(3) + auth(3), None),
    "r_md5_3": (auth(5, b"abc"), None), "r_md5_5": (auth(5, b"abcde"), None), "r_md5_0": (auth(5), None),
    "r_md5_then_sasl": (auth(5, b"abcd") + auth(10, b"SCRAM-SHA-256\0\0"), None),
    "r_sasl_empty": (auth(10), None),
    "r_sasl_no_mechanism": (auth(10, b"\0"), None),
    "r_sasl_no_end": (auth(10, b"SCRAM-SHA-256\0"), None),
    "r_sasl_no_nul": (auth(10, b"SCRAM-SHA-256"), None),
    "r_sasl_and_more": (auth(10, b"SCRAM-SHA-256\0\0x"), None),
    "r_sasl_unknown": (auth(10, b"SCRAM-SHA-1\0PLAIN\0\0"), None),
    "r_sasl_plus_only": (auth(10, b"SCRAM-SHA-256-PLUS\0\0"), None),
    "r_continue_first": (auth(11, b"r=x,s=eA==,i=4096"), None),
    "r_final_first": (auth(12, b"v=x"), None),
    "r_sasl_final": (auth(10, b"SCRAM-SHA-256\0\0") + auth(12, b"v=x"), None),
    "r_sasl_ok": (auth(10, b"SCRAM-SHA-256\0\0") + OK + PARAMETERS + key_data() + ready(), None),
    "data_row": (GREETING + data_row(POISON), None),
    "copy_in": (GREETING + msg("G", b"\0\0\0"), None),
    "copy_out": (GREETING + msg("H", b"\0\0\0"), None),
    "copy_both": (GREETING + msg("W", b"\0\0\0"), None),
    "http": (b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n", None),
    "tls_alert": (b"\x15\x03\x01\x00\x02\x02\x28", None),
    "ssl_s": (b"S", None),
    "ssh": (b"SSH-2.0-OpenSSH_9.2\r\n", None),
    "nothing_but_zero": (b"\0" * 4096, None),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_login(rig, name):
    data, text = BAD[name]
    db = "bad_" + name
    rig.fake.scripts[db] = raw_script(data)
    e = refused(rig, db)
    if text:
        assert text in e["M"], e
    # the same once more, all of it byte by byte
    if len(data) < 300:
        def drip(peer):
            for i in range(len(data)):
                peer.send(data[i:i + 1])
            peer.send(AFTER)
            peer.linger()
        rig.fake.scripts[db + "_drip"] = drip
        assert refused(rig, db + "_drip")["M"] == e["M"]


@pytest.mark.parametrize("before", ["start", "after_ok", "after_key"])
def test_every_type(rig, before):
    """Every type byte in every part of the login, but for those that belong there."""
    prefix = {"start": b"", "after_ok": OK, "after_key": GREETING}[before]
    seen = 0
    for t in range(256):
        if bytes([t]) in b"RKSENvZ":
            continue
        db = f"type_{before}_{t}"
        rig.fake.scripts[db] = raw_script(prefix + msg(bytes([t]), b"abcdefgh"))
        e = refused(rig, db)
        assert "protocol" in e["M"], (t, e)
        seen += 1
    assert seen == 249


FINE = {
    "plain": GREETING + ready(),
    "no_key": OK + PARAMETERS + ready(),
    "two_keys": OK + PARAMETERS + key_data() + key_data(4, 99) + ready(),
    "key_8": OK + PARAMETERS + key_data(8) + ready(),
    "key_12": OK + PARAMETERS + key_data(12) + ready(),
    "key_260": OK + PARAMETERS + key_data(256) + ready(),
    "no_parameters": OK + key_data() + ready(),
    "notices": OK + notice("a") * 1000 + PARAMETERS + notice("b") + key_data() + notice("c") + ready(),
    "negotiate": negotiate() + GREETING + ready(),
    "negotiate_late": notice("a") + negotiate() + GREETING + ready(),
    "late_parameter": GREETING + parameter("late", "x") + ready(),
    "same_parameter": GREETING + parameter("same", "x") * 10000 + ready(),
}


@pytest.mark.parametrize("name", FINE)
def test_odd_but_fine(rig, name):
    data = FINE[name]

    def script(peer):
        peer.send(data)
        peer.serve()

    db = "fine_" + name
    rig.fake.scripts[db] = script
    c = Client(rig.pooler.addr, "app", db)
    assert c.value(f"SELECT {name}") == name
    c.cancel()          # a key of any length can be used
    assert c.value(f"SELECT {name}-2") == name + "-2"
    c.quit()


@pytest.mark.parametrize("stage", ["start", "after_ok", "after_key"])
@pytest.mark.parametrize("cut", range(6))
def test_eof_in_header(rig, stage, cut):
    prefix = {"start": b"", "after_ok": OK, "after_key": GREETING}[stage]
    db = f"eof_{stage}_{cut}"
    rig.fake.scripts[db] = raw_script(prefix + error("XX000", POISON)[:cut], then=b"", linger=False)
    refused(rig, db)


def test_silence(rig):
    """Half a message and then nothing: server_connect_timeout ends it."""
    def script(peer):
        peer.send(GREETING + b"Z\0\0")
        peer.linger(20)

    rig.fake.scripts["silence"] = script
    t = time.monotonic()
    e = refused(rig, "silence", seconds=20)
    assert 2.5 < time.monotonic() - t < 8
    assert "timeout" in e["M"]


def test_starting_up(rig):
    """57P03 asks for patience: tried again, and the client is served without an error."""
    def script(peer):
        if len(rig.fake.peers["starting"]) < 4:
            peer.send(fatal("57P03", "the database system is starting up"))
            return
        peer.greet()
        peer.serve()

    rig.fake.scripts["starting"] = script
    c = Client(rig.pooler.addr, "app", "starting", timeout=15)
    assert c.value("SELECT up") == "up"
    c.quit()


# ---- SCRAM (V-B08, V-B10, V-B11, V-B12) ----

def scram_first(text):
    return lambda nonce: text.replace("NONCE", nonce)


SALT = b64(b"0123456789abcdef")

SCRAM_BAD = {
    "i_0": f"r=NONCEsrv,s={SALT},i=0",
    "i_negative": f"r=NONCEsrv,s={SALT},i=-1",
    "i_plus": f"r=NONCEsrv,s={SALT},i=+4096",
    "i_too_many": f"r=NONCEsrv,s={SALT},i=2147483647",
    "i_overflow": f"r=NONCEsrv,s={SALT},i=4294971392",
    "i_overflow_64": f"r=NONCEsrv,s={SALT},i=18446744073709555712",
    "i_text": f"r=NONCEsrv,s={SALT},i=4096x",
    "i_empty": f"r=NONCEsrv,s={SALT},i=",
    "i_space": f"r=NONCEsrv,s={SALT},i= 4096",
    "i_missing": f"r=NONCEsrv,s={SALT}",
    "s_empty": "r=NONCEsrv,s=,i=4096",
    "s_invalid": "r=NONCEsrv,s=!!!!,i=4096",
    "s_one": "r=NONCEsrv,s=A,i=4096",
    "s_64k": f"r=NONCEsrv,s={'QUFB' * 16384},i=4096",
    "s_missing": "r=NONCEsrv,i=4096",
    "r_same": f"r=NONCE,s={SALT},i=4096",
    "r_other": f"r=srvsrvsrvsrvsrvsrvsrvsrvsrv,s={SALT},i=4096",
    "r_empty": f"r=,s={SALT},i=4096",
    "r_missing": f"s={SALT},i=4096",
    "r_64k": f"r=NONCE{'n' * 65536},s={SALT},i=4096",
    "m_ext": f"m=ext,r=NONCEsrv,s={SALT},i=4096",
    "order": f"s={SALT},r=NONCEsrv,i=4096",
    "empty": "",
    "commas": ",,,",
    "nul": f"r=NONCEsrv,s={SALT},i=4096\0",
    "error": "e=unknown-user",
}


@pytest.mark.parametrize("name", SCRAM_BAD)
def test_scram_first(rig, name):
    db = "scram_" + name

    def script(peer):
        peer.scram("pw-app", first=scram_first(SCRAM_BAD[name]))

    rig.fake.scripts[db] = script
    t = time.monotonic()
    refused(rig, db)
    assert time.monotonic() - t < 15, "computed what it should have refused"
    peer = rig.fake.peers[db][-1]
    assert [m.type for m in peer.got if m.type == "p"] == ["p"], "a proof was given to a server that breaks the rules"


SCRAM_FINAL_BAD = {
    "wrong_signature": lambda s: b"v=" + b64(bytes(32)).encode(),
    "short_signature": lambda s: b"v=" + b64(s[:31]).encode(),
    "long_signature": lambda s: b"v=" + b64(s + b"x").encode(),
    "no_signature": lambda s: b"v=",
    "not_base64": lambda s: b"v=!!!",
    "error": lambda s: b"e=invalid-proof",
    "empty": lambda s: b"",
    "case": lambda s: b"V=" + b64(s).encode(),
    "ok_without_final": lambda s: None,
}


@pytest.mark.parametrize("name", SCRAM_FINAL_BAD)
def test_scram_final(rig, name):
    db = "final_" + name

    def script(peer):
        peer.scram("pw-app", final=SCRAM_FINAL_BAD[name])
        peer.greet()
        peer.serve()

    rig.fake.scripts[db] = script
    refused(rig, db)


@pytest.mark.parametrize("name,kw", [("plain", {}), ("one", {"iterations": 1}), ("i_100000", {"iterations": 100000}),
                                     ("salt_1", {"salt": b"x"}), ("nonce_1", {"nonce": "x"}), ("nonce_100", {"nonce": "n" * 100})])
def test_scram_works(rig, name, kw):
    """The fake's SCRAM is right, so what fails above fails for the reason given there."""
    db = "right_" + name

    def script(peer):
        peer.scram("pw-app", **kw)
        assert peer.proof_is_right
        peer.greet()
        peer.serve()

    rig.fake.scripts[db] = script
    if name == "one":
        refused_or_not = None
        try:
            c = Client(rig.pooler.addr, "app", db)
            refused_or_not = c.value("SELECT x")
            c.quit()
        except PgError:
            pass
        assert refused_or_not in (None, "x")
        return
    c = Client(rig.pooler.addr, "app", db)
    assert c.value("SELECT x") == "x"
    c.quit()


@pytest.mark.parametrize("name,ask", [("password", auth(3)), ("md5", auth(5, b"abcd")), ("gss", auth(7)), ("sspi", auth(9)),
                                      ("kerberos", auth(2))])
def test_verifier_user_gives_nothing_else(rig, name, ask):
    """Who is known by a SCRAM verifier only answers no weaker request (V-B12)."""
    db = "weaker_" + name
    rig.fake.scripts[db] = raw_script(ask)
    refused(rig, db, user="scrammy")
    assert not [m for m in rig.fake.peers[db][-1].got if m.type == "p"]


def test_md5_user_is_not_asked_for_its_password(rig):
    rig.fake.scripts["locked"] = raw_script(auth(3))
    refused(rig, "locked", user="locky")
    assert not [m for m in rig.fake.peers["locked"][-1].got if m.type == "p"]


def test_memory(rig):
    """Twenty megabytes of greetings, one after the other, leave nothing behind."""
    def script(peer):
        for _ in range(20):
            peer.send(notice("n" * 50000) * 20)
        peer.send(error("53300", "that was all", "FATAL"))

    # what the sanitizer keeps of freed memory is filled by the first rounds
    for i in range(3):
        rig.fake.scripts[f"memory_{i}"] = script
        assert "that was all" in refused(rig, f"memory_{i}", seconds=20)["M"]
    before = rig.pooler.rss_kb()
    for i in range(3, 8):
        rig.fake.scripts[f"memory_{i}"] = script
        assert "that was all" in refused(rig, f"memory_{i}", seconds=20)["M"]
    grown = rig.pooler.rss_kb() - before
    assert grown < 8192, f"{grown} kB more"


@pytest.mark.parametrize("answer,text", [(b"H", "did not understand the question for TLS"), (b"E", "did not understand the question for TLS"),
                                         (b"\0", "did not understand the question for TLS"), (b"NN", "more than its answer"),
                                         (b"SS", "more than its answer"), (b"", "closed the connection while TLS was agreed upon")])
def test_the_question_for_tls_is_not_answered(in_front_of, answer, text):
    """Whoever looks for the reason finds it: in the client's error and in the log."""
    with socket.create_server(("127.0.0.1", 0)) as odd:
        def serve():
            try:
                while True:
                    peer = odd.accept()[0]
                    peer.recv(8)
                    peer.sendall(answer)
                    peer.shutdown(socket.SHUT_WR)
                    peer.recv(1)
                    peer.close()
            except OSError:
                pass

        threading.Thread(target=serve, daemon=True).start()
        p = in_front_of(odd.getsockname()[1])
        with pytest.raises(PgError) as e:
            Client(p.addr, "app", "any").value("SELECT 1")
        assert e.value.code == "08001" and text in e.value.text, e.value
        assert text in p.log_text()
        odd.shutdown(socket.SHUT_RDWR)


def test_a_refused_password_is_tried_for_clients_only(rig):
    """Servers that can't be had are tried again and again, so that they are known to be back; but a password that is wrong is
    wrong until somebody changes it, and the server may lock the account."""
    def refusing(code):
        def script(peer):
            peer.send(error(code, "not now", "FATAL"))
            peer.linger()
        return script

    rig.fake.scripts.update(probed=refusing("53300"), unprobed=refusing("28P01"))
    refused(rig, "unprobed")
    refused(rig, "probed")
    wait_until(lambda: len(rig.fake.peers["probed"]) >= 4, 20)
    asked = len(rig.fake.peers["unprobed"])
    # one for the client, and the one that asks for protocol 3.0 where 3.2 was refused
    assert asked <= 2, asked
    refused(rig, "unprobed")
    assert len(rig.fake.peers["unprobed"]) > asked
