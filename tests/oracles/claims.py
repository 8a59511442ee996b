"""Numbers of one's own, computed another way: writes tests/data/claims_oracle.json.

    python3 -m venv venv && venv/bin/pip install scipy==1.17.1 numpy==2.4.6 statsmodels==0.15.0 mpmath==1.4.1
    venv/bin/python tests/oracles/claims.py

Runs are drawn here and written with their answers; tests/claims.rs makes rows of them and holds Offprint's answers to these. Standard
errors come from numerical derivatives (mpmath, 50 digits) of each number by each *run*, not by cells' means; t is scipy's, Wilson's
interval, least squares within groups and quantiles are statsmodels' and scipy's.
"""

import json
import pathlib

import mpmath as mp
import numpy as np
import statsmodels.formula.api as smf
from scipy import stats
from scipy.stats import mstats
from statsmodels.stats.proportion import proportion_confint

mp.mp.dps = 50
ENGINES, LENGTHS, TEMPERATURES, PROMPTS = ["mlx", "llama-cpp"], [64, 128, 256], [0.3, 0.7], ["1", "two"]


def mean(x):
    x = list(x)
    return mp.fsum(x) / len(x)


def where(rows, **wanted):
    def is_there(row):
        return all((row[k] in v) if isinstance(v, list) else row[k] == v for k, v in wanted.items())
    return [i for i, row in enumerate(rows) if is_there(row)]


def delta(rows, number, confidence):
    """`number` takes two lists, latency and load of each run in ns as mpmath numbers."""
    latency, load = [mp.mpf(r["latency"]) for r in rows], [mp.mpf(r["load"]) for r in rows]
    value = number(latency, load)
    cells = {}
    for i, row in enumerate(rows):
        cells.setdefault((row["engine"], row["length"], row["temperature"], row["prompt"]), []).append(i)
    parts = []
    for members in cells.values():
        n = len(members)
        influence = []
        # Moving a cell's mean by e is moving each of its runs by e: both columns, each on its own.
        by = []
        for column in (0, 1):
            def along(e, column=column):
                moved = [list(latency), list(load)]
                for i in members:
                    moved[column][i] = moved[column][i] + e
                return number(*moved)
            by.append(mp.diff(along, 0, h=mp.mpf(10) ** -10))
        z = [by[0] * latency[i] + by[1] * load[i] for i in members]
        centre = mean(z)
        variance = mp.fsum((v - centre) ** 2 for v in z) / (n - 1) / n
        if abs(by[0]) + abs(by[1]) > mp.mpf(10) ** -25:
            parts.append((variance, n - 1))
    total = mp.fsum(v for v, _ in parts)
    degrees = float(total**2 / mp.fsum(v**2 / d for v, d in parts))
    half = stats.t.ppf(0.5 + confidence / 2, degrees) * float(mp.sqrt(total))
    return [float(value), float(value) - half, float(value) + half]


def paired(values, confidence, logs):
    x = np.log(values) if logs else np.array(values)
    low, high = stats.t.interval(confidence, len(x) - 1, loc=x.mean(), scale=stats.sem(x))
    back = np.exp if logs else (lambda v: v)
    return [float(back(v)) for v in (x.mean(), low, high)]


