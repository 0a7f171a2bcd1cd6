"""What a server may ask of us, and what it does not get: require_auth, channel_binding, server_weak_auth."""

import pytest

from fakepg import auth
from harness.wire import Client, PgError

ASKS = {"none": auth(0), "password": auth(3), "md5": auth(5, b"salt"), "scram-sha-256": auth(10, b"SCRAM-SHA-256\0\0"),
        "gss": auth(7), "sspi": auth(9)}
SAYS = {"none": "asked for no proof", "password": "requested a cleartext password", "md5": "hashed with md5",
        "scram-sha-256": "requested SASL authentication"}

# require_auth -> what passes
REQUIREMENTS = {
    "": ("none", "password", "md5", "scram-sha-256"),
    "none": ("none",),
    "password": ("password",),
    "md5": ("md5",),
    "scram-sha-256": ("scram-sha-256",),
    "md5,scram-sha-256": ("md5", "scram-sha-256"),
    "none,gss": ("none",),
    "!none": ("password", "md5", "scram-sha-256"),
    "!password": ("none", "md5", "scram-sha-256"),
    "!password,!md5": ("none", "scram-sha-256"),
    "!password,!md5,!none": ("scram-sha-256",),
    "!scram-sha-256": ("none", "password", "md5"),
}


def name_of(requirement, ask):
    return "r_%d_%s" % (list(REQUIREMENTS).index(requirement), ask.replace("-", "_"))


CONF = {
    "databases": dict({name_of(r, a): f"require_auth='{r}'" for r in REQUIREMENTS for a in ASKS},
                      **{f"{w}_{a.replace('-', '_')}": f"server_weak_auth={w}" for w in ("refuse", "local", "allow") for a in ASKS},
                      **{f"b_{m}_{a.replace('-', '_')}": f"channel_binding={m}" for m in ("disable", "prefer", "require") for a in ASKS},
                      **{"*": ""}),
    "userlist": {"app": "pw-app", "admin": "x", "stats": "x"},
}


def outcome(rig, database, ask):
    """What becomes of a login when the server asks so: None or the error; and whether anything was sent."""
    def script(peer):
        if ask == "none":
            pass
        elif ask == "scram-sha-256":
            peer.scram("pw-app")
            assert peer.proof_is_right
        else:
            peer.send(ASKS[ask])
            peer.recv()
        peer.greet()
        peer.serve()

    rig.fake.scripts[database] = script
    try:
        c = Client(rig.pooler.addr, "app", database)
        assert c.value("SELECT in") == "in"
        c.quit()
        text = None
    except PgError as e:
        text = e.text
    peer = rig.fake.peers[database][-1]
    assert len(rig.fake.peers[database]) == 1, "it was tried twice"
    return text, any(m.type == "p" for m in peer.got)


@pytest.mark.parametrize("requirement", REQUIREMENTS)
@pytest.mark.parametrize("ask", ASKS)
def test_require_auth(rig, requirement, ask):
    text, was_sent = outcome(rig, name_of(requirement, ask), ask)
    if ask in REQUIREMENTS[requirement]:
        assert text is None and was_sent == (ask != "none")
        return
    assert text is not None and not was_sent
    if ask in SAYS:
        assert f'authentication method requirement "{requirement}" failed: server ' in text and SAYS[ask] in text, text
    else:
        assert "unknown/unsupported auth method" in text


@pytest.mark.parametrize("mode", ["refuse", "local", "allow"])
@pytest.mark.parametrize("ask", ["none", "password", "md5", "scram-sha-256"])
def test_weak_auth(rig, mode, ask):
    """The fake listens on loopback."""
    text, was_sent = outcome(rig, f"{mode}_{ask.replace('-', '_')}", ask)
    if mode == "refuse" and ask in ("password", "md5"):
        assert SAYS[ask] in text and "server_weak_auth = refuse" in text and not was_sent
        assert text in rig.pooler.log_text()
    else:
        assert text is None


@pytest.mark.parametrize("mode", ["disable", "prefer", "require"])
@pytest.mark.parametrize("ask", ["none", "password", "md5", "scram-sha-256"])
def test_channel_binding_without_tls(rig, mode, ask):
    text, was_sent = outcome(rig, f"b_{mode}_{ask.replace('-', '_')}", ask)
    if mode == "require":
        assert text.startswith("channel binding required, but ") and not was_sent
    else:
        assert text is None


def test_the_defaults(rig):
    got = {row["key"]: row["value"] for row in rig.pooler.show("CONFIG")}
    assert got["server_weak_auth"] == "local" and got["server_channel_binding"] == "prefer" and not got["server_require_auth"]
