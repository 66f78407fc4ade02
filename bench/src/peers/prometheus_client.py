"""Counts in processes that die, and scrapes after each number of deaths given as an argument."""

import json
import os
import statistics
import sys
import time

from prometheus_client import CollectorRegistry, Counter, generate_latest, multiprocess

FOLDER = os.environ["PROMETHEUS_MULTIPROC_DIR"]
COUNTER = Counter("bench_dead_processes", "Processes that counted once and died")
CALLS = 100_000


def increment_ns():
    start = time.perf_counter_ns()
    for _ in range(CALLS):
        COUNTER.inc()
    return (time.perf_counter_ns() - start) / CALLS


def one_dead_process():
    child = os.fork()
    if child == 0:
        COUNTER.inc()
        os._exit(0)
    os.waitpid(child, 0)


def scrape_ns():
    start = time.perf_counter_ns()
    registry = CollectorRegistry()
    multiprocess.MultiProcessCollector(registry)
    generate_latest(registry)
    return time.perf_counter_ns() - start


def allocated():
    return sum(entry.stat().st_blocks * 512 for entry in os.scandir(FOLDER))


answer = {"inc_ns": statistics.median(increment_ns() for _ in range(5)), "scrapes": []}
so_far = 0
for dead in map(int, sys.argv[1:]):
    for _ in range(dead - so_far):
        one_dead_process()
    so_far = dead
    ns = statistics.median(scrape_ns() for _ in range(5))
    answer["scrapes"].append({"dead": dead, "ns": ns, "bytes": allocated()})
print(json.dumps(answer))
