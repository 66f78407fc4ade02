"""Counts in one SQLite file: alone for the price of an update, then in processes that race."""

import json
import os
import sqlite3
import sys
import time

PATH, SYNCHRONOUS = sys.argv[1:3]
ALONE, PROCESSES, EACH = map(int, sys.argv[3:6])


def connect():
    # No implicit transactions: each update is one of its own, as each increment is.
    connection = sqlite3.connect(PATH, timeout=60, isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute(f"PRAGMA synchronous={SYNCHRONOUS}")
    return connection


def update(connection, times):
    for _ in range(times):
        connection.execute("UPDATE counts SET n = n + 1 WHERE name = 'bench'")


def value(connection):
    return connection.execute("SELECT n FROM counts WHERE name = 'bench'").fetchone()[0]


def race():
    """Seconds from the word to go until the last process has finished."""
    go_read, go_write = os.pipe()
    ready_read, ready_write = os.pipe()
    children = []
    for _ in range(PROCESSES):
        child = os.fork()
        if child == 0:
            os.close(go_write)
            connection = connect()
            os.write(ready_write, b".")
            os.read(go_read, 1)
            update(connection, EACH)
            os._exit(0)
        children.append(child)
    for _ in children:
        os.read(ready_read, 1)
    start = time.perf_counter()
    os.close(go_write)
    for child in children:
        os.waitpid(child, 0)
    return time.perf_counter() - start


connection = connect()
connection.execute("CREATE TABLE counts (name TEXT PRIMARY KEY, n INTEGER NOT NULL)")
connection.execute("INSERT INTO counts VALUES ('bench', 0)")
start = time.perf_counter_ns()
update(connection, ALONE)
update_ns = (time.perf_counter_ns() - start) / ALONE
before = value(connection)
# A connection must not be carried over a fork.
connection.close()

seconds = race() if SYNCHRONOUS == "NORMAL" else 0.0
kept = value(connect()) - before
print(json.dumps({"update_ns": update_ns, "kept": kept, "seconds": seconds}))
