"""Looking for bytes in the memory of a running process."""

import array
import os
import re

PIECE = 1 << 22
PAGE = os.sysconf("SC_PAGE_SIZE")
PRESENT = 3 << 62           # in memory, or swapped out


def mappings(pid):
    with open(f"/proc/{pid}/maps") as f:
        for line in f:
            m = re.match(r"([0-9a-f]+)-([0-9a-f]+) (\S+) \S+ \S+ \S+\s*(.*)", line)
            yield int(m[1], 16), int(m[2], 16), m[3], m[4]


def pieces(pagemap, begin, end):
    """The parts of a mapping that exist, as (begin, end)."""
    for at in range(begin, end, PIECE * 512):
        stop = min(end, at + PIECE * 512)
        pages = array.array("Q", os.pread(pagemap.fileno(), (stop - at) // PAGE * 8, at // PAGE * 8))
        start = None
        for i, entry in enumerate(pages):
            if entry & PRESENT and start is None:
                start = i
            elif not entry & PRESENT and start is not None:
                yield at + start * PAGE, at + i * PAGE
                start = None
        if start is not None:
            yield at + start * PAGE, stop


def find(pid, words):
    """(word, address, what lies around it) of each place where one of words (bytes) lies in what pid may write to."""
    found = []
    pattern = re.compile(b"|".join(re.escape(w) for w in words))
    overlap = max(map(len, words))
    with open(f"/proc/{pid}/mem", "rb", 0) as mem, open(f"/proc/{pid}/pagemap", "rb", 0) as pagemap:
        for begin, end, mode, name in mappings(pid):
            # the shadow of a sanitizer is larger than the machine, and holds no bytes of anybody
            if "w" not in mode or end - begin > 1 << 33 or name.startswith("[vv"):
                continue
            for at, stop in pieces(pagemap, begin, end):
                while at < stop:
                    try:
                        data = os.pread(mem.fileno(), min(PIECE, stop - at), at)
                    except OSError:
                        break
                    for m in pattern.finditer(data):
                        where = f"{at + m.start():x}{' ' + name if name else ''}"
                        found.append((m[0], where, data[max(0, m.start() - 80):m.end() + 40]))
                    if len(data) <= overlap:
                        break
                    at += len(data) - (overlap if at + len(data) < stop else 0)
    return found
