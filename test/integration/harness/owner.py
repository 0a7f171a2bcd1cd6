"""PostgreSQL and the pooler refuse or ought not to run as root: as root, run them as an unprivileged user."""

import os
import pwd


def _owner():
    if os.getuid() != 0:
        return None
    for name in (os.environ.get("FYNIX_TEST_USER"), "postgres", "nobody"):
        if name:
            try:
                return pwd.getpwnam(name)
            except KeyError:
                pass
    raise RuntimeError("running as root and no unprivileged user found")


OWNER = _owner()


def owner_name():
    return OWNER.pw_name if OWNER else pwd.getpwuid(os.getuid()).pw_name


def owner_run(argv):
    """argv, made to run as the owner."""
    argv = [str(a) for a in argv]
    if not OWNER:
        return argv
    return ["setpriv", f"--reuid={OWNER.pw_uid}", f"--regid={OWNER.pw_gid}", "--clear-groups", "--"] + argv


def own(path, recurse=False):
    if not OWNER:
        return
    os.chown(path, OWNER.pw_uid, OWNER.pw_gid)
    if recurse:
        for top, dirs, files in os.walk(path):
            for n in dirs + files:
                os.lchown(os.path.join(top, n), OWNER.pw_uid, OWNER.pw_gid)


def root_run(argv):
    """argv, made to run as root, or as what looks like it from inside."""
    return [str(a) for a in argv] if OWNER else ["unshare", "--map-root-user", "--"] + [str(a) for a in argv]
