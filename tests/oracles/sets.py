"""What a set's paper should say, from its members' rows alone: session means of logarithms, Student's intervals, Welch's test with
Satterthwaite's degrees, Holm, letters by trying every group. Standard library only; t's tail area by Simpson's rule on its density."""

import itertools, json, math, statistics, sys, zipfile
from pathlib import Path

ALPHA, MARGIN = 0.05, math.log1p(0.02)


def density(x, df):
    scale = math.exp(math.lgamma((df + 1) / 2) - math.lgamma(df / 2)) / math.sqrt(df * math.pi)
    return scale * (1 + x * x / df) ** (-(df + 1) / 2)


def simpson(f, low, high, n):
    h = (high - low) / n
    return sum((1 if i in (0, n) else 4 if i % 2 else 2) * f(low + i * h) for i in range(n + 1)) * h / 3


def tail(t, df):
    """P(T > t), t in any place."""
    if t < 0:
        return 1 - tail(-t, df)
    if t < 1:
        return 0.5 - simpson(lambda x: density(x, df), 0, t, 400)
    # x = t / s**k maps the tail to (0, 1], and makes the integrand smooth at 0.
    k = max(1.0, 6.0 / df)
    of = lambda s: 0.0 if s == 0 else density(t / s**k, df) * t * k / s ** (k + 1)
    return simpson(of, 0, 1, 4000)


def quantile(p, df):
    """t with P(|T| < t) = p: Newton's steps, from below on a convex function."""
    t = 0.5
    for _ in range(60):
        step = (tail(t, df) - (1 - p) / 2) / density(t, df)
        t += step
        if abs(step) < 1e-13 * t:
            break
    return t


METRICS = {
    "latency": lambda r: (r["load_ns"] + r["tokenize_ns"] + r["e2e_ns"] - r["tokenize_ns"]) / 1e9,
    "ttft": lambda r: r["ttft_ns"] / 1e9,
    "prefill": lambda r: r["n_prompt"] / (r["ttft_ns"] / 1e9),
    "decode": lambda r: (r["n_gen"] - 1) / ((r["token_times_ns"][-1] - r["token_times_ns"][0]) / 1e9),
}


def rows(path):
    with zipfile.ZipFile(path) as bundle:
        name = next(n for n in bundle.namelist() if n.endswith("/runs.jsonl"))
        lines = bundle.read(name).decode().splitlines()
    found = [json.loads(line) for line in lines]
    return [r for r in found if r["phase"] == "measured" and r["outcome"] == "ok"]


def welch(a, b):
    parts = [(statistics.variance(x) / len(x), len(x) - 1) for x in (a, b)]
    variance = sum(v for v, _ in parts)
    df = variance**2 / sum(v * v / d for v, d in parts)
    return statistics.fmean(b) - statistics.fmean(a), math.sqrt(variance), df


def holm(p):
    order, found, most = sorted(range(len(p)), key=lambda i: p[i]), [0.0] * len(p), 0.0
    for rank, i in enumerate(order):
        most = min(1.0, max(most, (len(p) - rank) * p[i]))
        found[i] = most
    return found


def judge(pairs):
    """[(a, b)] -> [(ratio, low, high, verdict, p by Holm that it lies beyond the margin)]"""
    found = []
    for a, b in pairs:
        d, se, df = welch(a, b)
        half = quantile(1 - 2 * ALPHA, df) * se
        within = max(tail((d + MARGIN) / se, df), tail((MARGIN - d) / se, df))
        found.append((d, half, within, tail((abs(d) - MARGIN) / se, df)))
    adjusted = holm([f[3] for f in found])
    verdict = lambda within, beyond: "equivalent" if within < ALPHA else "different" if beyond < ALPHA else "inconclusive"
    return [
        (math.exp(d), math.exp(d - half), math.exp(d + half), verdict(within, beyond), beyond)
        for (d, half, within, _), beyond in zip(found, adjusted)
    ]


label = json.loads((Path(sys.argv[1]) / "data/set.json").read_text())
members = [(m["machine"], rows(Path(sys.argv[1]) / f"data/members/{m['machine']}-{m['session']}.zip")) for m in label["members"]]
machines = list(dict.fromkeys([label["reference"]] + [m for m, _ in members]))
numbers, texts, p = {}, {}, {}
for metric, of in METRICS.items():

    def session(found, keep=lambda r: True):
        cells = {}
        for r in filter(keep, found):
            cells.setdefault((r["prompt_id"], r["max_tokens"], r["temperature"]), []).append(math.log(of(r)))
        return statistics.fmean(statistics.fmean(cell) for cell in cells.values())

    means = {m: [session(found) for name, found in members if name == m] for m in machines}
    for m in machines:
        values = means[m]
        centre, sd = statistics.fmean(values), statistics.stdev(values)
        half = quantile(0.95, len(values) - 1) * sd / math.sqrt(len(values))
        numbers |= {
            f"by_machine.{m}.{metric}.mean": math.exp(centre),
            f"by_machine.{m}.{metric}.ci.low": math.exp(centre - half),
            f"by_machine.{m}.{metric}.ci.high": math.exp(centre + half),
            f"by_machine.{m}.{metric}.session_sd": 100 * sd,
        }
    reference, others = means[machines[0]], machines[1:]
    for m, (ratio, low, high, verdict, beyond) in zip(others, judge([(reference, means[m]) for m in others])):
        at = f"vs.machine.{m}.{metric}"
        numbers |= {f"{at}.ratio": ratio, f"{at}.ratio.low": low, f"{at}.ratio.high": high}
        texts[f"{at}.verdict"], p[at] = verdict, beyond
    pairs = list(itertools.combinations(range(len(machines)), 2))
    verdicts = judge([(means[machines[a]], means[machines[b]]) for a, b in pairs])
    apart = {pair for pair, (*_, verdict, _) in zip(pairs, verdicts) if verdict == "different"}
    free = lambda group: not any(pair in apart for pair in itertools.combinations(sorted(group), 2))
    groups = [set(g) for n in range(1, len(machines) + 1) for g in itertools.combinations(range(len(machines)), n) if free(g)]
    groups = [g for g in groups if not any(g < other for other in groups)]
    groups.sort(key=lambda g: -max(statistics.fmean(means[machines[m]]) for m in g))
    for place, m in enumerate(machines):
        texts[f"letters.{metric}.{m}"] = "".join(chr(97 + i) for i, g in enumerate(groups) if place in g)
    if metric == "ttft":
        continue
    for factor, field, levels in [("length", "max_tokens", [8, 16]), ("prompt", "prompt_id", ["1", "2"])]:
        first, *rest = levels

        def effects(machine, level):
            at = lambda found, value: session(found, lambda r: r[field] == value)
            return [at(found, level) - at(found, first) for name, found in members if name == machine]

        family = [(m, level) for m in others for level in rest]
        judged = judge([(effects(machines[0], level), effects(m, level)) for m, level in family])
        for (m, level), (ratio, low, high, verdict, beyond) in zip(family, judged):
            at = f"vs.machine.{m}.{factor}.{level}.{metric}"
            numbers |= {f"{at}.ratio": ratio, f"{at}.ratio.low": low, f"{at}.ratio.high": high}
            texts[f"{at}.verdict"], p[at] = verdict, beyond
print(json.dumps({"numbers": numbers, "texts": texts, "p": p}))
