#!/usr/bin/python3
"""Counts what ran, for contrib/test: prints "PASSED FAILED" and, to stderr, the names of what failed.

usage: count.py check BUILD_ROOT     results that `make check` left there (.trs and .log)
       count.py pytest JUNIT.xml

A program of unit tests counts as many as it says it checked, any other test as one. What was skipped counts as
failed: nothing may be left out without being seen.
"""
import os
import re
import sys
import xml.etree.ElementTree

CHECKS = re.compile(r"^\d+%: Checks: (\d+), Failures: (\d+), Errors: (\d+)$", re.M)


def read(path):
    with open(path, encoding="utf-8", errors="replace") as f:
        return f.read()


def count_check(root):
    passed = failed = 0
    for folder, _, names in sorted(os.walk(os.path.join(root, "test"))):
        for name in sorted(names):
            if not name.endswith(".trs"):
                continue
            path = os.path.join(folder, name)
            good = ":global-test-result: PASS" in read(path)
            log = path[:-4] + ".log"
            runs = [tuple(map(int, run)) for run in CHECKS.findall(read(log))] if os.path.exists(log) else []
            bad = sum(failures + errors for _, failures, errors in runs)
            all_checks = sum(checks for checks, _, _ in runs)
            if runs and all_checks == 0:
                print("%s checked nothing" % path, file=sys.stderr)
                failed += 1
                continue
            if not good and bad == 0:
                bad, all_checks = 1, all_checks + 1  # died, leaked or failed in another way
            if bad:
                print("%s: %d failed" % (log, bad), file=sys.stderr)
            passed += (all_checks or 1) - bad
            failed += bad
    return passed, failed


def count_pytest(path):
    passed = failed = 0
    if not os.path.exists(path):
        print("pytest left no results: it did not start, or was cut short", file=sys.stderr)
        return 0, 1
    for case in xml.etree.ElementTree.parse(path).getroot().iter("testcase"):
        bad = [tag for tag in ("failure", "error", "skipped") if case.find(tag) is not None]
        if bad:
            print("%s %s::%s" % (bad[0], case.get("classname"), case.get("name")), file=sys.stderr)
            failed += 1
        else:
            passed += 1
    return passed, failed


def main(argv):
    if len(argv) != 3 or argv[1] not in ("check", "pytest"):
        print(__doc__, file=sys.stderr)
        return 2
    print("%d %d" % (count_check if argv[1] == "check" else count_pytest)(argv[2]))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
