"""server_protocol = 3.0: nothing newer is asked for."""

import struct

import pytest

from fakepg import PARAMETERS, Hanging, auth, fatal, key_bytes, key_data, negotiate, ready
from harness.wire import Client, PgError, q

CONF = dict(server_protocol="3.0")


@pytest.mark.parametrize("proto", [0x30000, 0x30002], ids=["client30", "client32"])
@pytest.mark.parametrize("size", [4, 32])
def test_asks_for_3_0(rig, size, proto):
    """A key that is longer than 3.0 allows is used all the same."""
    db, h = f"k{size}_{proto}", Hanging(rig, size)
    rig.fake.scripts[db] = h.script
    c = Client(rig.pooler.addr, "app", db, proto=proto, timeout=20)
    c.send(q("SELECT hang"))
    assert h.hangs.wait(10)
    c.cancel()
    assert c.result().error["C"] == "57014"
    assert rig.fake.cancels == [struct.pack("!I", 4711) + key_bytes(size)]
    assert [p.protocol for p in rig.fake.peers[db]] == [0x30000]
    rig.fake.on_cancel = None
    c.quit()


def test_negotiation_that_nobody_asked_for(rig):
    rig.fake.scripts["v"] = lambda p: p.send(negotiate(), auth(0), PARAMETERS, key_data(), ready())
    with pytest.raises(PgError) as e:
        Client(rig.pooler.addr, "app", "v", timeout=20)
    assert "protocol version" in str(e.value)


def test_refusal_is_an_error(rig):
    rig.fake.scripts["r"] = lambda p: p.send(fatal("0A000", "unsupported frontend protocol"))
    with pytest.raises(PgError) as e:
        Client(rig.pooler.addr, "app", "r", timeout=20)
    assert "unsupported frontend protocol" in str(e.value)
    assert {p.protocol for p in rig.fake.peers["r"]} == {0x30000}
