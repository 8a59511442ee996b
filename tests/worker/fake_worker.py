"""A FAKE worker for tests: it speaks offprint.worker/1 and computes nothing, but it really waits, so that its times are true. What goes
wrong is told by its arguments."""

import json
import os
import sys
import threading
import time

modes = sys.argv[1:]


def clock():
    return time.clock_gettime_ns(time.CLOCK_MONOTONIC)


def say(kind, fields):
    print(json.dumps({kind: fields}), flush=True)


def generate(asked):
    n = asked["max_tokens"]
    start = clock()
    if "hangs" in modes and n > 4:
        time.sleep(1000)
    if "dies" in modes and n > 4:
        print("token 17: segmentation fault, as it were", file=sys.stderr, flush=True)
        os._exit(17)
    if "short" in modes:
        n -= 1
    seed = 0 if asked["sampling"]["temperature"] == 0 else asked["seed"]
    times = []
    for _ in range(n):
        time.sleep(0.001)
        times.append(clock() - start)
    made = {
        "id": asked["id"],
        "n_prompt": 0 if "no-prompt" in modes else len(asked["prompt"].split()),
        "tokens": None if "no-ids" in modes else [(seed + i) % 1000 for i in range(n)],
        "n_gen": n,
        "text": " ".join(str((seed + i) % 1000) for i in range(n)),
        "finish": "stop" if "stops" in modes else "length",
        "start_ns": start,
        "tokenize_ns": 0,
        "token_times_ns": times,
        "e2e_ns": clock() - start,
        "peak_memory_bytes": None,
    }
    if "early" in modes:
        made["start_ns"] -= 10**9
    if "late" in modes:
        made["start_ns"] += 10**9
    if "long" in modes:
        made["e2e_ns"] += 10**12
    if "backwards" in modes:
        made["token_times_ns"] = times[::-1]
    if "times" in modes:
        made["token_times_ns"] = times + [times[-1] + 1]
    if "other-id" in modes:
        made["id"] += 1
    if "more" in modes:
        made["surprise"] = 1
    if "noise" in modes:
        print("Fetching 7 files: 100%|####|", flush=True)
    if "flood" in modes:
        sys.stdout.write("x" * (100 << 20))
        sys.stdout.flush()
        time.sleep(1000)
    return made


def serve(asked):
    """Each request as soon as it is due and a place is free; `crowds` has places without end."""
    start, made = clock(), [None] * len(asked["requests"])
    places = threading.Semaphore(1000 if "crowds" in modes else asked["at_once"])
    queue, lock = iter(range(len(made))), threading.Lock()

    def work():
        while True:
            with lock:
                index = next(queue, None)
            if index is None:
                return
            while clock() - start < asked["due_ns"][index]:
                time.sleep(0.0005)
            with places:
                taken = clock() - start
                if "crowds" in modes:
                    time.sleep(0.03)
                one = generate(asked["requests"][index])
                times = [one["start_ns"] - start + time for time in one["token_times_ns"]]
            fields = ["n_prompt", "tokens", "n_gen", "finish"]
            made[index] = {name: one[name] for name in fields} | {"taken_ns": taken, "token_times_ns": times}

    threads = [threading.Thread(target=work) for _ in range(len(made) if "crowds" in modes else asked["at_once"])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return {"id": asked["id"], "start_ns": start, "requests": made}


if "exits" in modes:
    sys.exit("no such device")
if "banner" in modes:
    print("Welcome to the fake worker!", flush=True)
for line in sys.stdin:
    (kind, fields), = json.loads(line).items()
    if kind == "hello":
        can = {"exact_length": "bounds" not in modes, "seed": True, "token_ids": "no-ids" not in modes, "clock": "CLOCK_MONOTONIC"}
        can["serve"] = "serves" in modes or "crowds" in modes
        if "hangs-at-hello" in modes:
            time.sleep(15)
        if "realtime" in modes:
            can["clock"] = "CLOCK_REALTIME"
        if "own-clock" in modes:
            can["clock"] = None
        if "invents" in modes:
            can["clock"] = "invented"
        protocol = "offprint.worker/2" if "version" in modes else "offprint.worker/1"
        say("hello", {"protocol": protocol, "name": "fake-worker", "version": "1", "libraries": {}, "can": can})
    elif kind == "load":
        if "hangs-at-load" in modes:
            time.sleep(1000)
        time.sleep(0.02)
        if "broken" in modes:
            say("failed", {"id": None, "kind": "engine", "message": "the file is no model"})
        else:
            say("loaded", {"load_ns": 10**12 if "slow-load" in modes else 20_000_000, "backend": "fake-py"})
    elif kind == "generate":
        if fields["max_tokens"] < 1 or not fields["prompt"]:
            say("failed", {"id": fields["id"], "kind": "refused", "message": "expected a prompt and a token"})
        else:
            say("generated", generate(fields))
    elif kind == "serve":
        say("served", serve(fields))
    elif kind == "bye":
        if "ignores-bye" in modes:
            continue
        break
    else:
        say("failed", {"id": None, "kind": "unsupported", "message": f"no message {kind}"})
if "stays" in modes:
    time.sleep(1000)
