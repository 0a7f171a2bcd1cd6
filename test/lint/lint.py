#!/usr/bin/python3
"""The rules of the house that a machine can prove.

usage: lint.py [SOURCE_ROOT [BUILD_ROOT]]     (default: $top_srcdir, $top_builddir)

Sources say who includes whom and who calls what; the built objects say what is
exported and what is writable, so macros and typedefs can't hide anything.
One line for each finding, exit status 1 if there is any. Looking at nothing is
a finding too.
"""
import collections
import os
import re
import subprocess
import sys

RANK = {
    "base": 0,
    "net": 1, "proto": 1, "conf": 1, "stats": 1,
    "auth": 2, "query": 2,
    "server": 3,
    "pool": 4,
    "session": 5,
    "report": 6,
    "admin": 7, "http": 7,
    "app": 8,
}
MAX_LINES = 450

BANNED = "strcpy strcat sprintf vsprintf strtok alloca gets strncpy"
HEAP = ("malloc calloc realloc reallocarray free strdup strndup asprintf vasprintf "
        "aligned_alloc posix_memalign")

# Who may name threads beside app: locks, mailboxes, and the helper threads (net/resolve asks the DNS, net/lookup servers,
# net/errand the system).
THREADS = ("base/lock", "net/mailbox", "net/helper", "net/errand", "net/resolve", "net/lookup", "net/lookup_impl", "net/lookhelp")


def words(text):
    return "|".join(text.split())


# (pattern, who may, what to say). A call is a name followed by "(" that is not a member of something.
NAMES = [
    (re.compile(r"(?<![\w.>])(%s)\s*\(" % words(BANNED)), lambda f: False, "is banned"),
    (re.compile(r"(?<![\w.>])(%s)\s*\(" % words(HEAP)), lambda f: f.noun == "base/mem",
     "belongs to base/mem alone"),
    (re.compile(r"\b(pthread_\w+)"), lambda f: f.room == "app" or f.noun in THREADS,
     "belongs to app and to " + ", ".join(THREADS)),
    (re.compile(r"\b(ev_\w+)"), lambda f: f.room == "net", "belongs to net"),
    (re.compile(r"(?<![\w.>])(recv|recvfrom|recvmsg|send|sendto|sendmsg)\s*\("), lambda f: f.room == "net",
     "belongs to net"),
    (re.compile(r"\b(SSL_\w+)"), lambda f: f.room == "net", "belongs to net"),
    (re.compile(r"\b(PQ[a-z]\w+|PGconn|PGresult)\b"), lambda f: f.noun == "net/pqlink", "belongs to net/pqlink"),
    (re.compile(r"(?<![\w.>])((?:ldap|ber)_\w+)\s*\("), lambda f: f.noun == "net/ldaplink",
     "belongs to net/ldaplink"),
    (re.compile(r"(?<![\w.>])(pam_\w+)\s*\("), lambda f: f.noun == "net/pamlink", "belongs to net/pamlink"),
    (re.compile(r"(?<![\w.>])((?:stringprep|idn|idna|punycode)_\w+)"), lambda f: f.noun == "auth/saslprep",
     "belongs to auth/saslprep"),
    (re.compile(r"\b(io_uring_\w+)"), lambda f: f.room == "net", "belongs to net"),
]

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*"([^"]+)"', re.M)
INLINE = re.compile(r"^static\s+inline\b[^;{}()]*?\b(\w+)\s*\(", re.M)
TOKEN = re.compile(r"""//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'""", re.S)
POISON = re.compile(r"^[ \t]*#[ \t]*pragma[^\n]*", re.M)
# What the compiler adds to an instrumented object.
INSTRUMENT = re.compile(r"(^|_)(asan|ubsan|tsan)[._]|sancov|^\.L|^__gcov|^__llvm|^__prof|^__unnamed|^_GLOBAL__|^_sub_[ID]_")

Symbol = collections.namedtuple("Symbol", "name section exported function")


