"""What scipy and statsmodels say of designs with four to six factors: writes tests/data/factors_oracle.json.

    python3 -m venv venv && venv/bin/pip install scipy statsmodels pandas numpy
    venv/bin/python tests/oracles/factors.py

tests/statistics.rs holds Offprint's own statistics to these answers, to 1e-9 of each: the analysis of variance with pairs of factors and
what longer interactions explain together, ratios to the first level (on logarithms, paired, Holm over levels), and lines in a numeric
factor within whatever else varies. `null` is: there is no answer.
"""

import itertools
import json
import math
import pathlib
import warnings

import numpy as np
import pandas as pd
import statsmodels.api as sm
from scipy import stats
from statsmodels.stats.multitest import multipletests

warnings.filterwarnings("ignore")
NAMES = ["length", "temperature", "prompt", "engine", "threads", "context"]
# What a numeric factor's levels are.
NUMBERS = {"threads": [1, 2, 4, 8], "context": [0, 512, 2048, 3000], "length": [64, 128, 256, 512]}


def design(rng, shape, repeats, noise=0.1, effects=1.0, interaction=0.05, drift=0.0, base=20.0):
    cells = list(itertools.product(*map(range, shape)))
    size = [rng.normal(scale=effects) for _ in shape]
    pairs = {pair: rng.normal(scale=interaction, size=(shape[pair[0]], shape[pair[1]]))
             for pair in itertools.combinations(range(len(shape)), 2)}
    twist = {cell: rng.normal(scale=interaction) for cell in cells}
    rows, order = [], 0
    for block in range(1, repeats + 1):
        for index in rng.permutation(len(cells)):
            cell, order = cells[index], order + 1
            value = base + sum(s * level for s, level in zip(size, cell)) + twist[cell] + drift * order
            value += sum(table[cell[a], cell[b]] for (a, b), table in pairs.items()) + noise * rng.normal()
            rows.append([*cell, order, 64 * 2 ** cell[0], round(float(value), 9), block])
    return rows


def without(rows, rng, count):
    gone = set(rng.choice(len(rows), count, replace=False).tolist())
    return [row for index, row in enumerate(rows) if index not in gone]


def datasets():
    rng = np.random.default_rng(20261126)
    sets = {}
    for shape in [(2, 2, 2, 2), (3, 2, 3, 2), (2, 1, 2, 3, 2), (2, 2, 2, 2, 2), (3, 1, 2, 2, 3, 2), (2, 2, 2, 2, 2, 2)]:
        sets[f"balanced, {shape}"] = design(rng, shape, 2)
    for gone, shape in [(1, (2, 2, 3, 2)), (7, (3, 2, 2, 2)), (20, (2, 2, 2, 2, 2)), (30, (2, 2, 2, 2, 2, 2)), (11, (1, 2, 3, 2, 4))]:
        sets[f"unbalanced, {gone} runs gone of {shape}"] = without(design(rng, shape, 2, noise=0.3), rng, gone)
    rows = design(rng, (2, 2, 3, 2), 3)
    sets["a cell gone"] = [row for row in rows if row[:4] != [0, 1, 2, 1]]
    sets["a level gone"] = [row for row in rows if row[2] != 1]
    sets["the reference gone in half of the cells"] = [row for row in rows if row[3] != 0 or row[0] == 0]
    sets["no replicates"] = design(rng, (2, 2, 2, 3), 1, noise=0.2)
    sets["one cell a level"] = design(rng, (1, 1, 1, 3), 6, noise=0.2)
    sets["one cell a level, a run gone"] = without(design(rng, (1, 1, 1, 4), 5, noise=0.2), rng, 1)
    sets["levels that do not differ"] = design(rng, (3, 2, 3, 4), 2, noise=0.02, effects=0.0, interaction=0.0)
    sets["levels that may differ"] = design(rng, (2, 1, 2, 4), 2, noise=0.8, effects=0.1, interaction=0.1)
    sets["a straight line in threads"] = [
        [*row[:-2], round(10 + 3.0 * NUMBERS["threads"][row[4]] + 0.01 * rng.normal(), 9), row[-1]] for row in design(rng, (2, 1, 2, 2, 4), 2)]
    sets["a bent line in context"] = [
        [*row[:-2], round(10 + (NUMBERS["context"][row[5]] / 1000) ** 2 + 0.05 * rng.normal(), 9), row[-1]]
        for row in without(design(rng, (2, 1, 2, 1, 2, 4), 3), rng, 5)]
    sets["constant"] = [[*row[:-2], 3.7, row[-1]] for row in design(rng, (2, 2, 2, 2), 2)]
    sets["a large offset"] = [[*row[:-2], row[-2] + 1e6, row[-1]] for row in design(rng, (2, 2, 2, 3), 2)]
    return sets


