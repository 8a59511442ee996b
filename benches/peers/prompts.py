"""Prints prompts of exact lengths for a checkpoint: `prompts.py FOLDER 16 128 512` -> JSON, a text and its ids for each.

The text is prose; it is cut where its ids are as many as asked for, and must come back as the same ids."""

import json
import sys
from pathlib import Path

from tokenizers import Tokenizer

PROSE = (
    "A benchmark is a promise about the future: what was measured once, on one machine, on one afternoon, will be true again. "
    "It is seldom kept. The fan turns faster, a neighbour compiles a browser, the compiler learns a trick, and the table in the "
    "paper stands there as if nothing had happened. So we write down what the machine was, what it ran and in which order, we keep "
    "each measurement instead of its mean, and we let two programs take turns, so that a slow minute is slow for both of them. "
)


def cut(tokenizer, length):
    ids = tokenizer.encode(PROSE * (1 + length // 50), add_special_tokens=False).ids
    text = tokenizer.decode(ids[:length], skip_special_tokens=False)
    again = tokenizer.encode(text, add_special_tokens=False).ids
    if again != ids[:length]:
        sys.exit(f"error: the tokenizer does not give {length} ids back")
    return {"text": text, "ids": again}


if __name__ == "__main__":
    tokenizer = Tokenizer.from_file(str(Path(sys.argv[1]) / "tokenizer.json"))
    print(json.dumps({length: cut(tokenizer, int(length)) for length in sys.argv[2:]}))
