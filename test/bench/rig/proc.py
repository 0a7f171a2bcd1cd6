"""Processes of one run: started here, measured here, ended here, by pid and never by name."""
import ctypes
import os
import pwd
import resource
import signal
import subprocess
import time

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


class BenchError(Exception):
    """Something in this run is not as it must be; the text says what."""


def _die_with_parent():
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def raise_fd_limit(want):
    """As near to `want` open files as we may have; returns what it is now."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < want:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (want, max(hard, want)))
        except (ValueError, PermissionError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (min(want, hard), hard))
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


class Processes:
    """Starts programs (as an unprivileged user when called as root) and remembers every one of them."""

    def __init__(self):
        self.live = []
        self.user = None
        if os.geteuid() == 0:
            for name in ("postgres", "nobody"):
                try:
                    self.user = pwd.getpwnam(name)
                    break
                except KeyError:
                    pass
            else:
                raise BenchError("called as root, but there is neither a user postgres nor nobody")

    def identity(self):
        if self.user is None:
            return {}
        return {"user": self.user.pw_uid, "group": self.user.pw_gid, "extra_groups": []}

    def own(self, path):
        if self.user is not None:
            os.chown(path, self.user.pw_uid, self.user.pw_gid)

    def start(self, argv, unprivileged=False, **kw):
        if unprivileged:
            kw.update(self.identity())
        proc = subprocess.Popen(argv, preexec_fn=_die_with_parent, **kw)
        self.live.append(proc)
        return proc

    def run(self, argv, unprivileged=False, **kw):
        """Runs to the end; a status other than 0 is an error that shows the program's own words."""
        if unprivileged:
            kw.update(self.identity())
        done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **kw)
        if done.returncode != 0:
            raise BenchError("%s: status %d\n%s" % (" ".join(argv), done.returncode, done.stdout[-2000:]))
        return done.stdout

    def stop(self, proc, sig=signal.SIGTERM, grace=10):
        if proc.poll() is None:
            proc.send_signal(sig)
            proc.send_signal(signal.SIGCONT)    # it may be standing still
            try:
                proc.wait(grace)
            except subprocess.TimeoutExpired:
                proc.kill()
                proc.wait()
        if proc in self.live:
            self.live.remove(proc)

    def stop_all(self):
        for proc in reversed(self.live[:]):
            self.stop(proc, signal.SIGINT if getattr(proc, "is_postgres", False) else signal.SIGTERM)


def children(pid):
    try:
        with open("/proc/%d/task/%d/children" % (pid, pid)) as f:
            return [int(x) for x in f.read().split()]
    except FileNotFoundError:
        return []


def cpu_ns(pid):
    """CPU time of all threads of a process, ended ones included, in nanoseconds: the process's CPU clock, which is
    the sum that task/*/schedstat shows. A process that has gone counts 0."""
    try:
        return time.clock_gettime_ns((~pid << 3) | 2)
    except OSError:
        return 0


def cpu_tree_ns(pid):
    return cpu_ns(pid) + sum(cpu_tree_ns(child) for child in children(pid))


def stat_ticks(pid):
    """(utime, stime, cutime, cstime) in clock ticks."""
    try:
        with open("/proc/%d/stat" % pid) as f:
            fields = f.read().rpartition(")")[2].split()
        return tuple(int(x) for x in fields[11:15])
    except FileNotFoundError:
        return (0, 0, 0, 0)


def memory(pid):
    """Bytes of resident memory, all of it and the private part, exact (smaps_rollup walks the pages). Not Pss: the
    share in a common library changes when some other process ends."""
    out = {}
    with open("/proc/%d/smaps_rollup" % pid) as f:
        for line in f:
            name, _, rest = line.partition(":")
            if name in ("Rss", "Anonymous"):
                out[name] = int(rest.split()[0]) * 1024
    return out


def busy_ns():
    """CPU time that all processors of the machine have spent on anything (10 ms steps), steal time included."""
    with open("/proc/stat") as f:
        v = [int(x) for x in f.readline().split()[1:9]]
    user, nice, system, _idle, _iowait, irq, softirq, steal = v
    return (user + nice + system + irq + softirq + steal) * (10 ** 9 // os.sysconf("SC_CLK_TCK"))