def is_noise(sum_of_squares, values):
    return sum_of_squares <= len(values) * (8 * np.finfo(float).eps * np.max(np.abs(values))) ** 2


def anova(data, names):
    values = data.value.to_numpy()
    n = len(values)
    centred = values - (values[0] if len(set(values)) == 1 else values.mean())
    clean = lambda s: 0.0 if is_noise(s, values) else float(s)
    cell = data[names].astype(str).agg("-".join, axis=1)
    cell_mean = pd.Series(centred, index=data.index).groupby(cell).transform("mean").to_numpy()
    within, total = clean(np.sum((centred - cell_mean) ** 2)), clean(np.sum(centred**2))
    error_df = n - cell.nunique()
    error = within / error_df if error_df else None
    active = [f for f in names if data[f].nunique() > 1]
    most = len(active) if len(active) <= 3 else 2
    terms = [t for size in range(1, most + 1) for t in itertools.combinations(active, size)]
    exog, found, fitted, rank = np.ones((n, 1)), [], np.zeros(n), 1

    def put(name, s, df):
        s = clean(s)
        f = s / df / error if error and df else None
        found.append({"name": name, "sum_of_squares": s, "degrees": df, "share": s / total if total else None,
                      "f": f, "p": None if f is None else float(stats.f.sf(f, df, error_df))})

    for term in terms:
        dummies = [pd.get_dummies(data[f], drop_first=True).to_numpy(float) for f in term]
        columns = dummies[0]
        for other in dummies[1:]:
            columns = np.einsum("ni,nj->nij", columns, other).reshape(n, -1)
        exog = np.hstack([exog, columns])
        model = sm.OLS(centred, exog).fit(method="pinv")
        rank_now = int(np.linalg.matrix_rank(exog))
        put("_".join(term), np.sum((model.fittedvalues - fitted) ** 2), rank_now - rank)
        fitted, rank = model.fittedvalues, rank_now
    if most < len(active):
        put("higher", np.sum((cell_mean - fitted) ** 2), cell.nunique() - rank)
    return {"terms": found, "residual": within, "degrees": error_df, "total": total}


def tost(d, bound):
    return max(stats.ttest_1samp(d, -bound, alternative="greater").pvalue, stats.ttest_1samp(d, bound, alternative="less").pvalue)


