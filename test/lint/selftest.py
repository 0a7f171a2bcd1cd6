#!/usr/bin/python3
"""Shows every rule of lint.py failing: a small good house, spoiled in one way at a time."""
import os
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True
import lint  # noqa: E402

GOOD = {
    "src/README.md": "The way of a byte: `frame_next()`, then `lease_ask()`.\n",
    "src/GLOBALS": "# file symbol why\nsrc/base/mem.c mem_counts the heap's counters\n",
    "src/base/mem.h": "void *mem_alloc(unsigned long n);\n",
    "src/base/mem.c": '#include "base/mem.h"\n#include <stdlib.h>\nstatic int mem_counts;\n'
                      "void *mem_alloc(unsigned long n) { mem_counts++; return malloc(n); }\n",
    "src/proto/frame.h": "static inline int frame_size(void) { return 5; }\nint frame_next(int n);\n",
    "src/proto/frame.c": '#include "proto/frame.h"\n'
                         '/* strcpy( in a comment */ static const char *const frame_names[] = {"free(", "ev_x"};\n'
                         "int frame_next(int n) { return frame_names[n & 1][0] + frame_size(); }\n",
    "src/pool/lease.c": '#include "base/mem.h"\n#include "proto/frame.h"\n'
                        "struct ops { void (*send)(int); };\n"
                        "void lease_ask(struct ops *o);\n"
                        "void lease_ask(struct ops *o) { o->send(frame_next(1)); }\n",
    "src/app/main.c": "int main(void) { return 0; }\n",
}

# what is wrong: (files changed, added or with None removed; what lint must say)
BAD = {
    "a room includes one above it": (
        {"src/base/up.c": '#include "proto/frame.h"\nint up_x(void);\nint up_x(void) { return frame_next(1); }\n'},
        "src/base/up.c:1: arrow: base includes proto, which is above it"),
    "a room includes its sibling": (
        {"src/conf/opt.c": '#include "proto/frame.h"\nint opt_x(void);\nint opt_x(void) { return frame_next(1); }\n'},
        "src/conf/opt.c:1: arrow: conf includes its sibling proto"),
    "an include that names no room": (
        {"src/proto/frame.c": '#include "frame.h"\nint frame_next(int n) { return n + frame_size(); }\n'},
        'include "frame.h" names no room'),
    "a file outside the rooms": ({"src/misc/util.c": "int util_x;\n"}, "src/misc/util.c: is in no room"),
    "an exported function without the prefix": (
        {"src/pool/queue.c": "int take(void);\nint take(void) { return 1; }\n"},
        "src/pool/queue.c: prefix: take does not begin with queue_"),
    "an exported table without the prefix": (
        {"src/pool/queue.c": "extern const int limits[2];\nconst int limits[2] = {1, 2};\n"},
        "src/pool/queue.c: prefix: limits does not begin with queue_"),
    "an inline function without the prefix": (
        {"src/pool/queue.h": "static inline int take(void)\n{\n\treturn 1;\n}\n"},
        "src/pool/queue.h:1: prefix: take does not begin with queue_"),
    "two files of one name": ({"src/server/frame.c": "int frame_z(void);\nint frame_z(void) { return 1; }\n"},
                              "basename frame is taken by"),
    "a writable global": ({"src/pool/queue.c": "static int queue_n;\nint queue_x(void);\n"
                                               "int queue_x(void) { return ++queue_n; }\n"},
                          "src/pool/queue.c: writable global queue_n (.bss) is not in src/GLOBALS"),
    "a writable static inside a function": (
        {"src/pool/queue.c": "int queue_x(void);\nint queue_x(void) { static int n = 3; return ++n; }\n"},
        "src/pool/queue.c: writable global n (.data) is not in src/GLOBALS"),
    "a writable global of a thread": (
        {"src/pool/queue.c": "static _Thread_local int queue_n;\nint queue_x(void);\n"
                             "int queue_x(void) { return ++queue_n; }\n"},
        "src/pool/queue.c: writable global queue_n (.tbss) is not in src/GLOBALS"),
    "a listed global that is gone": (
        {"src/GLOBALS": "src/base/mem.c mem_counts why\nsrc/base/mem.c mem_gone why\n"},
        "src/GLOBALS:2: src/base/mem.c mem_gone is no writable global any more"),
    "a listed global without a reason": ({"src/GLOBALS": "src/base/mem.c mem_counts\n"},
                                         "src/GLOBALS:1: wanted: file symbol why"),
    "no list of globals": ({"src/GLOBALS": None}, "src/GLOBALS: is missing"),
    "the heap outside base/mem": (
        {"src/pool/queue.c": "#include <stdlib.h>\nvoid queue_x(void *p);\nvoid queue_x(void *p) { free(p); }\n"},
        "src/pool/queue.c:3: free belongs to base/mem alone"),
    "threads outside their rooms": (
        {"src/pool/queue.c": "#include <pthread.h>\nvoid queue_x(pthread_mutex_t *m);\n"
                             "void queue_x(pthread_mutex_t *m) { (void)m; }\n"},
        "src/pool/queue.c:2: pthread_mutex_t belongs to app and to base/lock, net/mailbox"),
    "libev outside net": ({"src/pool/queue.c": "struct ev_loop;\nvoid queue_x(struct ev_loop *l);\n"
                                               "void queue_x(struct ev_loop *l) { (void)l; }\n"},
                          "src/pool/queue.c:1: ev_loop belongs to net"),
    "sockets outside net": ({"src/pool/queue.c": "#include <sys/socket.h>\nint queue_x(void);\n"
                                                 "int queue_x(void) { return (int)send(1, \"\", 0, 0); }\n"},
                            "src/pool/queue.c:3: send belongs to net"),
    "TLS outside net": ({"src/auth/tls.c": "struct SSL_x;\nvoid tls_x(struct SSL_x *l);\n"
                                           "void tls_x(struct SSL_x *l) { (void)l; }\n"},
                        "src/auth/tls.c:1: SSL_x belongs to net"),
    "libpq outside its file": ({"src/net/helper.c": "struct pg_conn;\nvoid helper_x(struct pg_conn *c);\n"
                                                   "void PQfinish(struct pg_conn *c);\n"
                                                   "void helper_x(struct pg_conn *c) { PQfinish(c); }\n"},
                               "src/net/helper.c:3: PQfinish belongs to net/pqlink"),
    "OpenLDAP outside its file": ({"src/net/helper.c": "void helper_x(void);\nint ldap_unbind(void *);\n"
                                                       "void helper_x(void) { ldap_unbind(0); }\n"},
                                  "src/net/helper.c:3: ldap_unbind belongs to net/ldaplink"),
    "PAM outside its file": ({"src/app/helper.c": "void helper_x(void);\nint pam_end(void *, int);\n"
                                                  "void helper_x(void) { pam_end(0, 0); }\n"},
                             "src/app/helper.c:3: pam_end belongs to net/pamlink"),
    "libidn outside its file": ({"src/auth/helper.c": "void helper_x(void);\nvoid idn_free(void *);\n"
                                                      "void helper_x(void) { idn_free(0); }\n"},
                                "src/auth/helper.c:3: idn_free belongs to auth/saslprep"),
    "io_uring outside net": ({"src/pool/queue.h": "struct io_uring_sqe;\n"},
                             "src/pool/queue.h:1: io_uring_sqe belongs to net"),
    "a map that names what is not": ({"src/README.md": "`frame_next()` and\n`frame_gone()`\n"},
                                     "src/README.md:2: frame_gone() does not exist"),
    "a map that names nothing": ({"src/README.md": "# Rooms\n"}, "src/README.md: names no function"),
    "no map": ({"src/README.md": None}, "src/README.md: is missing"),
    "a file that is too long": ({"src/pool/queue.h": "/* x */\n" * 451}, "src/pool/queue.h: 451 lines, at most 450"),
    "a source that is not built": ({"src/pool/queue.c": "int queue_x;\n", "NO_OBJECT": "src/pool/queue.c"},
                                   "src/pool/queue.c: no object was built from it"),
    "no source at all": ({name: None for name in GOOD if name.endswith((".c", ".h"))},
                         "no C file found: nothing to look at"),
    "no function at all": ({name: None if name.endswith((".c", ".h")) and name != "src/pool/lease.c" else text
                            for name, text in dict(GOOD, **{"src/pool/lease.c": "extern int lease_x;\n"}).items()},
                           "no function found: nothing to look at"),
}
for name in lint.BANNED.split():
    BAD["banned: " + name] = (
        {"src/pool/queue.h": "/* ok: %s() */\n#define queue_x(a, b) %s(a, b)\n" % (name, name)},
        "src/pool/queue.h:2: %s is banned" % name)


