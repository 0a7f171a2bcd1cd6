"""What the drivers in Python share: cases, many users at a time, one line of JSON for each case.

A case is a function of one user. All users run it at the same moment, each with connections of its own; what it gives must
be the same for all of them, and the same as against PostgreSQL directly.
"""

import asyncio
import base64
import datetime
import decimal
import functools
import inspect
import json
import os
import sys
import threading
import time
import traceback
import uuid

HOST = os.environ["CLIENT_HOST"]
PORT = int(os.environ["CLIENT_PORT"])
USER = os.environ["CLIENT_USER"]
PASSWORD = os.environ["CLIENT_PASSWORD"]
DATABASE = os.environ["CLIENT_DATABASE"]
MODE = os.environ["CLIENT_MODE"]
USERS = int(os.environ["CLIENT_USERS"])

CASES = {}


def case(f=None, session=False):
    """With session: needs one server for several transactions; clients.py asks for it in the other modes only."""
    if f is None:
        return functools.partial(case, session=session)
    CASES[f.__name__] = f
    return f


class Me:
    """One of the users: a number, and a name under which it owns rows in table items."""

    def __init__(self, client, name, number):
        self.number = number
        self.who = f"{client}/{name}/{MODE}/{number}"


def plain(x):
    """As JSON: the same value gives the same text in every run."""
    if isinstance(x, dict):
        return {str(k): plain(v) for k, v in x.items()}
    if isinstance(x, (list, tuple, set)):
        return [plain(v) for v in x]
    if isinstance(x, (bytes, bytearray, memoryview)):
        return "bytes:" + base64.b16encode(bytes(x)).decode()
    if isinstance(x, datetime.datetime) and x.tzinfo:
        return "datetime:" + x.astimezone(datetime.timezone.utc).isoformat()
    if isinstance(x, (decimal.Decimal, datetime.date, datetime.time, datetime.datetime, datetime.timedelta, uuid.UUID)):
        return type(x).__name__ + ":" + str(x)
    if isinstance(x, float) and x != x:
        return "NaN"
    if x is None or isinstance(x, (bool, int, float, str)):
        return x
    return type(x).__name__ + ":" + str(x)


def say(**what):
    print(json.dumps(what), flush=True)


def run_threads(client, name, f, users):
    values, errors = [None] * users, []
    together = threading.Barrier(users)

    def one(u):
        together.wait()
        try:
            values[u] = plain(f(Me(client, name, u)))
        except BaseException:
            errors.append(f"user {u}: {traceback.format_exc(limit=-6)}")

    threads = [threading.Thread(target=one, args=(u,), daemon=True) for u in range(users)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    return values, errors


def run_tasks(client, name, f, users):
    values, errors = [None] * users, []

    async def one(u):
        try:
            values[u] = plain(await f(Me(client, name, u)))
        except BaseException:
            errors.append(f"user {u}: {traceback.format_exc(limit=-6)}")

    async def all_of_them():
        await asyncio.gather(*[one(u) for u in range(users)])

    asyncio.run(all_of_them())
    return values, errors


def main(client, users=USERS):
    """The cases named in the arguments, in that order."""
    for name in sys.argv[1:]:
        say(start=name)
        began = time.monotonic()
        f = CASES[name]
        values, errors = (run_tasks if inspect.iscoroutinefunction(f) else run_threads)(client, name, f, users)
        if not errors and any(v != values[0] for v in values):
            u = [v != values[0] for v in values].index(True)
            errors.append(f"user 0 and user {u} have different values\n{values[0]!r}\n{values[u]!r}"[:3000])
        say(case=name, value=values[0], errors=errors, seconds=round(time.monotonic() - began, 2))


def same(got, want):
    if got != want:
        a, b = repr(got), repr(want)
        at = next((i for i, (x, y) in enumerate(zip(a, b)) if x != y), min(len(a), len(b)))
        at = max(0, at - 60)
        raise AssertionError(f"got {a[at:at + 200]}, not {b[at:at + 200]}" + (f" (from {at} on)" if at else ""))


def fails(kind, f, *a, **kw):
    """f must raise kind; gives the exception."""
    try:
        got = f(*a, **kw)
    except kind as e:
        return e
    raise AssertionError(f"gave {got!r} instead of {kind}")
