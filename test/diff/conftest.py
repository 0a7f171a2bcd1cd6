"""One PostgreSQL and one pooler for each mode, for all tests of a process."""

import os
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import world as world_mod  # noqa: E402
from harness import pooler as pooler_mod  # noqa: E402


def pytest_configure(config):
    if not pooler_mod.BINARY or not os.access(pooler_mod.BINARY, os.X_OK):
        raise pytest.UsageError("set FYNIXPOOL to the pooler's binary")


@pytest.fixture(scope="session")
def world():
    w = world_mod.World()
    yield w
    problems = w.close()
    assert not problems, "\n".join(problems)


@pytest.fixture(scope="session")
def by_mode(world):
    made = {}

    def get(mode):
        if mode not in made:
            made[mode] = world.pool(mode, 50 if mode == "session" else 2, mode)
        return made[mode]
    return get
