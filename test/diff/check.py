#!/usr/bin/python3
"""For `make check`: random scripts in all three modes, and a few lies that they must find.

FYNIX_DIFF_COUNT: how many scripts in all (10000). Needs PostgreSQL's server programs: without them it fails and says so.
"""

import argparse
import os
import shutil
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
SHARES = {"transaction": 0.5, "statement": 0.25, "session": 0.25}
LIES = ("a CommandComplete is lost", "a row comes twice", "a row is changed")


def lacks():
    """What is missing here, or None."""
    sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), "integration")]
    try:
        from harness.cluster import bindir
        bindir()
    except RuntimeError as e:
        return str(e)
    if os.getuid() == 0 and not shutil.which("setpriv"):
        return "setpriv is needed to start PostgreSQL as root"
    if not os.access(os.environ["FYNIXPOOL"], os.X_OK):
        return f"{os.environ['FYNIXPOOL']} is not there"
    return None


def main():
    sys.dont_write_bytecode = True
    built = os.path.join(os.environ.get("top_builddir", "."), "fynixpool")
    os.environ.setdefault("FYNIXPOOL", os.path.abspath(built))
    missing = lacks()
    if missing:
        print(f"the differential test cannot run: {missing}")
        return 1
    import many
    import sabotage
    from world import World
    count = int(os.environ.get("FYNIX_DIFF_COUNT", "10000"))
    bad = False
    world = World()
    try:
        for mode, share in SHARES.items():
            args = argparse.Namespace(mode=mode, count=max(1, int(count * share)), seed=0, sessions=6, servers=2, again=1, verbose=True,
                                      unnamed=False, max_failures=5)
            failures, told = many.run(world, args)
            print(told, flush=True)
            bad |= bool(failures) or args.done != args.count
        honest = world.pool("session", 50, "honest")
        for lie in (None,) + LIES:
            found, told = sabotage.failures_behind(world.direct, honest, lie, range(30))
            print(f"a relay between ({lie or 'no lie'}, {told} times): {len(found)} scripts fail")
            bad |= bool(found) != bool(lie)
    finally:
        problems = world.close()
    print("\n".join(problems))
    print("FAILED" if bad or problems else "passed")
    return int(bad or bool(problems))


if __name__ == "__main__":
    sys.exit(main())