def build(root, files):
    for path, text in files.items():
        full = os.path.join(root, path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "w", encoding="utf-8") as f:
            f.write(text)
    skip = files.get("NO_OBJECT")
    compiler = (os.environ.get("CC") or "cc").split()
    for path in files:
        if path.endswith(".c") and path != skip:
            full = os.path.join(root, path)
            subprocess.run(compiler + ["-fPIE", "-I", os.path.join(root, "src"), "-c", full, "-o", full[:-2] + ".o"],
                           check=True)


def findings_of(files, left_out=()):
    root = tempfile.mkdtemp(prefix="fynixpool-lint-")
    try:
        build(root, files)
        return lint.Lint(root, root, left_out).run()
    finally:
        shutil.rmtree(root)


def main():
    failed = 0
    found = findings_of(GOOD)
    if found:
        failed += 1
        print("FAIL: the good house is not found good:", *found, sep="\n\t")
    found = findings_of(dict(GOOD, **{"src/pool/queue.c": "int queue_x;\n", "NO_OBJECT": "src/pool/queue.c"}),
                        ["src/pool/queue.c"])
    if found:
        failed += 1
        print("FAIL: a source that this build leaves out:", *found, sep="\n\t")
    for title, (changes, wanted) in BAD.items():
        files = {path: text for path, text in dict(GOOD, **changes).items() if text is not None}
        found = findings_of(files)
        if not any(wanted in finding for finding in found):
            failed += 1
            print("FAIL: %s: wanted '%s', got:" % (title, wanted), *found, sep="\n\t")
    print("lint self-test: %d cases, %d failed" % (len(BAD) + 2, failed))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