class File:
    def __init__(self, root, path):
        self.path = path  # src/room/noun.c
        parts = path.split("/")
        self.room = parts[1]
        self.base, self.ext = os.path.splitext(parts[-1])
        self.noun = self.room + "/" + self.base
        with open(os.path.join(root, path), encoding="utf-8") as f:
            self.text = f.read()
        self.lines = self.text.count("\n")
        self.no_comments = TOKEN.sub(keep_strings, self.text)
        self.code = POISON.sub("", TOKEN.sub(blank, self.text))

    def line_of(self, offset):
        return self.text.count("\n", 0, offset) + 1


def blank(match):
    return re.sub(r"[^\n]", " ", match.group())


def keep_strings(match):
    return match.group() if match.group()[0] == '"' else blank(match)


class Lint:
    def __init__(self, source, build, left_out=()):
        self.source, self.build, self.left_out = source, build, left_out
        self.findings = []
        self.functions = 0
        self.files = []

    def say(self, where, what):
        self.findings.append("%s: %s" % (where, what))

    def read_sources(self):
        src = os.path.join(self.source, "src")
        for folder, folders, names in os.walk(src):
            folders.sort()
            relative = os.path.relpath(folder, self.source)
            for name in sorted(names):
                path = relative + "/" + name
                if not name.endswith((".c", ".h", ".def")):
                    continue
                if relative.count("/") != 1 or relative.split("/")[1] not in RANK:
                    self.say(path, "is in no room (rooms: %s)" % " ".join(RANK))
                    continue
                self.files.append(File(self.source, path))
        if not any(f.ext == ".c" for f in self.files):
            self.say("src", "no C file found: nothing to look at")

    def check_arrows(self):
        for f in self.files:
            for match in INCLUDE.finditer(f.no_comments):
                where, target = "%s:%d" % (f.path, f.line_of(match.start())), match.group(1)
                room = target.split("/")[0]
                if target == "config.h" or room == f.room:
                    continue
                if "/" not in target or room not in RANK:
                    self.say(where, 'include "%s" names no room: includes are written relative to src/' % target)
                elif RANK[room] == RANK[f.room]:
                    self.say(where, "arrow: %s includes its sibling %s" % (f.room, room))
                elif RANK[room] > RANK[f.room]:
                    self.say(where, "arrow: %s includes %s, which is above it" % (f.room, room))

    def check_files(self):
        owner = {}
        for f in self.files:
            if f.lines > MAX_LINES:
                self.say(f.path, "%d lines, at most %d" % (f.lines, MAX_LINES))
            first = owner.setdefault(f.base, f)
            if first.room != f.room:
                self.say(f.path, "basename %s is taken by %s" % (f.base, first.path))

    def check_names(self):
        for f in self.files:
            for pattern, allowed, why in NAMES:
                for match in pattern.finditer(f.code):
                    if not allowed(f):
                        where = "%s:%d" % (f.path, f.line_of(match.start()))
                        self.say(where, "%s %s" % (match.group(1), why))
            if f.ext == ".h":
                noun = re.sub("_impl$", "", f.base)  # foo_impl.h is what the files of foo share
                for match in INLINE.finditer(f.code):
                    self.functions += 1
                    if not match.group(1).startswith(noun + "_"):
                        where = "%s:%d" % (f.path, f.line_of(match.start()))
                        self.say(where, "prefix: %s does not begin with %s_" % (match.group(1), noun))

    def objects_of(self, f):
        """Automake calls them noun.o, or target-noun.o where a target has its own flags."""
        folder = os.path.join(self.build, "src", f.room)
        if not os.path.isdir(folder):
            return []
        ends = "-" + f.base + ".o"
        return [os.path.join(folder, n) for n in sorted(os.listdir(folder)) if n == f.base + ".o" or n.endswith(ends)]

    def check_objects(self):
        listed = self.read_globals()
        seen = set()
        for f in self.files:
            if f.ext != ".c":
                continue
            objects = self.objects_of(f)
            if not objects and f.path not in self.left_out:
                self.say(f.path, "no object was built from it: is it in src/%s/Makefile.inc?" % f.room)
            for path in objects:
                for symbol in symbols(path):
                    self.check_symbol(f, symbol, listed, seen)
        for key in sorted(set(listed) - seen):
            self.say("src/GLOBALS:%d" % listed[key], "%s %s is no writable global any more" % key)
        if not self.functions:
            self.say("src", "no function found: nothing to look at")

    def check_symbol(self, f, symbol, listed, seen):
        if symbol.function:
            self.functions += 1
        if symbol.exported and not symbol.name.startswith(f.base + "_"):
            if f.noun != "app/main" or symbol.name != "main":
                self.say(f.path, "prefix: %s does not begin with %s_" % (symbol.name, f.base))
        if not symbol.function and is_writable(symbol.section):
            # A static inside a function: gcc says name.123, clang function.name.
            key = (f.path, re.sub(r"\.\d+$", "", symbol.name).split(".")[-1])
            seen.add(key)
            if key not in listed:
                self.say(f.path, "writable global %s (%s) is not in src/GLOBALS" % (key[1], symbol.section))

    def read_globals(self):
        listed = {}
        try:
            with open(os.path.join(self.source, "src/GLOBALS"), encoding="utf-8") as f:
                rows = f.read().splitlines()
        except OSError:
            self.say("src/GLOBALS", "is missing")
            return listed
        for number, row in enumerate(rows, 1):
            if not row.strip() or row.startswith("#"):
                continue
            fields = row.split(None, 2)
            if len(fields) < 3:
                self.say("src/GLOBALS:%d" % number, "wanted: file symbol why")
                continue
            listed[(fields[0], fields[1])] = number
        return listed

    def check_map(self):
        path = "src/README.md"
        try:
            with open(os.path.join(self.source, path), encoding="utf-8") as f:
                text = f.read()
        except OSError:
            self.say(path, "is missing")
            return
        named = 0
        for number, line in enumerate(text.splitlines(), 1):
            for name in re.findall(r"`(\w+)\(\)`", line):
                named += 1
                if not any(re.search(r"\b%s\s*\(" % name, f.code) for f in self.files):
                    self.say("%s:%d" % (path, number), "%s() does not exist" % name)
        if not named:
            self.say(path, "names no function (written `like_this()`): nothing to look at")

    def run(self):
        self.read_sources()
        self.check_arrows()
        self.check_files()
        self.check_names()
        self.check_objects()
        self.check_map()
        return self.findings


