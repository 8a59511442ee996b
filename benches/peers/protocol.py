"""The worker protocol of Offprint's own runs (src/bench/worker.rs), for peers: a line that names the model, then requests;
JSON both ways. A clock stops only after a token has been read on the host.

A peer is a class with `load(place)`, `generate(ids, n)`, which yields token ids greedily, and `backend()`. It is given the
prompt's ids, so that all engines see the same.
"""

import json
import sys
import time


def serve(peer):
    def answer(**message):
        print(json.dumps(message), flush=True)

    place = json.loads(sys.stdin.readline())["place"]
    start = time.monotonic_ns()
    peer.load(place)
    answer(loaded={"load_ns": time.monotonic_ns() - start, "backend": peer.backend()})
    for line in sys.stdin:
        request = json.loads(line)
        ids, n = request["ids"], request["max_tokens"]
        tokens, times = [], []
        start = time.monotonic_ns()
        for token in peer.generate(ids, n):
            times.append(time.monotonic_ns() - start)
            tokens.append(token)
        answer(generated={"n_prompt": len(ids), "tokens": tokens, "token_times_ns": times})
