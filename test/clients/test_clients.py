"""Every case of every client: against PostgreSQL itself, and through the pooler with the same outcome."""

import os

import pytest

import clients

MODES = ("direct", "transaction", "session")
ONLY = os.environ.get("FYNIX_CLIENTS_MODES")


def every():
    for client in clients.SOURCES:
        if not os.path.exists(clients.source(client)):
            continue
        for mode in ONLY.split(",") if ONLY else MODES:
            for name in clients.cases(client, mode):
                yield pytest.param(client, mode, name, id=f"{client}-{mode}-{name}")


@pytest.mark.parametrize("client,mode,name", every())
def test_client(outcomes, client, mode, name):
    got = outcomes(client, mode).get(name)
    assert got is not None, "the program did not come to this case"
    print(f"{got.seconds} s")
    if got.errors:
        pytest.fail(got.errors[0] + f"\n({len(got.errors)} of the users)", pytrace=False)
    if mode != "direct":
        want = outcomes(client, "direct").get(name)
        assert want is not None and not want.errors, "fails against PostgreSQL itself"
        assert got.value == want.value