def main():
    rng = np.random.default_rng(20261127)
    cases = []
    for confidence, repeats, cv in [(0.95, 3, 0.02), (0.9, 5, 0.2)]:
        rows = []
        for engine in ENGINES:
            for prompt in PROMPTS:
                for length in LENGTHS:
                    for temperature in TEMPERATURES:
                        for repeat in range(repeats):
                            speed = 1.0 if engine == "mlx" else 1.7
                            size = speed * (2e8 + 1.1e7 * length) * (1 + 0.1 * (prompt == "two"))
                            load = 3e8 * speed * (1 + 0.1 * rng.normal())
                            e2e = size * abs(1 + cv * rng.normal())
                            rows.append({"engine": engine, "prompt": prompt, "length": length,
                                         "temperature": temperature, "repeat": repeat + 1,
                                         "load": int(load), "e2e": int(e2e), "ttft": int(1e6 * (2 + rng.random()))})
        # A cell that lost a run, so that designs are not balanced.
        rows.pop(4)
        for row in rows:
            row["latency"] = row["load"] + row["e2e"]
        s = mp.mpf(10) ** -9
        mlx, llama = where(rows, engine="mlx"), where(rows, engine="llama-cpp")
        of = lambda x, places: mean(x[i] for i in places)
        few = where(rows, engine="mlx", length=[64, 128], temperature=0.3)
        at = lambda **k: where(rows, **k)
        answers = {}
        answers["mean(latency)"] = delta(rows, lambda y, l: s * mean(y), confidence)
        answers["mean(latency | engine = mlx, length = 64, temperature = 0.3, prompt = 1)"] = delta(
            rows, lambda y, l: s * of(y, at(engine="mlx", length=64, temperature=0.3, prompt="1")), confidence)
        answers["mean(latency | engine = llama-cpp) / mean(latency | engine = mlx)"] = delta(
            rows, lambda y, l: of(y, llama) / of(y, mlx), confidence)
        # Two columns of the same runs: they vary together.
        answers["mean(load | engine = mlx) / mean(latency | engine = mlx)"] = delta(
            rows, lambda y, l: of(l, mlx) / of(y, mlx), confidence)
        answers["mean(latency) - mean(load)"] = delta(rows, lambda y, l: s * (mean(y) - mean(l)), confidence)
        answers["(mean(latency | engine = mlx, length in {64, 128}, temperature != 0.7) - 100 ms) * 2 / (mean(load) + mean(latency | length > 64))"] = delta(
            rows, lambda y, l: 2 * (of(y, few) - mp.mpf("1e8")) / (mean(l) + of(y, at(length=[128, 256]))), confidence)
        answers["sum(latency | engine = mlx) / count(engine = mlx)"] = delta(
            rows, lambda y, l: s * of(y, mlx), confidence)
        # Least squares within each combination of the other factors.
        frame = {k: [r[k] for r in rows] for k in ("engine", "prompt", "length", "temperature", "latency")}
        fit = smf.ols("latency ~ length + C(engine):C(prompt):C(temperature)", frame).fit()
        def slope(y, l):
            groups = {}
            for i, r in enumerate(rows):
                groups.setdefault((r["engine"], r["prompt"], r["temperature"]), []).append(i)
            top = bottom = mp.mpf(0)
            for members in groups.values():
                x0 = mean(mp.mpf(rows[i]["length"]) for i in members)
                for i in members:
                    top += (rows[i]["length"] - x0) * y[i]
                    bottom += (rows[i]["length"] - x0) ** 2
            return s * top / bottom
        answers["slope(latency, length)"] = delta(rows, slope, confidence)
        assert abs(fit.params["length"] * 1e-9 / answers["slope(latency, length)"][0] - 1) < 1e-9
        y = [r["latency"] / 1e9 for r in rows]
        answers["sd(latency)"] = [float(np.std(y, ddof=1)), None, None]
        answers["median(latency | engine = mlx)"] = [float(np.median([y[i] for i in mlx])), None, None]
        answers["quantile(latency, 0.9)"] = [float(mstats.mquantiles(y, [0.9], alphap=1 / 3, betap=1 / 3)[0]), None, None]
        answers["max(latency) - min(latency)"] = [max(y) - min(y), None, None]
        bound = float(np.median(y))
        met = sum(v < bound for v in y)
        answers[f"share(latency < {bound!r} s)"] = [met / len(y), *map(float, proportion_confint(met, len(y), 1 - confidence, "wilson"))]
        answers["share(latency < 1000 s)"] = [1.0, *map(float, proportion_confint(len(y), len(y), 1 - confidence, "wilson"))]
        cell = lambda e, p, n, t: np.mean([y[i] for i in at(engine=e, prompt=p, length=n, temperature=t)])
        keys = [(p, n, t) for p in PROMPTS for n in LENGTHS for t in TEMPERATURES]
        quotients = [cell("llama-cpp", *k) / cell("mlx", *k) for k in keys]
        answers["ratio(latency | engine = llama-cpp / mlx)"] = paired(quotients, confidence, True)
        name = "mean(latency | engine = llama-cpp) / mean(latency | engine = mlx)"
        answers[name + " @ prompt, length, temperature"] = paired(quotients, confidence, True)
        by_length = [np.mean([y[i] for i in at(engine="llama-cpp", length=n)]) / np.mean([y[i] for i in at(engine="mlx", length=n)]) for n in LENGTHS]
        answers[name + " @ length"] = paired(by_length, confidence, True)
        medians = [np.median([y[i] for i in at(engine="llama-cpp", prompt=k[0], length=k[1], temperature=k[2])])
                   - np.median([y[i] for i in at(engine="mlx", prompt=k[0], length=k[1], temperature=k[2])]) for k in keys]
        answers["median(latency | engine = llama-cpp) - median(latency | engine = mlx) @ prompt, length, temperature"] = paired(medians, confidence, False)
        kept = [{k: r[k] for k in ("engine", "prompt", "length", "temperature", "repeat", "load", "e2e", "ttft")} for r in rows]
        cases.append({"confidence": confidence, "repeats": repeats, "rows": kept, "answers": answers})
    path = pathlib.Path(__file__).parent.parent / "data" / "claims_oracle.json"
    text = json.dumps(cases, separators=(",", ":"))
    path.write_text(text.replace('{"engine"', '\n{"engine"').replace('"answers":{', '\n"answers":{\n').replace('],"', '],\n"') + "\n")


main()
