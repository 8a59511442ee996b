"""Two blocks of each storage of GGUF with what gguf-py dequantises them to: the reference for the formulas that tests/import
compares imported weights with. The blocks' bytes are drawn, their scales small float16 numbers of either sign.

Written with Python 3.11, gguf 0.19.0 and numpy 2:

    python3 -m venv venv && venv/bin/pip install gguf==0.19.0
    venv/bin/python tests/oracles/blocks.py > tests/data/blocks.json
"""

import json

import numpy as np
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType
from gguf.quants import dequantize

# Where a block has its float16 numbers.
SCALES = {"Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2], "Q8_0": [0], "Q4_K": [0, 2], "Q5_K": [0, 2], "Q6_K": [208]}


def main():
    draw = np.random.default_rng(7)
    lines = []
    for name, scales in SCALES.items():
        kind = GGMLQuantizationType[name]
        blocks = draw.integers(0, 256, (2, GGML_QUANT_SIZES[kind][1]), np.uint8)
        for at in scales:
            blocks[:, at : at + 2] = draw.uniform(-0.1, 0.1, (2, 1)).astype(np.float16).view(np.uint8)
        values = dequantize(blocks, kind).astype(np.float32)
        entry = {"storage": name, "code": int(kind), "bytes": blocks.tobytes().hex(), "values": [float(v) for v in values.reshape(-1)]}
        lines.append(json.dumps(entry))
    print("[\n" + ",\n".join(lines) + "\n]")


main()