def symbols(path):
    """The defined symbols of an object, from objdump -t: value flags(7) section size name."""
    out = subprocess.run([os.environ.get("OBJDUMP") or "objdump", "-t", path], check=True,
                         stdout=subprocess.PIPE, universal_newlines=True).stdout
    for line in out.splitlines():
        match = re.match(r"[0-9a-f]{8,16} (.{7}) (\S+)\t[0-9a-f]+ +(?:\.hidden |\.internal |\.protected )?(\S+)$", line)
        if not match:
            continue
        flags, section, name = match.groups()
        if section in ("*UND*", "*ABS*") or "d" in flags or "f" in flags or INSTRUMENT.search(name):
            continue
        exported = flags[0] in "gu" or flags[1] == "w" or section == "*COM*"
        yield Symbol(name, section, exported, "F" in flags)


def is_writable(section):
    """.data.rel.ro is read-only once the program has started."""
    if section.startswith(".data.rel.ro"):
        return False
    return section == "*COM*" or re.match(r"\.(data|bss|tdata|tbss|sdata|sbss)\b", section) is not None


def main(argv):
    source = argv[1] if len(argv) > 1 else os.environ.get("top_srcdir", ".")
    build = argv[2] if len(argv) > 2 else os.environ.get("top_builddir", source)
    lint = Lint(source, build, os.environ.get("FX_LEFT_OUT", "").split())
    findings = lint.run()
    for finding in findings:
        print(finding)
    print("lint: %d files, %d functions, %d findings" % (len(lint.files), lint.functions, len(findings)))
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
