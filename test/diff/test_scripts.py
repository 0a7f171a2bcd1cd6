"""Every script, in every mode and split."""

import pytest

import compare
import language
import scripts

ALL = scripts.load_all()


@pytest.mark.parametrize("mode", language.MODES)
@pytest.mark.parametrize("script", ALL, ids=[s.name for s in ALL])
def test_script(world, by_mode, mode, script):
    if mode not in script.modes:
        # what a mode cannot do is in differences.tbl, by its name
        assert "only-" + "-".join(script.modes) in compare.table()
        return
    for split in scripts.splits_of(script):
        wrong = scripts.check(script, world.direct, by_mode(mode), split)
        assert wrong is None, "\n" + wrong


def test_there_are_scripts():
    assert len(ALL) >= 100


def test_every_difference_has_a_reason():
    """Rows of the table: complete, and all of them needed; what scripts refer to is in the table."""
    table = compare.table()
    assert all(all(row) for row in table.values())
    used = {ident for s in ALL for b in s.blocks for ident, _ in b.other.values()} | {n for s in ALL for n in s.normalise}
    used |= {"only-" + "-".join(s.modes) for s in ALL if s.modes != language.MODES} | compare.BUILT_IN
    assert used == set(table)


def test_every_block_expects_something():
    assert [s.name for s in ALL for b in s.blocks if not b.want and b is not s.blocks[-1]
            and "closed" not in sum((x.want for x in s.blocks), [])] == []
