"""Samples taken on H100s -> tables. Medians of all runs counted; a ratio is of two medians, with a 95 % bootstrap interval over runs.

Runs of one process are not independent of each other, so the intervals are of these runs, not of further processes or hosts."""

import json
import random
import statistics

import table

OURS = {"offprint, MLX's own kernels": "stock", "offprint, qkv and gate_up joined": "joined", "offprint, cuda": "cuda"}
OURS |= {"ours/stock": "stock", "ours/cuda": "cuda", "stock": "stock", "qkv,gate_up": "joined", "cuda": "cuda"}
RESAMPLES = 1000


def load(name, job):
    """(model, prompt, contender) -> [(decode, prefill)], warm-ups left out."""
    _, *lines = (table.RESULTS / f"{name}.jsonl").read_text("utf-8").splitlines()
    found = {}
    for row in map(json.loads, lines):
        if "token_times_ns" in row:
            if row["job"] != job or row["rep"] == 0:
                continue
            rates, who, model = (table.decode(row), table.prefill(row)), row["contender"], row["model"]
        else:
            rates, who, model = (row["decode"], row["prefill"]), row.get("kernels", row["engine"]), row.get("model", "1b")
        found.setdefault((model, row["n_prompt"], OURS.get(who, who)), []).append(rates)
    return found


def ratio(ours, theirs):
    """Of medians, with the ends of its bootstrap interval."""
    draw = random.Random(20261126)
    again = lambda values: statistics.median(values[int(draw.random() * len(values))] for _ in values)
    spread = sorted(again(ours) / again(theirs) for _ in range(RESAMPLES))
    ends = spread[int(0.025 * RESAMPLES)], spread[int(0.975 * RESAMPLES) - 1]
    return f"{statistics.median(ours) / statistics.median(theirs):.2f} ({ends[0]:.2f} to {ends[1]:.2f})"


def write(to, name, job="1"):
    found = load(name, int(job))
    models = {"smollm2": "SmolLM2-135M", "1b": "1B shape, random weights", "8b": "8B shape, random weights"}
    models |= {"qwen3-0.6b": "Qwen3-0.6B shape, random weights", "qwen3-4b": "Qwen3-4B shape, random weights"}
    models |= {"qwen3-moe": "Qwen3-30B-A3B shape, 24 layers, random weights"}
    columns = [who for who in ("mlx-lm", "stock", "joined", "cuda") if any(key[2] == who for key in found)]
    lines = ["| model | prompt | runs | " + " | ".join(f"{who}, tok/s" for who in columns) + " | cuda : mlx-lm | cuda : stock | prefill, cuda : mlx-lm |"]
    lines += ["|:--|--:|--:|" + "--:|" * len(columns) + ":--|:--|:--|"]
    for model in models:
        shown = models[model]
        for prompt in sorted({key[1] for key in found if key[0] == model}):
            decode, prefill = ({who: [pair[i] for pair in found.get((model, prompt, who), [])] for who in columns} for i in (0, 1))
            against = lambda of, who: ratio(of["cuda"], of[who]) if of.get(who) else ""
            cells = [shown, str(prompt), str(len(decode["cuda"]))]
            cells += [f"{statistics.median(decode[who]):.0f}" if decode[who] else "" for who in columns]
            cells += [against(decode, "mlx-lm"), against(decode, "stock"), against(prefill, "mlx-lm")]
            lines.append("| " + " | ".join(cells) + " |")
            shown = ""
    return lines
