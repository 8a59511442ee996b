"""Two executions compared, computed another way: writes tests/data/contrasts_oracle.json.

    python3 -m venv venv && venv/bin/pip install scipy==1.17.1 numpy==2.4.6 mpmath==1.3.0
    venv/bin/python tests/oracles/contrasts.py

Derivatives are numerical ones of mpmath at 50 digits, t is scipy's; tests/contrast.rs holds Offprint's own to these.
"""

import json
import pathlib

import mpmath as mp
import numpy as np
from scipy import stats

mp.mp.dps = 50


def numbers(tokens):
    """Each takes the cells' means and the sum of squares within cells (and the runs of a cell)."""
    x = [mp.mpf(t) for t in tokens]
    centre = sum(x) / len(x)
    sxx = sum((t - centre) ** 2 for t in x)
    mean = lambda m: sum(m) / len(m)
    slope = lambda m: sum((t - centre) / sxx * v for t, v in zip(x, m))
    first = lambda m: mean([v for v, t in zip(m, x) if t == x[0]])
    others = lambda m: mean([v for v, t in zip(m, x) if t != x[0]])
    between = lambda m, n: n * sum((v - mean(m)) ** 2 for v in m)
    return {
        "log mean": lambda m, s, n: mp.log(mean(m)),
        "log ratio": lambda m, s, n: mp.log(others(m) / first(m)),
        "log slope": lambda m, s, n: mp.log(slope(m)),
        "intercept share": lambda m, s, n: (mean(m) - centre * slope(m)) / mean(m),
        "residual share": lambda m, s, n: s / (s + between(m, n)),
    }


def parts(cells, number):
    n = [len(cell) for cell in cells]
    means = [mp.fsum(map(mp.mpf, cell)) / len(cell) for cell in cells]
    squares = [mp.fsum((mp.mpf(v) - m) ** 2 for v in cell) for cell, m in zip(cells, means)]
    arguments = means + [mp.fsum(squares)]
    value = number(arguments[:-1], arguments[-1], n[0])
    gradient = []
    for index in range(len(arguments)):
        def along(v, index=index):
            moved = arguments[:index] + [v] + arguments[index + 1:]
            return number(moved[:-1], moved[-1], n[0])
        gradient.append(mp.diff(along, arguments[index]))
    found = [(g**2 * q / (k - 1) / k, k - 1) for g, q, k in zip(gradient, squares, n)]
    # var of the pooled squares: 2 (n - 1) sigma^4 each, sigma^4 estimated without bias
    fourth = [(q / (k - 1)) ** 2 * (k - 1) / (k + 1) for q, k in zip(squares, n)]
    of_squares = mp.fsum(2 * (k - 1) * f for f, k in zip(fourth, n))
    found.append((gradient[-1] ** 2 * of_squares, sum(n) - len(n)))
    return value, found


def compared(a, b, number, margin, confidence):
    (first, of_a), (second, of_b) = parts(a, number), parts(b, number)
    everything = of_a + of_b
    variance = mp.fsum(v for v, _ in everything)
    degrees = float(variance**2 / mp.fsum(v**2 / d for v, d in everything))
    se, difference = float(mp.sqrt(variance)), float(second - first)
    half = stats.t.ppf(confidence, degrees) * se
    tail = lambda distance: float(stats.t.sf(distance / se, degrees))
    return {
        "difference": difference, "se": se, "degrees": degrees, "low": difference - half, "high": difference + half,
        "p": max(tail(difference + margin), tail(margin - difference)), "p_beyond": tail(abs(difference) - margin),
    }


def main():
    rng = np.random.default_rng(20261123)
    cases = []
    for index in range(24):
        shape = [(3, 6), (2, 1), (3, 1), (4, 4), (2, 9), (5, 2)][index % 6]
        tokens = [float(64 * 2**i) for i in range(shape[0]) for _ in range(shape[1])]
        cv, scale = [0.002, 0.01, 0.05, 0.2][index % 4], 10.0 ** rng.integers(-6, 6)
        equal, runs = index % 3 != 0, int(rng.integers(2, 6))
        def execution(factor):
            return [[float(scale * factor * (0.9 + 0.1 * t) * (1 + cv * rng.normal()))
                     for _ in range(runs if equal else int(rng.integers(2, 7)))] for t in tokens]
        a, b = execution(1.0), execution(1 + 0.03 * rng.normal())
        margin, confidence = float(rng.choice([0.01, 0.02, 0.1])), float(rng.choice([0.9, 0.95, 0.99]))
        answers = {}
        for name, number in numbers(tokens).items():
            if name == "residual share" and not equal:
                continue
            answers[name] = compared(a, b, number, margin, confidence)
        cases.append({"name": f"case {index + 1}", "tokens": tokens, "a": a, "b": b, "margin": margin,
                      "confidence": confidence, "answers": answers})
    path = pathlib.Path(__file__).parent.parent / "data" / "contrasts_oracle.json"
    path.write_text(json.dumps(cases, indent=None, separators=(",", ":")).replace('{"name"', '\n{"name"') + "\n")


main()
