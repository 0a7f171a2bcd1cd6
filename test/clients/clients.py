"""The clients: how each one's program is made and run, and which cases it has.

A program gets the names of cases as arguments and prints two lines of JSON for each: {"start": case}, and in the end
{"case": case, "value": ..., "errors": [...], "seconds": ...}.
"""

import json
import os
import re
import select
import shutil
import signal
import subprocess
import time

HERE = os.path.dirname(os.path.abspath(__file__))
PYTHON = "/usr/bin/python3"
SILENCE = float(os.environ.get("FYNIX_CLIENTS_SILENCE", "40"))  # seconds in which a program must finish a case

# client: file of its cases, how a case looks in it
SOURCES = {
    "psql": "drivers/psql.py",
    "pgbench": "drivers/pgbench.py",
    "psycopg3": "drivers/psycopg3.py",
    "psycopg2": "drivers/psycopg2_.py",
    "asyncpg": "drivers/asyncpg_.py",
    "node-postgres": "node/node-postgres.mjs",
    "postgres.js": "node/postgres-js.mjs",
    "jdbc": "java/Jdbc.java",
}
LOOKS = {
    ".py": re.compile(r"^@case(\(session=True\))?\n(?:async )?def (\w+)\(", re.M),
    ".mjs": re.compile(r"^(session)?Case\('(\w+)'", re.M),
    ".java": re.compile(r"^\t@Case(\(session = true\))?\n\tstatic \w+ (\w+)\(", re.M),
}


def source(client):
    return os.path.join(HERE, SOURCES[client])


def cases(client, mode):
    """Names, in the order of the file. Those that need a session are none of transaction mode's."""
    path = source(client)
    with open(path, encoding="utf-8") as f:
        found = LOOKS[os.path.splitext(path)[1]].findall(f.read())
    return [name for session, name in found if mode != "transaction" or not session]


# ---- making them ----

def made(argv, cwd):
    r = subprocess.run(argv, cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=300)
    if r.returncode:
        raise RuntimeError(f"{argv[0]} failed with {r.returncode}:\n{r.stdout[-4000:]}")


def prepare_node(top):
    d = top + "/node"
    if not os.path.exists(d + "/node_modules/.package-lock.json"):
        shutil.copytree(HERE + "/node", d, dirs_exist_ok=True)
        made(["npm", "ci", "--no-audit", "--no-fund", "--no-update-notifier", "--ignore-scripts", "--prefer-offline", "--logs-max=0"], d)
    return d


def prepare_java(top):
    jar = os.environ.get("JDBC_JAR", "/usr/share/java/postgresql.jar")
    if not os.path.exists(jar):
        raise RuntimeError(f"{jar}: not there (Debian's libpostgresql-jdbc-java)")
    d = top + "/java"
    os.makedirs(d, exist_ok=True)
    made(["javac", "-J-XX:-UsePerfData", "-Xlint:all,-try,-serial", "-Werror", "-cp", jar, "-d", d, source("jdbc")], HERE)
    return ["java", "-XX:-UsePerfData", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xshare:auto", "-Xmx512m", "-cp", f"{d}:{jar}", "Jdbc"]


def command(client, top):
    """What to run, without the names of cases."""
    path = source(client)
    if path.endswith(".py"):
        return [PYTHON, path]
    if path.endswith(".mjs"):
        return ["node", os.path.join(prepare_node(top), os.path.basename(path))]
    return prepare_java(top)


# ---- running them ----

class Outcome:
    def __init__(self, value=None, errors=(), seconds=0):
        self.value, self.errors, self.seconds = value, list(errors), seconds


def run_some(argv, names, env, outcomes):
    """One process, until its end or until it is silent for too long. Gives the name of the case that it died of, or None."""
    p = subprocess.Popen(argv + names, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                         start_new_session=True)
    out = {p.stdout: b"", p.stderr: b""}
    open_ = [p.stdout, p.stderr]
    running, why = None, None
    heard = time.monotonic()
    while open_:
        ready, _, _ = select.select(open_, [], [], 1)
        for f in ready:
            data = os.read(f.fileno(), 65536)
            if not data:
                open_.remove(f)
            out[f] += data
            if f is not p.stdout:
                continue
            while b"\n" in out[f]:
                line, out[f] = out[f].split(b"\n", 1)
                heard = time.monotonic()
                said = json.loads(line)
                if "start" in said:
                    running = said["start"]
                else:
                    outcomes[said["case"]] = Outcome(said["value"], said["errors"], said["seconds"])
                    running = None
        if time.monotonic() > heard + SILENCE:
            why = f"nothing was heard for {SILENCE:.0f} s: it hangs"
            os.killpg(p.pid, signal.SIGKILL)
            break
    if why is None:
        try:
            p.wait(20)
        except subprocess.TimeoutExpired:
            why = "does not end"
    if p.poll() is None:
        os.killpg(p.pid, signal.SIGKILL)
    p.wait()
    for f in (p.stdout, p.stderr):
        f.close()
    if running is None and (p.returncode or why):
        missing = [n for n in names if n not in outcomes]
        running = missing[0] if missing else names[-1]
    if running is not None:
        outcomes[running] = Outcome(None, [f"{why or f'the program ended with {p.returncode}'}\n" +
                                           out[p.stderr].decode(errors="replace")[-3000:]])
    return running


def run(client, argv, mode, target, users):
    """All its cases in one mode; {case: Outcome}. A case that kills the program costs only itself."""
    env = {k: v for k, v in os.environ.items() if not k.startswith("PG") or k == "PG_BINDIR"}
    env.update({f"CLIENT_{k.upper()}": str(v) for k, v in target.items()}, CLIENT_MODE=mode, CLIENT_USERS=str(users),
               LC_ALL="C.UTF-8", TZ="UTC", PYTHONDONTWRITEBYTECODE="1")
    outcomes = {}
    left = cases(client, mode)
    while left:
        died = run_some(argv, left, env, outcomes)
        if died is None:
            break
        left = left[left.index(died) + 1:]
    return outcomes
