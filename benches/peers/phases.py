"""Prompts and decoding of one sequence, by level of kernels and threads: this program's workers and llama-bench in turn.

    phases.py ROUNDS NAME THREADS OFFPRINT... -- LLAMA_BENCH LABEL=GGUF...

writes results/phases-NAME.jsonl: what was measured on, then a sample a line. An OFFPRINT is LABEL=PROGRAM, VARIABLE=VALUE after a comma
for its environment, PLACE=FOLDER among them for another model than SmolLM2; `FAMILY: LABEL` sets it beside those of that family. THREADS is
`2,1` or so. A sample is a fresh process with one request that is not
counted: prompts of 128 and of 512 tokens, and 128 tokens after a prompt of 128.
"""

import json
import os
import statistics
import subprocess
import sys

sys.dont_write_bytecode = True

import start
import table

PHASES = {"decode": "decode, tok/s", "prompt_128": "prompt of 128, tok/s", "prompt_512": "prompt of 512, tok/s"}


def worker(program, threads):
    path, *variables = program.split(",")
    variables = {"OFFPRINT_THREADS": str(threads)} | dict(word.split("=", 1) for word in variables)
    talk = start.Worker(path, variables, place=variables.pop("PLACE", None), threads=threads)
    text = (start.ROOT / "src/study/filler.txt").read_text("utf-8")
    ask = lambda id, **words: talk.ask("generated", {"generate": start.generate(id=id, prompt=text, **words)})["token_times_ns"]
    ask(1, prompt_tokens=128, max_tokens=8)
    times, long = ask(2, prompt_tokens=128, max_tokens=128), ask(3, prompt_tokens=512)
    talk.end()
    return {"decode": (len(times) - 1) / ((times[-1] - times[0]) / 1e9), "prompt_128": 128 / (times[0] / 1e9), "prompt_512": 512 / (long[0] / 1e9)}


def llama_bench(program, gguf, threads):
    command = [program, "-m", gguf, "-p", "128,512", "-n", "128", "-d", "0,128", "-r", "1", "-t", str(threads), "-o", "jsonl"]
    rows = map(json.loads, subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines())
    found = {(row["n_prompt"], row["n_gen"], row["n_depth"]): row["avg_ts"] for row in rows}
    return {"decode": found[0, 128, 128], "prompt_128": found[128, 0, 0], "prompt_512": found[512, 0, 0]}


def measure(rounds, name, threads, words):
    ours, (bench, *models) = words[: words.index("--")], words[words.index("--") + 1 :]
    programs = []
    for threads in map(int, threads.split(",")):
        said = f"{threads} thread{'s' if threads > 1 else ''}"
        for label, program in (word.split("=", 1) for word in ours):
            programs.append((f"{label}, {said}", lambda program=program, threads=threads: worker(program, threads)))
        for label, gguf in (word.split("=", 1) for word in models):
            programs.append((f"{label}, {said}", lambda gguf=gguf, threads=threads: llama_bench(bench, gguf, threads)))
    # Those of a family one after the other.
    programs.sort(key=lambda program: group(program[0]))
    start.in_turn(rounds, "phases", name, programs, {})
    print("\n".join(write(lambda path: path, name)))


def group(label):
    """What a contender is compared within: its family, and as many threads."""
    family, threads = label.split(": ")[0] if ": " in label else "", label.rsplit(", ", 1)[1]
    return family, -int(threads.split()[0])


def write(to, name):
    """Medians over rounds. In brackets: the first row of the family and of as many threads over this one, geometric mean and 95 % interval of the rounds."""
    about, of = start.load("phases", name)
    measured = start.where(to, "phases", name, about)
    lines = ["| measured | program | rounds | " + " | ".join(PHASES.values()) + " |", "|:--|:--|--:|" + "--:|" * len(PHASES)]
    first = None
    for label, found in of.items():
        if first is None or group(first) != group(label):
            first = label
        cells = [measured, label, str(len(found))]
        for phase in PHASES:
            rates = {round_: row[phase] for round_, row in found.items()}
            ratio = table.ratio({round_: row[phase] for round_, row in of[first].items()}, rates)
            cells.append(f"{statistics.median(rates.values()):.0f}" + (f" [{ratio}]" if label != first else ""))
        lines.append(f"| {' | '.join(cells)} |")
        measured = ""
    return lines


if __name__ == "__main__":
    if len(sys.argv) < 7 or "--" not in sys.argv:
        sys.exit(__doc__)
    measure(int(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4:])
