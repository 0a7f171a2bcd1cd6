"""The first thing to run: does anything go through at all?"""

import pytest

pytestmark = pytest.mark.compat


def test_select_goes_through(pooler):
    p = pooler()
    with p.client() as c:
        assert c.value("SELECT 40 + 2") == "42"


def test_console_answers(pooler):
    p = pooler()
    assert p.show("VERSION")[0]["version"]


def test_psql_as_a_user_would(pooler):
    p = pooler()
    r = p.psql("-c", "SELECT current_database()")
    assert (r.returncode, r.stdout.strip()) == (0, "db0"), r
