"""Writes tests/data/sampler_filters.json: which tokens survive mlx-lm's filters.

    pip install mlx-lm==0.32.2 mlx==0.32.2 mlx-cpu==0.32.2
    python tests/oracles/sampler_filters.py > tests/data/sampler_filters.json

Logits are dyadic fractions, so that ties are real ties. Each case: the logits, the settings, and the ids that remain
when `mlx_lm.sample_utils` has applied top-p, min-p and top-k in the order of its `make_sampler`.
"""

import json

import mlx.core as mx
from mlx_lm.sample_utils import apply_min_p, apply_top_k, apply_top_p

SETTINGS = [
    {"top_p": 0.1},
    {"top_p": 0.5},
    {"top_p": 0.9},
    {"top_p": 0.999},
    {"top_p": 1.0},
    {"min_p": 0.05},
    {"min_p": 0.3},
    {"min_p": 1.0},
    {"top_k": 1},
    {"top_k": 5},
    {"top_p": 0.9, "min_p": 0.1},
    {"top_p": 0.8, "top_k": 4},
    {"min_p": 0.02, "top_k": 6},
    {"top_p": 0.95, "min_p": 0.05, "top_k": 3},
]


def survivors(logits, top_p=0.0, min_p=0.0, top_k=0):
    logprobs = mx.array(logits)[None]
    logprobs = logprobs - mx.logsumexp(logprobs, keepdims=True)
    if 0 < top_p < 1:
        logprobs = apply_top_p(logprobs, top_p)
    if min_p != 0:
        logprobs = apply_min_p(logprobs, min_p)
    if top_k > 0:
        logprobs = apply_top_k(logprobs, top_k)
    return [i for i, v in enumerate(logprobs[0].tolist()) if v > -float("inf")]


def distributions():
    mx.random.seed(1)
    for step in (1 / 32, 1 / 8, 1 / 4):
        # Distinct values: with ties, which of them top-k drops is not defined.
        yield [value * step for value in mx.random.permutation(24).tolist()]
    for spread in (8, 24):
        yield (mx.round(mx.random.normal((24,)) * spread) / 8).tolist()
    yield [0.0] * 12
    yield [1.5] + [0.0] * 11


def main():
    mx.set_default_device(mx.cpu)
    lines = []
    for logits in distributions():
        for settings in SETTINGS:
            if "top_k" in settings and len(set(logits)) < len(logits):
                continue
            lines.append(json.dumps({"logits": logits, **settings, "survivors": survivors(logits, **settings)}))
    print('{"made_by": "tests/oracles/sampler_filters.py, mlx-lm 0.32.2", "cases": [\n' + ",\n".join(lines) + "\n]}")


main()
