"""Writes tests/data/llama_variants.json: mlx-lm's logits of small Llama models, one for each kind of checkpoint.

    pip install mlx-lm==0.32.2 mlx==0.32.2 mlx-cpu==0.32.2
    python tests/oracles/llama_variants.py > tests/data/llama_variants.json

The weights are no file: both sides compute them from the tensor's name (`weight` below, tests/llama/mod.rs there), and
each value is exact in float32, float16 and bfloat16. As in the engine on a CPU, parameters are cast to float32.
"""

import json
import sys
import tempfile
from pathlib import Path

import mlx.core as mx
import numpy as np
from mlx.utils import tree_map
from mlx_lm.models.cache import make_prompt_cache
from mlx_lm.utils import load_model

IDS = [7, 0, 63, 12, 12, 5, 41, 30, 2]
BASE = {
    "model_type": "llama",
    "hidden_size": 128,
    "intermediate_size": 256,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 64,
    "rms_norm_eps": 1e-5,
    "rope_theta": 10000.0,
    "tie_word_embeddings": True,
}
LLAMA3 = {
    "rope_type": "llama3",
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 16,
}
FOUR = {"group_size": 64, "bits": 4}
# name: (what differs from BASE, dtype of floating-point tensors)
VARIANTS = {
    "plain float32": ({}, "F32"),
    "plain bfloat16, untied": ({"tie_word_embeddings": False}, "BF16"),
    "4 bits, groups of 64": ({"quantization": FOUR}, "F16"),
    "4 bits, groups of 32, bfloat16": ({"quantization": {"group_size": 32, "bits": 4}}, "BF16"),
    "8 bits, groups of 128, untied": (
        {"quantization": {"group_size": 128, "bits": 8}, "tie_word_embeddings": False},
        "F16",
    ),
    "mixed: overrides of bits, one layer not quantised": (
        {
            "quantization": FOUR
            | {
                "model.embed_tokens": {"group_size": 32, "bits": 8},
                "model.layers.1.mlp.down_proj": {"group_size": 64, "bits": 8},
                "model.layers.0.self_attn.v_proj": False,
            }
        },
        "F16",
    ),
    "llama3 rope": ({"quantization": FOUR, "rope_theta": 500000.0, "rope_scaling": LLAMA3}, "F16"),
    "linear rope, by the older of two keys": (
        {"rope_scaling": {"type": "linear", "rope_type": "default", "factor": 4.0}},
        "F32",
    ),
    "biases in attention and MLP": ({"quantization": FOUR, "attention_bias": True, "mlp_bias": True}, "F16"),
    "heads wider than hidden / heads": ({"head_dim": 64, "quantization": FOUR}, "F16"),
    "as many key-value heads as heads, by default": ({"num_key_value_heads": None}, "F32"),
    "both spellings of the quantisation": ({"quantization": FOUR, "quantization_config": FOUR}, "F16"),
}


def random_words(name, count):
    """SplitMix64 from the FNV-1a hash of the name."""
    seed = 0xCBF29CE484222325
    for byte in name.encode():
        seed = (seed ^ byte) * 0x100000001B3 % 2**64
    with np.errstate(over="ignore"):
        z = np.uint64(seed) + np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))


def weight(name, shape, kind):
    words = random_words(name, int(np.prod(shape)))
    if kind == "packed":
        return (words >> np.uint64(32)).astype(np.uint32).reshape(shape)
    byte = (words >> np.uint64(56)).astype(np.float32)
    if kind == "norm":  # 1 to 2
        return ((64 + byte % 64) / 64).reshape(shape)
    # -1 to 1 times a power of two
    return ((byte - 128) / 128 * np.float32(kind)).reshape(shape)


def tensors(config):
    heads, kv = config["num_attention_heads"], config.get("num_key_value_heads") or config["num_attention_heads"]
    hidden, inner, vocab = config["hidden_size"], config["intermediate_size"], config["vocab_size"]
    dim = config.get("head_dim") or hidden // heads
    quantization = config.get("quantization")
    found = {}

    def linear(path, rows, columns, bias=False):
        if bias:
            found[f"{path}.bias"] = weight(f"{path}.bias", [rows], 2**-3)
        how = quantization and quantization.get(path, quantization)
        if not how:
            found[f"{path}.weight"] = weight(f"{path}.weight", [rows, columns], 2**-3)
            return
        bits, groups = how["bits"], columns // how["group_size"]
        found[f"{path}.weight"] = weight(f"{path}.weight", [rows, columns * bits // 32], "packed")
        found[f"{path}.scales"] = weight(f"{path}.scales", [rows, groups], 2.0 ** -(bits + 2))
        found[f"{path}.biases"] = weight(f"{path}.biases", [rows, groups], 2**-4)

    def norm(path):
        found[f"{path}.weight"] = weight(f"{path}.weight", [hidden], "norm")

    linear("model.embed_tokens", vocab, hidden)
    for layer in range(config["num_hidden_layers"]):
        path, bias = f"model.layers.{layer}", config.get("attention_bias", False)
        linear(f"{path}.self_attn.q_proj", heads * dim, hidden, bias)
        linear(f"{path}.self_attn.k_proj", kv * dim, hidden, bias)
        linear(f"{path}.self_attn.v_proj", kv * dim, hidden, bias)
        linear(f"{path}.self_attn.o_proj", hidden, heads * dim, bias)
        bias = config.get("mlp_bias", False)
        linear(f"{path}.mlp.gate_proj", inner, hidden, bias)
        linear(f"{path}.mlp.up_proj", inner, hidden, bias)
        linear(f"{path}.mlp.down_proj", hidden, inner, bias)
        norm(f"{path}.input_layernorm")
        norm(f"{path}.post_attention_layernorm")
    norm("model.norm")
    if not config["tie_word_embeddings"]:
        linear("lm_head", vocab, hidden)
    return found


def logits(config, dtype):
    kind = {"F32": mx.float32, "F16": mx.float16, "BF16": mx.bfloat16}[dtype]
    arrays = {}
    for name, values in tensors(config).items():
        array = mx.array(values)
        arrays[name] = array if array.dtype == mx.uint32 else array.astype(kind)
        if array.dtype != mx.uint32:
            assert mx.array_equal(arrays[name].astype(mx.float32), array), name
    with tempfile.TemporaryDirectory() as folder:
        mx.save_safetensors(f"{folder}/model.safetensors", arrays)
        (Path(folder) / "config.json").write_text(json.dumps(config))
        model, _ = load_model(Path(folder))
        floats = lambda a: a.astype(mx.float32) if mx.issubdtype(a.dtype, mx.floating) else a
        model.update(tree_map(floats, model.parameters()))
        out = model(mx.array(IDS)[None], cache=make_prompt_cache(model))[0]
        mx.eval(out)
        return out


def main():
    mx.set_default_device(mx.cpu)
    lines = []
    for name, (changes, dtype) in VARIANTS.items():
        config = BASE | changes
        out = logits(config, dtype)
        rows = {str(position): [round(v, 6) for v in out[position].tolist()] for position in (0, len(IDS) - 1)}
        lines.append(json.dumps({"name": name, "dtype": dtype, "config": config, "logits": rows}))
        print(name, out[-1].max().item(), out[-1].min().item(), file=sys.stderr)
    head = {"made_by": "tests/oracles/llama_variants.py, mlx-lm 0.32.2, mlx 0.32.2", "ids": IDS}
    print(json.dumps(head)[:-1] + ', "variants": [\n' + ",\n".join(lines) + "\n]}")


main()
