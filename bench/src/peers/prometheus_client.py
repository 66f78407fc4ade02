"""The Python client in multiprocess mode: single operations, scrapes by number of series, and scrapes
by number of dead processes. The first argument says which."""

import itertools
import json
import os
import signal
import statistics
import sys
import time

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest, multiprocess

FOLDER = os.environ["PROMETHEUS_MULTIPROC_DIR"]


def scrape_ns(rounds):
    def once():
        start = time.perf_counter_ns()
        registry = CollectorRegistry()
        multiprocess.MultiProcessCollector(registry)
        generate_latest(registry)
        return time.perf_counter_ns() - start

    return statistics.median(once() for _ in range(rounds))


def operations(arguments):
    """Nanoseconds of each operation, its share of the loop around it among them."""
    counted = json.loads(arguments[0])
    calls = counted["calls"]
    held = Counter("bench_increments", "Increments through a held handle")
    labelled = Counter("bench_jobs", "Increments through labels", ["queue", "outcome"])
    seconds = Histogram("bench_seconds", "Observations", buckets=counted["bounds"])
    shared = Gauge("bench_depth", "The last value counts", multiprocess_mode="mostrecent")
    own = Gauge("bench_in_flight", "The sum of the living", multiprocess_mode="livesum")
    labels = list(itertools.product(counted["queues"], counted["outcomes"]))

    def each(operation, inputs):
        def once():
            start = time.perf_counter_ns()
            for value in itertools.islice(itertools.cycle(inputs), calls):
                operation(value)
            return (time.perf_counter_ns() - start) / calls

        return statistics.median(once() for _ in range(5))

    def increment():
        start = time.perf_counter_ns()
        for _ in range(calls):
            held.inc()
        return (time.perf_counter_ns() - start) / calls

    return {
        "increment": statistics.median(increment() for _ in range(5)),
        "labels": each(lambda pair: labelled.labels(*pair).inc(), labels),
        "observe": each(seconds.observe, counted["values"]),
        "set_shared": each(shared.set, range(calls)),
        "set_own": each(own.set, range(calls)),
    }


def scrapes(arguments):
    """Nanoseconds of a scrape of so many series, for each number."""
    counter = Counter("bench_series", "Series of one process", ["shard"])
    answer, so_far = [], 0
    for series in map(int, arguments):
        for index in range(so_far, series):
            counter.labels(f"shard-{index}").inc()
        so_far = series
        answer.append(scrape_ns(5))
    return answer


def dead(arguments):
    """Time of a scrape, and what lies on the disk, after so many processes have died."""
    requests = Counter("bench_requests", "By code", ["code"])
    seconds = Histogram("bench_request_seconds", "Of a request", buckets=json.loads(arguments[0]))
    in_flight = Gauge("bench_in_flight", "The sum of the living", multiprocess_mode="livesum")

    def live():
        for code in ("200", "301", "404", "418", "500"):
            requests.labels(code).inc()
        seconds.observe(0.25)
        in_flight.set(1)

    def live_and_die(is_killed):
        child = os.fork()
        if child == 0:
            live()
            if is_killed:
                os.kill(os.getpid(), signal.SIGKILL)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if status != (signal.SIGKILL if is_killed else 0):
            sys.exit(f"a process with a short life ended with status {status}")
        # As `multiprocess.mark_process_dead` does, which looks through the whole folder for it: for
        # thousands of processes that alone takes minutes.
        os.remove(os.path.join(FOLDER, f"gauge_livesum_{child}.db"))

    live()
    answer, so_far = [], 0
    for count in map(int, arguments[1:]):
        for index in range(so_far, count):
            live_and_die(index % 2 == 1)
        so_far = count
        files = [entry.stat() for entry in os.scandir(FOLDER)]
        answer.append({
            "ns": scrape_ns(5 if count < 1000 else 3),
            "allocated": sum(file.st_blocks * 512 for file in [*files, os.stat(FOLDER)]),
            "apparent": sum(file.st_size for file in files),
            "files": len(files),
        })
    return answer


print(json.dumps(globals()[sys.argv[1]](sys.argv[2:])))
