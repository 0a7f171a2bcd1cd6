"""One folder for everything that a run leaves on the disk. Whoever began the run removes it, whatever became of its workers.

Under FYNIX_TEST_TMP, else TMPDIR, else /tmp; kept when FYNIX_TEST_KEEP is set. Names are short: Unix sockets live below.
"""

import os
import shutil
import tempfile

from .owner import own

RUN = "FYNIX_TEST_RUN"


def _make(**kw):
    d = tempfile.mkdtemp(**kw)
    os.chmod(d, 0o755)  # an unprivileged user works below it
    own(d)
    return d


def begin(config):
    """For pytest_configure. A worker of pytest-xdist inherits the folder of the process that began the run."""
    if not hasattr(config, "workerinput"):
        os.environ[RUN] = _make(prefix="fx-", dir=os.environ.get("FYNIX_TEST_TMP"))


def end(config):
    """For pytest_unconfigure."""
    if hasattr(config, "workerinput") or RUN not in os.environ:
        return
    d = os.environ.pop(RUN)
    if os.environ.get("FYNIX_TEST_KEEP"):
        print("kept:", d)
    else:
        shutil.rmtree(d, ignore_errors=True)


def folder():
    """A new one, which is removed with all others."""
    return _make(prefix="", dir=os.environ[RUN])
