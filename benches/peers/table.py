"""Raw samples -> the table: medians, and ratios with an interval. `table.py NAME` writes results/NAME.md again.

Definitions as in docs/METHODOLOGY.md: prefill is n_prompt / ttft (one decoded token is in it), decode (n - 1) / (last - first).
A ratio is taken within a round, offprint to peer on as many threads; what is stated is the geometric mean of the rounds' ratios
with a 95 % t interval (of their logarithms, n - 1)."""

import json
import math
import statistics
import sys
from pathlib import Path

# Student's t, 97.5 %, by degrees of freedom.
T = [12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131]
T += [2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045]


def ttft(row):
    return row["token_times_ns"][0] / 1e9


def prefill(row):
    return row["n_prompt"] / ttft(row)


def decode(row):
    times = row["token_times_ns"]
    return (len(times) - 1) / ((times[-1] - times[0]) / 1e9)


def rates(row):
    return f"prefill {prefill(row):.1f}, decode {decode(row):.1f} tokens a second"


def interval(ours, theirs):
    """Paired by round: geometric mean and the ends of its 95 % interval. None without a common round; of one, no ends."""
    logs = [math.log(ours[k] / theirs[k]) for k in sorted(ours.keys() & theirs.keys())]
    if not logs:
        return None
    mean = statistics.mean(logs)
    if len(logs) == 1:
        return math.exp(mean), None, None
    half = T[min(len(logs) - 2, len(T) - 1)] * statistics.stdev(logs) / math.sqrt(len(logs))
    return math.exp(mean), math.exp(mean - half), math.exp(mean + half)


def said(of):
    """An interval as text."""
    if of is None:
        return "-"
    mean, low, high = of
    return f"{mean:.2f}" if low is None else f"{mean:.2f} ({low:.2f} to {high:.2f})"


def ratio(ours, theirs):
    return said(interval(ours, theirs))


def values(rows, key, case, of):
    """`of` each sample of a (threads, contender) after a prompt of `case` tokens, by round."""
    chosen = [row for row in rows if (row["threads"], row["contender"]) == key and row["n_prompt"] == case]
    return {row["round"]: of(row) for row in chosen}


def contenders(rows):
    """(threads, contender): most threads first, ours first, MLX's own last of its threads."""
    return sorted({(row["threads"], row["contender"]) for row in rows}, key=lambda key: (-key[0], order(key[1])))


def to_the_loop(about, rows, threads, case):
    """Weights that our decoding read, to what a loop read in the same round: an interval."""
    read = {row["round"]: row["bytes_per_second"] for row in about["bandwidth"] if row["threads"] == threads}
    return interval(values(rows, (threads, "offprint"), case, lambda row: decode(row) * about["bytes_a_token"]), read)


def bandwidth(about, rows, case):
    """Cells: threads, medians of what a loop read and of what our decoding did, and their ratio paired by round."""
    for threads in sorted({row["threads"] for row in about["bandwidth"]}, reverse=True):
        loop = statistics.median(row["bytes_per_second"] for row in about["bandwidth"] if row["threads"] == threads)
        ours = median(values(rows, (threads, "offprint"), case, decode)) * about["bytes_a_token"]
        yield str(threads), f"{loop / 1e9:.1f}", f"{ours / 1e9:.1f}", said(to_the_loop(about, rows, threads, case))


def identity(about):
    """What tells the processor from others of its name. Older files lack it; what is known of those was noted by hand, and says so."""
    told = about["machine"].get("identity")
    if told:
        return ", ".join(f"{name} {value}" for name, value in told.items())
    noted = about.get("noted_by_hand", {}).get("generation")
    return "family, model, stepping: not recorded" + (f"; {noted}, noted by hand" if noted else "")


def label(about):
    """One run of the bench in few words: when, on which processor, and what sets it apart."""
    told = about["machine"].get("identity")
    noted = about.get("noted_by_hand", {}).get("generation")
    which = identity(about) if told else f"{noted}, noted by hand" if noted else "generation not noted"
    name = about["machine"]["processor"].replace("(R)", "").replace(" Processor", "")
    apart = [Path(about["model"]).stem.replace("random-", "random weights, ")] if about["random_weights"] else []
    apart += ["beside a busy process"] if about["beside_a_busy_process"] else []
    return "; ".join([f"{about['date']}, {name} ({which})", *apart])


def agreement(rows, case):
    """How many greedy tokens each contender has in common with offprint's, from the first."""
    first = {}
    for row in rows:
        if row["n_prompt"] == case:
            first.setdefault(row["contender"], row["tokens"])
    ours = first.pop("offprint", [])
    same = lambda tokens: next((i for i, (a, b) in enumerate(zip(ours, tokens)) if a != b), len(ours))
    return {name: f"{same(tokens)} of {len(ours)}" for name, tokens in first.items()}


def counted_cases(about):
    """Prompt lengths; the first only warms up."""
    return list(map(int, about["cases"]))[1:]


