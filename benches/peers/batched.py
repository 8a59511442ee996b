"""Several sequences at once: this program's workers and llama-batched-bench in turn, on the same prompt, tokens and threads.

    batched.py ROUNDS NAME OFFPRINT... -- LLAMA_BATCHED_BENCH LABEL=GGUF...

writes results/batched-NAME.jsonl: what was measured on, then a sample a line. An OFFPRINT is LABEL=PROGRAM, VARIABLE=VALUE after a comma
for its environment. A sample is a fresh process: for each size a request that is not counted, then one that is. Its rate is of the steps
that continued all sequences; llama-batched-bench's `speed_tg` is of its whole decoding, in which all are under way.
"""

import json
import os
import statistics
import subprocess
import sys

sys.dont_write_bytecode = True

import start
import table

SIZES = [1, 2, 4, 8, 16]
TOKENS = 64


def worker(program):
    """Size -> tokens a second of its full steps."""
    path, *variables = program.split(",")
    talk = start.Worker(path, dict(word.split("=", 1) for word in variables))
    found = {}
    for number, size in enumerate(SIZES):
        for counts in (False, True):
            tokens = TOKENS if counts else 4
            requests = [start.generate(id=each + 1, seed=each + 1, max_tokens=tokens) for each in range(size)]
            serve = {"id": 2 * number + counts + 1, "requests": requests, "due_ns": [0] * size, "at_once": size}
            served = talk.ask("served", {"serve": serve})
        if size == 1:
            times = served["requests"][0]["token_times_ns"]
            found[size] = (len(times) - 1) / ((times[-1] - times[0]) / 1e9)
        else:
            steps = served["steps"]
            full = [took for took, active in zip(steps["step_ns"], steps["active"]) if active == size]
            found[size] = size * len(full) / (sum(full) / 1e9)
    talk.end()
    return {"rates": found, "n_prompt": served["requests"][0]["n_prompt"]}


def batched_bench(program, gguf, n_prompt):
    sizes = ",".join(map(str, SIZES))
    command = [program, "-m", gguf, "-c", "8192", "-npp", str(n_prompt), "-ntg", str(TOKENS), "-npl", sizes, "-t", str(os.cpu_count())]
    said = subprocess.run([*command, "--output-format", "jsonl"], capture_output=True, text=True, check=True).stdout
    rows = [json.loads(line) for line in said.splitlines() if line.startswith("{")]
    return {"rates": {row["pl"]: row["speed_tg"] for row in rows}, "n_prompt": n_prompt}


def measure(rounds, name, words):
    ours, (bench, *models) = words[: words.index("--")], words[words.index("--") + 1 :]
    programs = [(label, lambda program=program: worker(program)) for label, program in (word.split("=", 1) for word in ours)]
    n_prompt = programs[0][1]()["n_prompt"]
    for label, gguf in (word.split("=", 1) for word in models):
        programs.append((label, lambda gguf=gguf: batched_bench(bench, gguf, n_prompt)))
    start.in_turn(rounds, "batched", name, programs, {"tokens": TOKENS})
    print("\n".join(write(lambda path: path, name)))


def write(to, name):
    """Medians over rounds; what is in brackets is the median of the ratios, within a round, to the first row's."""
    about, of = start.load("batched", name)
    first = next(iter(of))
    measured = start.where(to, "batched", name, about)
    lines = ["| measured | program | rounds | " + " | ".join(f"{size} at once, tok/s" for size in SIZES) + " |"]
    lines.append("|:--|:--|--:|" + "--:|" * len(SIZES))
    for label, found in of.items():
        cells = [measured, label, str(len(found))]
        for size in map(str, SIZES):
            rates = [row["rates"][size] for row in found.values()]
            ratio = statistics.median(row["rates"][size] / of[first][round_]["rates"][size] for round_, row in found.items())
            alone = statistics.median(row["rates"][size] / row["rates"]["1"] for row in found.values())
            said = f"; {ratio:.2f} of the first" if label != first else ""
            cells.append(f"{statistics.median(rates):.0f} ({alone:.2f} times one{said})")
        lines.append(f"| {' | '.join(cells)} |")
        measured = ""
    return lines


if __name__ == "__main__":
    if len(sys.argv) < 6 or "--" not in sys.argv:
        sys.exit(__doc__)
    measure(int(sys.argv[1]), sys.argv[2], sys.argv[3:])
