"""A program that may not make an io_uring: as in a container that forbids it, or with too little memory to lock."""

# io_uring_setup has this number everywhere but on alpha; EPERM is what container engines answer
_SECCOMP = """
import ctypes, os, struct, sys
code = ((0x20, 0, 0, 0), (0x15, 0, 1, 425), (0x06, 0, 0, 0x00050001), (0x06, 0, 0, 0x7fff0000))
filter = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *c) for c in code))
program = ctypes.create_string_buffer(struct.pack("HP", len(code), ctypes.addressof(filter)))
prctl = ctypes.CDLL(None, use_errno=True).prctl
if prctl(38, 1, 0, 0, 0) or prctl(22, 2, program, 0, 0):
    sys.exit("no seccomp: " + os.strerror(ctypes.get_errno()))
os.execv(sys.argv[1], sys.argv[1:])
"""


def forbid_uring():
    """What to put before a command line (whose program has its whole path)."""
    return ["/usr/bin/python3", "-c", _SECCOMP]


def lock_at_most(size):
    """The same: so many bytes may be locked. What other processes of the user have locked counts."""
    return ["prlimit", f"--memlock={size}:{size}", "--"]