def write(about, rows):
    cases = counted_cases(about)
    keys = contenders(rows)
    machine = about["machine"]
    sets = machine["instructions"]
    lines = [
        f"# {about['model']}, {about['date']}",
        "",
        "Written by `benches/peers/table.py` from the samples beside this file; see `benches/peers/README.md`.",
        "",
        f"{machine['processor']} ({identity(about)}), {machine['cores']} cores, {machine['memory_bytes'] / 2**30:.0f} GiB, "
        f"{sets if isinstance(sets, str) else ', '.join(sets)}; {machine['system']}.",
    ]
    if "method" in about.get("noted_by_hand", {}):
        lines += ["", f"Noted by hand: {about['noted_by_hand']['method']}."]
    if about["random_weights"]:
        lines += ["", "**Random weights in the shape of a model: not a measurement of that model.**"]
    if about["beside_a_busy_process"]:
        lines += ["", "**Beside another process that kept one core busy all the time.**"]
    lines += ["", *[f"- {name}: {said}" for name, said in about["backends"].items()], ""]
    for case in cases:
        lines += [f"## Prompt of {case} tokens, {about['cases'][str(case)]} generated", ""]
        lines += ["| threads | engine | n | prefill, tok/s | ours : it | ttft, ms | decode, tok/s | ours : it |"]
        lines += ["|--:|:--|--:|--:|:--|--:|--:|:--|"]
        for key in keys:
            cells = [str(key[0]), key[1]]
            fast, slow, first = (values(rows, key, case, of) for of in (prefill, decode, ttft))
            # What has one thread only is held against our run of one thread, and also against the most threads.
            mine = (key[0], "offprint")
            same = key == mine
            cells += [str(len(fast)), f"{median(fast):.1f}", "" if same else ratio(values(rows, mine, case, prefill), fast)]
            cells += [f"{1000 * median(first):.0f}", f"{median(slow):.1f}"]
            cells += ["" if same else ratio(values(rows, mine, case, decode), slow)]
            lines.append("| " + " | ".join(cells) + " |")
        most = (max(key[0] for key in keys), "offprint")
        for key in keys:
            if key[0] < most[0] and key[1] in ("mlx-lm", "offprint, stock kernels"):
                of = lambda what: ratio(values(rows, most, case, what), values(rows, key, case, what))
                lines += ["", f"Ours on {most[0]} threads to {key[1]}: prefill {of(prefill)}, decode {of(decode)}."]
        same = ", ".join(f"{name} {n}" for name, n in agreement(rows, case).items())
        lines += ["", f"Greedy tokens as ours, from the first on: {same}.", ""]
    lines += ["## Start, load, memory", ""]
    lines += ["| threads | engine | start-up, ms | load, ms | ours : it | peak resident, MiB | ours : it |"]
    lines += ["|--:|:--|--:|--:|:--|--:|:--|"]
    for key in keys:
        mine = (key[0], "offprint")
        start, load, peak = (
            values(rows, key, cases[0], lambda row, name=name: row[name]) for name in ("start_ns", "load_ns", "peak_rss_bytes")
        )
        against = lambda name, theirs: "" if key == mine else ratio(values(rows, mine, cases[0], lambda row: row[name]), theirs)
        cells = [str(key[0]), key[1], f"{median(start) / 1e6:.0f}", f"{median(load) / 1e6:.0f}", against("load_ns", load)]
        cells += [f"{median(peak) / 2**20:.0f}", against("peak_rss_bytes", peak)]
        lines.append("| " + " | ".join(cells) + " |")
    lines += ["", "## Memory bandwidth", ""]
    lines += [f"A token reads {about['bytes_a_token'] / 1e6:.1f} MB of weights (ours).", ""]
    lines += ["| threads | read by a loop, GB/s | by our decoding, GB/s | ours : the loop |", "|--:|--:|--:|:--|"]
    lines += ["| " + " | ".join(cells) + " |" for cells in bandwidth(about, rows, cases[0])]
    if all("stolen_ns" in row for row in rows):
        lines += ["", "## Time taken away", ""]
        lines += ["While prompts were read and tokens generated, the hypervisor kept a processor from this machine, a second of it:", ""]
        lines += ["| threads | engine | ms |", "|--:|:--|--:|"]
        for key in keys:
            of = [row for row in rows if (row["threads"], row["contender"]) == key]
            taken = sum(row["stolen_ns"] for row in of) / sum(row["token_times_ns"][-1] for row in of)
            lines.append(f"| {key[0]} | {key[1]} | {1000 * taken:.0f} |")
    return "\n".join(lines) + "\n"


def order(name):
    return (name != "offprint", name != "offprint, stock kernels", name)


def median(values):
    return statistics.median(values.values())


RESULTS = Path(__file__).parent / "results"
DOCUMENTS = Path(__file__).parent.parent.parent / "docs/performance"


def load(name):
    """(about, rows) of a committed result."""
    rows = [json.loads(line) for line in (RESULTS / f"{name}.jsonl").read_text("utf-8").splitlines()]
    return json.loads((RESULTS / f"{name}.json").read_text("utf-8")), rows


if __name__ == "__main__":
    (RESULTS / f"{sys.argv[1]}.md").write_text(write(*load(sys.argv[1])), "utf-8")
