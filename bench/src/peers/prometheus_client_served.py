"""The Python client's HTTP server with so many series; with PROMETHEUS_MULTIPROC_DIR those of files."""

import os
import sys

from prometheus_client import REGISTRY, CollectorRegistry, Counter, multiprocess, start_http_server

for index in range(int(sys.argv[1])):
    if index % 1000 == 0:
        family = Counter(f"family_{index // 1000}", "Series of one process", ["shard"])
    family.labels(f"shard-{index}").inc()

registry = REGISTRY
if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
    registry = CollectorRegistry()
    multiprocess.MultiProcessCollector(registry)
server, _ = start_http_server(0, "127.0.0.1", registry)
print(f"127.0.0.1:{server.server_port}", flush=True)
sys.stdin.read()
