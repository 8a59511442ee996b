"""What scipy and statsmodels say of generated data sets: writes tests/data/statistics_oracle.json.

    python3 -m venv venv && venv/bin/pip install scipy==1.17.1 statsmodels==0.15.0 pandas==3.1.1 numpy==2.4.6
    venv/bin/python tests/oracles/statistics.py

tests/statistics.rs holds Offprint's own statistics to these answers, to 1e-9 of each. `null` is: there is no answer.
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
from statsmodels.stats.anova import anova_lm
from statsmodels.stats.weightstats import ttost_paired

warnings.filterwarnings("ignore")
FACTORS = ["length", "temperature", "prompt"]


# --- data sets: rows of (length, temperature, prompt, order, tokens, value)


def design(rng, shape, repeats, tokens=None, base=1.0, slope=0.1, effect=(0.0, 0.02, 0.05), interaction=0.01,
           noise=0.05, drift=0.0, scale=1.0, offset=0.0):
    tokens = tokens or [64 * 2**i for i in range(shape[0])]
    cells = list(itertools.product(*map(range, shape)))
    twist = {cell: rng.normal() for cell in cells}
    rows, order = [], 0
    for _ in range(repeats):
        for index in rng.permutation(len(cells)):
            cell, order = cells[index], order + 1
            value = base + slope * tokens[cell[0]] + sum(e * level for e, level in zip(effect, cell))
            value += interaction * twist[cell] + noise * rng.normal() + drift * order
            rows.append([*cell, order, tokens[cell[0]], float(value * scale + offset)])
    return rows


def without(rows, rng, count):
    gone = set(rng.choice(len(rows), count, replace=False).tolist())
    return [row for index, row in enumerate(rows) if index not in gone]


def datasets():
    rng = np.random.default_rng(20251117)
    the54 = lambda **kw: design(rng, (3, 2, 3), 3, **kw)
    sets = {}
    for i in range(8):
        sets[f"balanced, 54 runs, {i + 1}"] = the54(noise=0.02 * (i + 1), effect=(0, 0.3 * i, 0.1 * i))
    for i, shape in enumerate([(2, 2, 2), (4, 3, 2), (5, 1, 1), (1, 4, 1), (1, 1, 5), (3, 2, 1), (6, 2, 4)]):
        sets[f"balanced, shape {shape}"] = design(rng, shape, 2 + i % 4, noise=0.3)
    for gone in [1, 2, 3, 5, 8, 13, 21]:
        sets[f"unbalanced, {gone} of 54 runs gone"] = without(the54(noise=0.2), rng, gone)
    for gone in [30, 36]:
        sets[f"unbalanced, {gone} of 54 runs gone, empty cells"] = without(the54(noise=0.2), rng, gone)
    rows = the54(noise=0.1)
    sets["a whole cell gone"] = [row for row in rows if row[:3] != [1, 0, 2]]
    sets["a whole level of a factor gone"] = [row for row in rows if row[1] != 1]
    sets["a cell with one run only"] = [row for i, row in enumerate(rows) if row[:3] != [0, 1, 1] or i < 18]
    sets["no replicates"] = design(rng, (3, 2, 3), 1, noise=0.2)
    sets["two lengths, no replicates"] = design(rng, (2, 2, 1), 1, noise=0.2)
    sets["one cell"] = design(rng, (1, 1, 1), 12, noise=0.2)
    sets["one cell, two runs"] = design(rng, (1, 1, 1), 2, noise=0.2)
    sets["n = 1"] = design(rng, (1, 1, 1), 1)
    sets["n = 2, two lengths"] = design(rng, (2, 1, 1), 1, noise=0.3)
    sets["n = 3, three lengths"] = design(rng, (3, 1, 1), 1, noise=0.3)
    sets["constant"] = [[*row[:5], 0.1] for row in the54()]
    sets["constant, negative"] = [[*row[:5], -7.3] for row in the54()]
    sets["constant within lengths"] = [[*row[:5], 0.1 * row[4] ** 2] for row in the54()]
    sets["exactly linear"] = [[*row[:5], 1.5 + 0.25 * row[4]] for row in the54()]
    sets["ties, one decimal"] = [[*row[:5], round(row[5], 1)] for row in the54(noise=0.2)]
    sets["ties, whole numbers"] = [[*row[:5], float(round(row[5]))] for row in the54(noise=2.0)]
    sets["ties, two values"] = [[*row[:5], 1.0 + (i % 7 == 0)] for i, row in enumerate(the54())]
    for power in [9, 30, 100]:
        sets[f"huge, 1e{power}"] = the54(noise=0.2, scale=10.0**power)
    for power in [-9, -30, -100]:
        sets[f"tiny, 1e{power}"] = the54(noise=0.2, scale=10.0**power)
    sets["small spread on a large value"] = the54(slope=0.001, noise=0.01, offset=1e4)
    sets["values around zero"] = the54(slope=0.0, base=0.0, noise=1.0)
    sets["negative values"] = the54(noise=0.5, offset=-100.0)
    sets["a strong drift"] = the54(noise=0.05, drift=0.05)
    sets["a weak drift"] = the54(noise=0.05, drift=0.001)
    sets["negligible factors, shown"] = the54(noise=0.005, effect=(0, 0, 0), interaction=0.001)
    sets["negligible factors, not shown"] = the54(noise=3.0, effect=(0, 0, 0))
    sets["temperature matters"] = the54(noise=0.1, effect=(0, 5.0, 0))
    sets["not linear"] = [[*row[:5], row[5] + (row[4] / 64) ** 2] for row in the54(noise=0.1)]
    sets["falls with length"] = the54(slope=-0.1, base=100.0, noise=0.1)
    sets["rises, then falls"] = [[*row[:5], row[5] + [0.0, 20.0, 0.0][row[0]]] for row in the54(slope=0.01)]
    rows = the54(noise=0.05)
    rows[5][5] *= 1.4
    rows[17][5] *= 0.5
    rows[40][5] *= 1.05
    sets["outliers, mild and severe"] = rows
    sets["heavy tails"] = [[*row[:5], row[5] * math.exp(0.05 * rng.standard_cauchy() % 2)] for row in the54()]
    sets["many runs"] = design(rng, (3, 2, 3), 60, noise=0.3)
    sets["many runs, unbalanced"] = without(design(rng, (4, 3, 5), 20, noise=0.3), rng, 111)
    sets["three temperatures"] = design(rng, (3, 3, 3), 3, noise=0.05)
    sets["five prompts, two runs"] = design(rng, (3, 2, 5), 2, noise=0.05)
    return sets


# --- the answers


def number(x):
    x = float(x)
    return x if math.isfinite(x) else None


def describe(values, confidence):
    n, constant = len(values), len(set(values)) == 1
    mean = values[0] if constant else float(np.mean(values))
    found = {"n": n, "mean": mean, "min": min(values), "max": max(values), "median": float(np.median(values)),
             "sd": None, "se": None, "cv": None, "interval": None}
    if n > 1:
        sd = 0.0 if constant else float(np.std(values, ddof=1))
        se = 0.0 if constant else float(stats.sem(values))
        interval = [mean, mean] if constant else list(map(float, stats.t.interval(confidence, n - 1, mean, se)))
        found |= {"sd": sd, "se": se, "cv": sd / mean if mean else None, "interval": interval}
    return found


def quantiles(values):
    return [float(q) for q in np.quantile(values, [0.25, 0.5, 0.75, 0.9, 0.99], method="median_unbiased")]


def is_noise(sum_of_squares, values):
    return sum_of_squares <= len(values) * (8 * np.finfo(float).eps * np.max(np.abs(values))) ** 2


def anova(data, confidence):
    values = data.value.to_numpy()
    n, mean = len(values), describe(list(values), confidence)["mean"]
    centred = values - mean
    cell = data[FACTORS].astype(str).agg("-".join, axis=1)
    clean = lambda s: 0.0 if is_noise(s, values) else float(s)
    cell_means = {key: describe(list(group), confidence)["mean"] for key, group in data.value.groupby(cell)}
    within = clean(sum((v - cell_means[c]) ** 2 for v, c in zip(values, cell)))
    total = clean(np.sum(centred**2))
    error_df = n - len(cell_means)
    error = within / error_df if error_df else None

    active = [f for f in FACTORS if data[f].nunique() > 1]
    terms = [t for size in range(1, len(active) + 1) for t in itertools.combinations(active, size)]
    exog, found, fitted, rank = np.ones((n, 1)), [], np.zeros(n), 1
    for term in terms:
        dummies = [pd.get_dummies(data[f], drop_first=True).to_numpy(float) for f in term]
        columns = dummies[0]
        for other in dummies[1:]:
            columns = np.einsum("ni,nj->nij", columns, other).reshape(n, -1)
        exog = np.hstack([exog, columns])
        model = sm.OLS(centred, exog).fit(method="pinv")
        rank_now = int(np.linalg.matrix_rank(exog))
        s, df = clean(np.sum((model.fittedvalues - fitted) ** 2)), rank_now - rank
        f = s / df / error if error and df else None
        found.append({"name": "_".join(term), "sum_of_squares": s, "degrees": df, "share": s / total if total else None,
                      "f": f, "p": None if f is None else float(stats.f.sf(f, df, error_df))})
        fitted, rank = model.fittedvalues, rank_now
    counts = cell.value_counts()
    grid = math.prod(data[f].nunique() for f in FACTORS)
    balanced = len(counts) == grid and counts.nunique() == 1
    if balanced and error and total and active:
        # statsmodels' own table, by another way (QR): it must say the same.
        table = anova_lm(sm.OLS.from_formula("value ~ " + "*".join(f"C({f})" for f in active), data.assign(value=centred)).fit(), typ=1)
        for term in found:
            row = table.loc[":".join(f"C({f})" for f in term["name"].split("_"))]
            assert math.isclose(row["sum_sq"], term["sum_of_squares"], rel_tol=1e-7, abs_tol=1e-12 * total), (row, term)
    bounds = None
    if error is not None and mean:
        cv = math.sqrt(error) / mean
        bound = lambda share: cv * math.sqrt(error_df / stats.chi2.ppf(share, error_df))
        bounds = {"sd": math.sqrt(error), "degrees": error_df, "cv": cv, "cv_at_least": bound(confidence),
                  "cv_at_most": bound(1 - confidence)}
    return {"total": total, "balanced": bool(balanced), "terms": found, "residual": within, "degrees": error_df,
            "cv_between": describe(list(cell_means.values()), confidence)["cv"], "within": bounds}


def line(data, confidence):
    n, values = len(data), data.value.to_numpy()
    if n < 3 or data.tokens.nunique() < 2:
        return None
    constant = len(set(values)) == 1
    shift = values[0] if constant else float(np.mean(values))
    exog = sm.add_constant(data.tokens.to_numpy(float))
    model = sm.OLS(values - shift, exog).fit()
    clean = lambda s: 0.0 if is_noise(s, values) else float(s)
    if clean(model.ssr) == 0.0:
        slope = 0.0 if constant else float(model.params[1])
        intercept = float(model.params[0]) + shift
        interval = lambda x: [x, x]
        found = {"intercept": [intercept, 0.0, *interval(intercept)], "slope": [slope, 0.0, *interval(slope)],
                 "r2": None if constant else 1.0, "residual_sd": 0.0}
    else:
        ci = model.conf_int(1 - confidence)
        found = {"intercept": [model.params[0] + shift, model.bse[0], ci[0][0] + shift, ci[0][1] + shift],
                 "slope": [model.params[1], model.bse[1], ci[1][0], ci[1][1]],
                 "r2": model.rsquared, "residual_sd": math.sqrt(model.mse_resid)}
        found = {key: [float(x) for x in v] if isinstance(v, list) else float(v) for key, v in found.items()}
    groups = data.value.groupby(data.tokens)
    m = groups.ngroups
    found["lack_of_fit"] = None
    if m > 2 and n > m:
        means = {key: describe(list(group), confidence)["mean"] for key, group in groups}
        pure = clean(sum((v - means[t]) ** 2 for v, t in zip(values, data.tokens)))
        # The fit of one mean a group, minus the fit of the line: no difference of large sums.
        predicted = dict(zip(data.tokens, model.predict(exog)))
        lack = clean(sum(len(group) * (means[key] - shift - predicted[key]) ** 2 for key, group in groups))
        if pure > 0:
            f = lack / (m - 2) / (pure / (n - m))
            full = sm.OLS(values - shift, pd.get_dummies(data.tokens).to_numpy(float)).fit()
            theirs = full.compare_f_test(model)
            assert math.isclose(theirs[0], f, rel_tol=1e-6, abs_tol=1e-6), (theirs, f)
            found["lack_of_fit"] = {"f": f, "p": float(stats.f.sf(f, m - 2, n - m)),
                                    "farthest": float(max(abs(means[k] - shift - predicted[k]) for k in means))}
        elif lack > 0:
            found["lack_of_fit"] = "no pure error"
    return found


def paired(data, factor, a, b):
    others = [f for f in FACTORS if f != factor]
    means = lambda level: {key: describe(list(group), 0.95)["mean"]
                           for key, group in data[data[factor] == level].value.groupby([data[f] for f in others])}
    first, second = means(a), means(b)
    keys = sorted(set(first) & set(second))
    return np.array([first[k] for k in keys]), np.array([second[k] for k in keys])


def pairs(data, factor, margin, confidence):
    found = []
    for a, b in itertools.combinations(sorted(data[factor].unique()), 2):
        first, second = paired(data, factor, a, b)
        if len(first) == 0:
            continue
        d = second - first
        constant = len(set(d)) == 1
        pair = {"levels": [int(a), int(b)], "n": len(d), "difference": float(d[0] if constant else d.mean()), "se": None,
                "interval": None, "p": None, "p_beyond": None}
        if len(d) > 1 and constant:
            inside = abs(pair["difference"]) < margin
            pair |= {"se": 0.0, "interval": [pair["difference"]] * 2, "p": 0.0 if inside else 1.0,
                     "p_beyond": 0.0 if abs(pair["difference"]) > margin else 1.0}
        elif len(d) > 1:
            test = stats.ttest_1samp(d, 0.0)
            interval = test.confidence_interval(1 - 2 * (1 - confidence))
            sign = math.copysign(1, pair["difference"])
            beyond = stats.ttest_1samp(d * sign, margin, alternative="greater").pvalue
            pair |= {"se": float(stats.sem(d)), "interval": [float(interval.low), float(interval.high)],
                     "p": float(tost(d, margin)), "p_beyond": float(beyond)}
            # statsmodels takes small tails from 1 - cdf; it must agree as far as that goes.
            assert math.isclose(ttost_paired(second, first, -margin, margin)[0], pair["p"], rel_tol=1e-7, abs_tol=1e-14)
        found.append(pair)
    return found


def tost(d, margin):
    low = stats.ttest_1samp(d, -margin, alternative="greater").pvalue
    high = stats.ttest_1samp(d, margin, alternative="less").pvalue
    return max(low, high)


def rise(data):
    found, levels = [], sorted(data.length.unique())
    for a, b in zip(levels, levels[1:]):
        first, second = paired(data, "length", a, b)
        if len(first) == 0:
            continue
        d = second - first
        constant = len(set(d)) == 1
        p = None
        if len(d) > 1:
            p = (0.0 if d[0] > 0 else 1.0) if constant else float(stats.ttest_rel(second, first, alternative="greater").pvalue)
        found.append({"n": len(d), "difference": float(d[0] if constant else d.mean()), "p": p})
    return found


def drift(data, confidence):
    cell = data[FACTORS].astype(str).agg("-".join, axis=1)
    n, values = len(data), data.value.to_numpy()
    order = data.order - data.order.groupby(cell).transform("mean")
    if n < cell.nunique() + 2 or np.sum(order**2) == 0:
        return None
    centre = data.value.groupby(cell).transform("mean")
    exog = np.hstack([pd.get_dummies(cell).to_numpy(float), data.order.to_numpy(float)[:, None]])
    model = sm.OLS(values - centre.to_numpy(), exog).fit()
    if is_noise(model.ssr, values):
        return {"degrees": n - cell.nunique() - 1, "slope": 0.0, "se": 0.0, "interval": [0.0, 0.0], "p": None}
    return {"degrees": int(model.df_resid), "slope": float(model.params[-1]), "se": float(model.bse[-1]),
            "interval": [float(x) for x in model.conf_int(1 - confidence)[-1]], "p": float(model.pvalues[-1])}


def outliers(data):
    cell = data[FACTORS].astype(str).agg("-".join, axis=1)
    medians = data.value.groupby(cell).transform("median")
    if cell.value_counts().max() < 3 or (medians == 0).any():
        return None
    d = (data.value / medians - 1).to_numpy()
    low, high = np.quantile(d, [0.25, 0.75], method="median_unbiased")
    beyond = lambda k: (d < low - k * (high - low)) | (d > high + k * (high - low))
    return {"mild": int(np.sum(beyond(1.5) & ~beyond(3))), "severe": int(np.sum(beyond(3)))}


def main():
    answers = []
    for index, (name, rows) in enumerate(datasets().items()):
        confidence, share = [0.95, 0.95, 0.99, 0.9][index % 4], [0.02, 0.05][index % 2]
        data = pd.DataFrame(rows, columns=[*FACTORS, "order", "tokens", "value"])
        values = data.value.tolist()
        margin = share * abs(describe(values, confidence)["mean"])
        answers.append({
            "name": name, "confidence": confidence, "margin": margin, "rows": rows,
            "describe": describe(values, confidence), "quantiles": quantiles(values), "anova": anova(data, confidence),
            "line": line(data, confidence), "temperature": pairs(data, "temperature", margin, confidence),
            "prompt": pairs(data, "prompt", margin, confidence), "rise": rise(data), "drift": drift(data, confidence),
            "outliers": outliers(data),
        })
    path = pathlib.Path(__file__).parent.parent / "data" / "statistics_oracle.json"
    text = "[\n" + ",\n".join(json.dumps(answer, allow_nan=False, separators=(",", ":")) for answer in answers) + "\n]\n"
    path.write_text(text)
    print(f"{len(answers)} data sets, {len(text)} bytes")


main()
