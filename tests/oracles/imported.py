"""Every weight of an imported checkpoint, dequantised by MLX in float32, against float64 numbers decoded from the GGUF file
by code of this script's own (no ggml, no gguf-py, nothing of Offprint's).

    pip install mlx-lm==0.32.2 mlx==0.32.2 mlx-cpu==0.32.2
    python tests/oracles/imported.py FILE.gguf FOLDER

FOLDER is what `offprint model import FILE.gguf FOLDER` makes, of the architecture llama or gemma3. Each number must be the
float64 one rounded once to float32 (-0 counts as 0); of a norm that llama.cpp stores as 1 + w, w exactly. Prints a line a
storage, and fails on the first difference, on an array that no tensor became, and on one that is missing.
"""

import json
import struct
import sys
from pathlib import Path

import mlx.core as mx
import numpy as np

# Type in the file: name, weights a block, bytes a block.
TYPES = {
    0: ("F32", 1, 4), 1: ("F16", 1, 2), 30: ("BF16", 1, 2), 2: ("Q4_0", 32, 18), 3: ("Q4_1", 32, 20), 6: ("Q5_0", 32, 22),
    7: ("Q5_1", 32, 24), 8: ("Q8_0", 32, 34), 12: ("Q4_K", 256, 144), 13: ("Q5_K", 256, 176), 14: ("Q6_K", 256, 210),
}
SCALARS = {0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?", 10: "<Q", 11: "<q", 12: "<d"}
MODULES = {
    "token_embd": "model.embed_tokens", "output_norm": "model.norm", "output": "lm_head",
    "attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj", "attn_v": "self_attn.v_proj", "attn_output": "self_attn.o_proj",
    "attn_norm": "input_layernorm", "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj", "ffn_down": "mlp.down_proj",
    "ffn_norm": "post_attention_layernorm",
}
GEMMA3 = MODULES | {
    "attn_q_norm": "self_attn.q_norm", "attn_k_norm": "self_attn.k_norm", "post_attention_norm": "post_attention_layernorm",
    "ffn_norm": "pre_feedforward_layernorm", "post_ffw_norm": "post_feedforward_layernorm",
}


class Gguf:
    def __init__(self, path):
        self.bytes, self.at = np.memmap(path, np.uint8, "r"), 4
        assert bytes(self.bytes[:4]) == b"GGUF"
        self.scalar("<I")
        tensors, values = self.scalar("<Q"), self.scalar("<Q")
        self.metadata = {self.text(): self.value(self.scalar("<I")) for _ in range(values)}
        found = []
        for _ in range(tensors):
            name = self.text()
            shape = [self.scalar("<Q") for _ in range(self.scalar("<I"))][::-1]
            found.append((name, shape, self.scalar("<I"), self.scalar("<Q")))
        alignment = self.metadata.get("general.alignment", 32)
        data = -(-self.at // alignment) * alignment
        self.tensors = [(name, shape, code, data + offset) for name, shape, code, offset in found]

    def scalar(self, form):
        size = struct.calcsize(form)
        self.at += size
        return struct.unpack(form, bytes(self.bytes[self.at - size : self.at]))[0]

    def text(self):
        size = self.scalar("<Q")
        self.at += size
        return bytes(self.bytes[self.at - size : self.at]).decode()

    def value(self, kind):
        if kind == 8:
            return self.text()
        if kind == 9:
            inner, count = self.scalar("<I"), self.scalar("<Q")
            return [self.value(inner) for _ in range(count)]
        return self.scalar(SCALARS[kind])


def bits(array, count, width):
    """`count` numbers of `width` bits a row, from the lowest bit on."""
    rows = np.unpackbits(np.ascontiguousarray(array), axis=1, bitorder="little").reshape(len(array), count, width)
    return (rows * (1 << np.arange(width))).sum(-1)


def halves(blocks, at):
    return blocks[:, at : at + 2].copy().view(np.float16).astype(np.float64)


def nibbles(array, width):
    """Rows of `width` bytes: all low nibbles of `width` bytes, then all high ones."""
    rows = array.reshape(len(array), -1, width)
    return np.stack([rows & 15, rows >> 4], 2).reshape(len(array), -1).astype(np.int64)


def k_scales(packed):
    """8 scales and 8 minimums of 6 bits each in 12 bytes."""
    packed = packed.astype(np.int64)
    low, middle, high = packed[:, :4], packed[:, 4:8], packed[:, 8:]
    scales = np.concatenate([low & 63, high & 15 | (low >> 6) * 16], 1)
    return scales, np.concatenate([middle & 63, high >> 4 | (middle >> 6) * 16], 1)


def decode(name, blocks):
    if name == "F32":
        return blocks.copy().view(np.float32).astype(np.float64)
    if name == "F16":
        return halves(blocks, 0)
    if name == "BF16":
        return (blocks.copy().view(np.uint16).astype(np.uint32) << 16).view(np.float32).astype(np.float64)
    if name == "Q8_0":
        return halves(blocks, 0) * blocks[:, 2:].view(np.int8)
    if name in ("Q4_0", "Q4_1"):
        start = 2 if name == "Q4_0" else 4
        quants = nibbles(blocks[:, start:], 16)
        return halves(blocks, 0) * (quants - 8) if start == 2 else halves(blocks, 0) * quants + halves(blocks, 2)
    if name in ("Q5_0", "Q5_1"):
        start = 2 if name == "Q5_0" else 4
        quants = nibbles(blocks[:, start + 4 :], 16) + 16 * bits(blocks[:, start : start + 4], 32, 1)
        return halves(blocks, 0) * (quants - 16) if start == 2 else halves(blocks, 0) * quants + halves(blocks, 2)
    if name in ("Q4_K", "Q5_K"):
        scales, least = k_scales(blocks[:, 4:16])
        five = name == "Q5_K"
        quants = nibbles(blocks[:, 48 if five else 16 :], 32)
        if five:
            # Bit n of byte i is the fifth of weight i in group n.
            quants = quants + 16 * np.unpackbits(blocks[:, 16:48, None], axis=2, bitorder="little").swapaxes(1, 2).reshape(len(blocks), 256)
        spread = lambda small: np.repeat(small, 32, 1)
        return halves(blocks, 0) * spread(scales) * quants - halves(blocks, 2) * spread(least)
    if name == "Q6_K":
        low = nibbles(blocks[:, :128], 64)
        # 32 bytes hold the upper two bits of 128 weights: row n of 32 in bits 2n and 2n + 1.
        rows = blocks[:, 128:192].reshape(len(blocks), 2, 1, 32) >> np.array([0, 2, 4, 6], np.uint8)[:, None] & 3
        scales = np.repeat(blocks[:, 192:208].view(np.int8).astype(np.float64), 16, 1)
        return halves(blocks, 208) * scales * (low + 16 * rows.reshape(len(blocks), 256).astype(np.int64) - 32)
    raise SystemExit(name)


def module(name, names):
    parts = name.removesuffix(".weight").split(".")
    return names[parts[0]] if len(parts) == 1 else f"model.layers.{parts[1]}.{names[parts[2]]}"


def main():
    mx.set_default_device(mx.cpu)
    gguf, folder = Gguf(sys.argv[1]), Path(sys.argv[2])
    arrays = mx.load(str(folder / "model.safetensors"))
    config = json.loads((folder / "config.json").read_text())
    quantization = config["quantization"] or {}
    architecture = gguf.metadata["general.architecture"]
    names = GEMMA3 if architecture == "gemma3" else MODULES
    seen = {}
    for name, shape, code, at in gguf.tensors:
        storage, values, size = TYPES[code]
        count = int(np.prod(shape)) // values
        path = module(name, names)
        expected = decode(storage, np.asarray(gguf.bytes[at : at + count * size]).reshape(-1, size))
        expected = expected.reshape(shape)
        if architecture == "gemma3" and len(shape) == 1:
            expected = expected - 1
        heads = {"q_proj": "num_attention_heads", "k_proj": "num_key_value_heads"}.get(path.rsplit(".", 1)[-1])
        if architecture == "llama" and heads:
            count = config[heads]
            expected = expected.reshape(count, -1, 2, shape[1]).swapaxes(1, 2).reshape(shape)
        weight = arrays.pop(f"{path}.weight")
        if f"{path}.scales" in arrays:
            affine = quantization.get(path, quantization)
            scales, biases = (arrays.pop(f"{path}.{part}").astype(mx.float32) for part in ("scales", "biases"))
            weight = mx.dequantize(weight, scales, biases, group_size=affine["group_size"], bits=affine["bits"])
        else:
            assert len(shape) == 1 or not quantization or quantization.get(path) is False, path
        found = np.array(weight.astype(mx.float32))
        assert found.shape == tuple(shape), (path, found.shape, shape)
        differ = found != expected.astype(np.float32)
        assert not differ.any(), (path, storage, int(differ.sum()), float(np.abs(found - expected).max()))
        tensors, weights = seen.get(storage, (0, 0))
        seen[storage] = (tensors + 1, weights + found.size)
    assert not arrays, sorted(arrays)
    for storage, (tensors, weights) in sorted(seen.items()):
        print(f"{storage}: {tensors} tensors, {weights} weights, all equal")


main()