def ratios(data, names, factor, margin, confidence):
    others = [f for f in names if f != factor]
    levels = sorted(data[factor].unique())
    mean = lambda level: {key: math.log(group.mean()) for key, group in data[data[factor] == level].value.groupby([data[f] for f in others])}
    runs = lambda level: {(key, block): math.log(value) for key, block, value in
                          zip(data[data[factor] == level][others].itertuples(index=False, name=None),
                              data[data[factor] == level].block, data[data[factor] == level].value)}
    found, bound, alpha = [], math.log1p(margin), 1 - confidence
    for level in levels[1:]:
        first, second = mean(levels[0]), mean(level)
        keys = sorted(set(first) & set(second))
        if len(keys) == 1:
            first, second = runs(levels[0]), runs(level)
            keys = [key for key in second if key in first]
        d = np.array([second[k] - first[k] for k in keys])
        if len(d) == 0:
            continue
        one = {"level": int(level), "n": len(d), "ratio": math.exp(d.mean()), "interval": None, "p": None, "p_beyond": None}
        if len(d) > 1 and np.ptp(d) > 0:
            interval = stats.ttest_1samp(d, 0.0).confidence_interval(1 - 2 * alpha)
            sign = math.copysign(1, d.mean())
            one |= {"interval": [math.exp(interval.low), math.exp(interval.high)], "p": float(tost(d, bound)),
                    "p_beyond": float(stats.ttest_1samp(d * sign, bound, alternative="greater").pvalue)}
        elif len(d) > 1:
            inside = abs(d[0]) < bound
            one |= {"interval": [math.exp(d[0])] * 2, "p": 0.0 if inside else 1.0, "p_beyond": 0.0 if abs(d[0]) > bound else 1.0}
        found.append(one)
    known = [one for one in found if one["p_beyond"] is not None]
    if known:
        for one, p in zip(known, multipletests([one["p_beyond"] for one in known], method="holm")[1]):
            one["p_beyond"] = float(p)
    for one in found:
        one["differs"] = None if one["p"] is None else False if one["p"] < alpha else True if one["p_beyond"] < alpha else None
    return found


def trend(data, names, factor, confidence):
    levels = sorted(data[factor].unique())
    others = [f for f in names if f != factor]
    group = data[others].astype(str).agg("-".join, axis=1)
    if len(levels) < 3 or data.groupby(group)[factor].nunique().max() < 2:
        return None
    blocks = pd.get_dummies(group).to_numpy(float)
    x = data[factor].map(lambda level: NUMBERS[factor][level]).to_numpy(float)
    values = data.value.to_numpy()
    y = values - values.mean()
    line = sm.OLS(y, np.hstack([blocks, x[:, None]])).fit(method="pinv")
    full = sm.OLS(y, np.hstack([blocks, pd.get_dummies(data[factor], drop_first=True).to_numpy(float)])).fit(method="pinv")
    if is_noise(line.ssr, values):
        return {"slope": 0.0, "se": 0.0, "interval": [0.0, 0.0], "degrees": int(len(y) - blocks.shape[1] - 1), "f": None, "p": None}
    f, p, _ = full.compare_f_test(line)
    rank = int(np.linalg.matrix_rank(np.hstack([blocks, pd.get_dummies(data[factor], drop_first=True).to_numpy(float)]))) - blocks.shape[1]
    known = rank > 1 and len(y) > blocks.shape[1] + rank and not is_noise(full.ssr, values)
    return {"slope": float(line.params[-1]), "se": float(line.bse[-1]), "interval": [float(v) for v in line.conf_int(1 - confidence)[-1]],
            "degrees": int(line.df_resid), "f": float(f) if known else None, "p": float(p) if known else None}


def main():
    answers = []
    for index, (name, rows) in enumerate(datasets().items()):
        confidence, margin = [0.95, 0.99, 0.9][index % 3], [0.02, 0.05][index % 2]
        names = NAMES[: len(rows[0]) - 4]
        data = pd.DataFrame(rows, columns=[*names, "order", "tokens", "value", "block"])
        answers.append({
            "name": name, "factors": names, "confidence": confidence, "margin": margin, "rows": rows, "anova": anova(data, names),
            "ratios": {f: ratios(data, names, f, margin, confidence) for f in names if data[f].nunique() > 1},
            "trends": {f: trend(data, names, f, confidence) for f in names if f in NUMBERS and data[f].nunique() > 1},
            "numbers": {f: NUMBERS[f] for f in names if f in NUMBERS},
        })
    path = pathlib.Path(__file__).parent.parent / "data" / "factors_oracle.json"
    text = "[\n" + ",\n".join(json.dumps(answer, allow_nan=False, separators=(",", ":")) for answer in answers) + "\n]\n"
    path.write_text(text)
    print(f"{len(answers)} data sets, {len(text)} bytes")


main()
