"""llama.cpp's own server out of the wheel `xllamacpp`, started as the program `llama-server` would be.

    start: [python3, adapters/llama_server.py, -m, "{gguf}", --port, "{port}"]

It is the same C++ server (`Server: llama.cpp`), compiled for AVX2 at most and without a build number. Needs `pip install xllamacpp`.
Arguments: -m FILE, --port N, -c POSITIONS (2048), -t THREADS (all), -np SLOTS (1). `--version` prints the wheel's.
"""

import argparse
import os
import signal
import sys
import threading
from importlib.metadata import version

parser = argparse.ArgumentParser(allow_abbrev=False)
parser.add_argument("-m")
parser.add_argument("--port", type=int)
parser.add_argument("-c", type=int, default=2048)
parser.add_argument("-t", type=int, default=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count())
parser.add_argument("-np", type=int, default=1)
parser.add_argument("--version", action="version", version="xllamacpp " + version("xllamacpp"))
given = parser.parse_args()
if given.m is None or given.port is None:
    parser.error("-m FILE and --port N are needed")

import xllamacpp

params = xllamacpp.CommonParams()
params.model.path = given.m
params.hostnames, params.port = ["127.0.0.1"], given.port
params.n_ctx, params.n_parallel = given.c * given.np, given.np
params.cpuparams.n_threads = params.cpuparams_batch.n_threads = given.t
server = xllamacpp.Server(params)
ended = threading.Event()
for name in (signal.SIGTERM, signal.SIGINT):
    signal.signal(name, lambda *_: ended.set())
ended.wait()
# Its threads do not end by themselves.
sys.stdout.flush()
os._exit(0)
