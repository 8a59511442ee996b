"""Writes tests/data/architectures.json: mlx-lm's answers for tiny checkpoints, one for each architecture and way of storing numbers.

    pip install mlx-lm==0.32.2 mlx==0.32.2 mlx-cpu==0.32.2 tokenizers==0.22.2
    OPENBLAS_NUM_THREADS=1 python tests/oracles/architectures.py > tests/data/architectures.json
    ... architectures.py --only qwen3 --modes plain,mxfp4 --keep FOLDER > some.json     # some, and the checkpoints themselves

The weights are no file: both sides compute them from the tensor's name (`values`; tests/models/values.rs) and quantise them with
MLX. Each case has the digest of every tensor that mlx-lm saved, so a program that makes other weights notices it before it
compares logits. As in the engine on a CPU, parameters are cast to float32 before anything is computed.

Before anything is written, each checkpoint is loaded again by mlx-lm: the logits must be those from before saving, and those of
the prompt in steps of 5 and one by one. What the answers would notice is measured by architectures_faults.py.
"""

import argparse
import contextlib
import copy
import hashlib
import json
import shutil
import sys
import tempfile
from pathlib import Path

import mlx.core as mx
import mlx.nn as nn
import numpy as np
from mlx.utils import tree_flatten, tree_unflatten
from mlx_lm.convert import mixed_quant_predicate_builder
from mlx_lm.models.cache import make_prompt_cache
from mlx_lm.utils import _get_classes, load_model, quantize_model, save_config, save_model

# mlx-lm 0.32.2 passes `global_scale` to MLX, which has it after 0.32.2; it is None but in nvfp4 with global scales.
_gather_qmm = mx.gather_qmm
mx.gather_qmm = lambda *a, global_scale=None, **k: _gather_qmm(*a, **k)
# MLX gives bfloat16 for the embedding of every mode but affine, whatever the type of the model; here all is float32.
nn.QuantizedEmbedding.__call__ = lambda self, x: mx.dequantize(
    self["weight"][x], scales=self["scales"][x], biases=self["biases"][x] if self.get("biases") is not None else None,
    group_size=self.group_size, bits=self.bits, mode=self.mode, dtype=mx.float32)

VOCABULARY = 96
PROMPT = [(n * 37 + n * n) % 91 for n in range(23)]
TOKENS = 8
WINDOW = 8  # shorter than the prompt
SIZES = dict(
    hidden_size=128, intermediate_size=256, num_hidden_layers=4, num_attention_heads=4, num_key_value_heads=2,
    head_dim=32, vocab_size=VOCABULARY, rms_norm_eps=1e-5, max_position_embeddings=4096, rope_theta=10000.0,
)
LLAMA3 = dict(rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=16)
YARN = dict(rope_type="yarn", factor=4.0, original_max_position_embeddings=16, beta_fast=32.0, beta_slow=1.0, truncate=False)
LINEAR = dict(rope_type="linear", factor=8.0)
SLIDING_AND_FULL = ["sliding_attention", "full_attention"]


def sizes(**changes):
    return {k: v for k, v in (SIZES | changes).items() if v is not None}


def qwen3_5(model_type, **changes):
    return dict(model_type=model_type, text_config=sizes(**dict(
        model_type=model_type + "_text", head_dim=64, full_attention_interval=2, linear_num_value_heads=4,
        linear_num_key_heads=2, linear_key_head_dim=32, linear_value_head_dim=32, linear_conv_kernel_dim=4, rope_theta=None,
        rope_parameters=dict(rope_type="default", rope_theta=1e7, partial_rotary_factor=0.25, mrope_section=[3, 3, 2])) | changes))


# The keys are those of published config.json files; the values are small.
CONFIGS = {
    "llama": sizes(model_type="llama", rope_scaling=LLAMA3, tie_word_embeddings=True),
    "mistral": sizes(model_type="mistral", tie_word_embeddings=False, sliding_window=None),
    "mistral_window": sizes(model_type="mistral", tie_word_embeddings=False, sliding_window=WINDOW),
    "ministral3": sizes(
        model_type="ministral3", rope_theta=None, tie_word_embeddings=True,
        rope_parameters=YARN | dict(rope_theta=1e6, llama_4_scaling_beta=0.1, mscale=1.0, mscale_all_dim=1.0)),
    "qwen2": sizes(model_type="qwen2", head_dim=None, tie_word_embeddings=True),
    "qwen3": sizes(model_type="qwen3", head_dim=64, tie_word_embeddings=True),
    "qwen3_yarn": sizes(model_type="qwen3", tie_word_embeddings=False, rope_scaling=YARN),
    "qwen3_moe": sizes(
        model_type="qwen3_moe", tie_word_embeddings=False, num_experts=8, num_experts_per_tok=3, decoder_sparse_step=1,
        mlp_only_layers=[1], moe_intermediate_size=64, norm_topk_prob=True),
    "gemma2": sizes(
        model_type="gemma2", head_dim=64, query_pre_attn_scalar=48, attn_logit_softcapping=50.0, final_logit_softcapping=30.0,
        sliding_window=WINDOW),
    "gemma3_text": sizes(
        model_type="gemma3_text", head_dim=64, num_key_value_heads=1, num_hidden_layers=6, query_pre_attn_scalar=48,
        rope_theta=1e6, rope_local_base_freq=10000.0, sliding_window=WINDOW, sliding_window_pattern=3, rope_scaling=LINEAR),
    "gemma4_text": sizes(
        model_type="gemma4_text", num_hidden_layers=6, num_kv_shared_layers=2, global_head_dim=64, hidden_size_per_layer_input=32,
        vocab_size_per_layer_input=VOCABULARY, sliding_window=WINDOW, rope_theta=None,
        layer_types=SLIDING_AND_FULL * 3, final_logit_softcapping=30.0),
    "gemma4_moe": sizes(
        model_type="gemma4_text", num_hidden_layers=4, num_kv_shared_layers=0, global_head_dim=64, hidden_size_per_layer_input=0,
        sliding_window=WINDOW, rope_theta=None, attention_k_eq_v=True, num_global_key_value_heads=1, enable_moe_block=True,
        num_experts=8, top_k_experts=2, moe_intermediate_size=64, layer_types=SLIDING_AND_FULL * 2),
    "phi3": sizes(model_type="phi3", head_dim=None, tie_word_embeddings=False),
    "phi3_longrope": sizes(
        model_type="phi3", head_dim=None, tie_word_embeddings=True, partial_rotary_factor=0.75,
        original_max_position_embeddings=16, max_position_embeddings=64,
        rope_scaling=dict(type="longrope", short_factor=[1.0] * 12, long_factor=[1 + i / 8 for i in range(12)])),
    "smollm3": sizes(model_type="smollm3", tie_word_embeddings=True, no_rope_layer_interval=4),
    "glm4": sizes(model_type="glm4", attention_bias=True, partial_rotary_factor=0.5, tie_word_embeddings=False),
    "olmo2": sizes(model_type="olmo2", tie_word_embeddings=False),
    "olmo3": sizes(
        model_type="olmo3", tie_word_embeddings=False, sliding_window=WINDOW,
        layer_types=["sliding_attention"] * 3 + ["full_attention"], rope_scaling=YARN),
    "granite": sizes(
        model_type="granite", head_dim=None, tie_word_embeddings=True, embedding_multiplier=3.0, residual_multiplier=0.22,
        attention_multiplier=0.25, logits_scaling=8.0, attention_bias=False, mlp_bias=False),
    "cohere2": sizes(
        model_type="cohere2", sliding_window=WINDOW, sliding_window_pattern=4, layer_norm_eps=1e-5, logit_scale=0.25,
        attention_bias=False, tie_word_embeddings=True),
    "gpt_oss": sizes(
        model_type="gpt_oss", num_local_experts=8, num_experts_per_tok=2, sliding_window=WINDOW, rope_theta=150000,
        intermediate_size=128, layer_types=SLIDING_AND_FULL * 2, rope_scaling=YARN, tie_word_embeddings=False),
    "lfm2": sizes(
        model_type="lfm2", head_dim=None, norm_eps=1e-5, conv_bias=False, conv_L_cache=3, block_dim=128, block_multiple_of=64,
        block_ffn_dim_multiplier=1.0, block_auto_adjust_ff_dim=True, block_ff_dim=384, tie_word_embeddings=True,
        layer_types=["conv", "full_attention", "conv", "full_attention"]),
    "qwen3_5": qwen3_5("qwen3_5", tie_word_embeddings=True),
    "qwen3_5_moe": qwen3_5(
        "qwen3_5_moe", tie_word_embeddings=False, num_experts=8, num_experts_per_tok=2, moe_intermediate_size=64,
        shared_expert_intermediate_size=64, norm_topk_prob=True),
    "qwen3_next": sizes(
        model_type="qwen3_next", head_dim=64, full_attention_interval=2, linear_num_value_heads=4, linear_num_key_heads=2,
        linear_key_head_dim=32, linear_value_head_dim=32, linear_conv_kernel_dim=4, num_experts=8, num_experts_per_tok=2,
        moe_intermediate_size=64, shared_expert_intermediate_size=64, norm_topk_prob=True, decoder_sparse_step=1,
        mlp_only_layers=[], partial_rotary_factor=0.25, tie_word_embeddings=False),
    "mixtral": sizes(
        model_type="mixtral", head_dim=None, num_local_experts=4, num_experts_per_tok=2, tie_word_embeddings=False),
}
PUBLISHED = list(CONFIGS)


def changed(name, **changes):
    """A configuration of above with other values; None takes a key out."""
    return {k: v for k, v in (CONFIGS[name] | changes).items() if v is not None}


def wrapped(model_type, name, outside=(), **changes):
    """As conversions of models that see have it: the text under `text_config`, some of its keys outside."""
    text = changed(name, **changes)
    return dict(model_type=model_type, text_config={k: v for k, v in text.items() if k not in outside},
                vision_config=dict(hidden_size=64, num_hidden_layers=1)) | {k: text[k] for k in outside}


# Traps: where readers have been wrong, where mlx-lm decides by something else than one expects, or where a value is so large or so
# far from its default that ignoring it shows (which architectures_faults.py looks for).
CONFIGS |= {
    "llama_window": changed("llama", sliding_window=WINDOW, layer_types=SLIDING_AND_FULL * 2),
    "llama_traditional": changed("llama", rope_traditional=True, rope_scaling=None, rope_theta=5000.0),
    "llama_tied_by_default": changed("llama", tie_word_embeddings=None),
    "llama_untied": changed("llama", tie_word_embeddings=False, attention_bias=True, mlp_bias=True),
    "qwen3_yarn_long": changed("qwen3_yarn", rope_scaling=YARN | dict(
        original_max_position_embeddings=4096, beta_fast=8.0, beta_slow=2.0, mscale=0.7, mscale_all_dim=0.3)),
    "mistral_heads": changed("mistral", head_dim=64, rope_theta=1e6),
    "gemma3_tied": changed("gemma3_text"),
    "gemma3": wrapped("gemma3", "gemma3_text", outside=("vocab_size",), rms_norm_eps=0.05),
    # As Google published it: what is not said is a default.
    "gemma3_sparse": dict(model_type="gemma3", vocab_size=VOCABULARY, vision_config=dict(hidden_size=64), text_config=dict(
        model_type="gemma3_text", hidden_size=128, intermediate_size=256, num_hidden_layers=6, sliding_window=WINDOW,
        rope_scaling=LINEAR)),
    "mistral3": wrapped("mistral3", "mistral", tie_word_embeddings=None, rope_theta=1e6),
    "mistral3_ministral3": wrapped("mistral3", "ministral3"),
    "gemma4": wrapped(
        "gemma4", "gemma4_text", outside=("vocab_size",), use_double_wide_mlp=True, rms_norm_eps=0.05,
        final_logit_softcapping=10.0, rope_parameters=dict(
            full_attention=dict(rope_type="proportional", rope_theta=5e5, partial_rotary_factor=0.5),
            sliding_attention=dict(rope_type="default", rope_theta=2e4))),
    "qwen3_5_vision": qwen3_5(
        "qwen3_5", tie_word_embeddings=True, linear_conv_kernel_dim=3, rope_parameters=dict(
            rope_type="default", rope_theta=1e6, partial_rotary_factor=0.5, mrope_section=[6, 5, 5]),
    ) | dict(vision_config=dict(hidden_size=64, depth=1)),
    "lfm2_moe": changed(
        "lfm2", model_type="lfm2_moe", num_experts=8, num_experts_per_tok=2, moe_intermediate_size=64, num_dense_layers=1,
        norm_topk_prob=True, use_expert_bias=True, block_dim=None, block_multiple_of=None, block_ffn_dim_multiplier=None,
        block_auto_adjust_ff_dim=None, block_ff_dim=None),
}
# Tensors that conversions carry beside the text, and mlx-lm drops.
VISION = {
    "vision_tower.vision_model.embeddings.patch_embedding.weight": [64, 4, 4, 3],
    "vision_tower.vision_model.encoder.layers.0.self_attn.q_proj.weight": [64, 64],
    "vision_tower.vision_model.encoder.layers.0.layer_norm1.bias": [64],
}
BESIDE = {
    "gemma3": VISION | {
        "multi_modal_projector.mm_input_projection_weight": [64, 128], "multi_modal_projector.mm_soft_emb_norm.weight": [64]},
    "mistral3": VISION | {"multi_modal_projector.linear_1.weight": [128, 64], "multi_modal_projector.norm.weight": [64]},
    "gemma4": VISION | {
        "audio_tower.layers.0.norm_out.weight": [64], "embed_vision.embedding_projection.weight": [128, 64],
        "embed_audio.embedding_projection.weight": [128, 64],
        # Keys and values of layers that share those of an earlier one.
        "language_model.model.layers.5.self_attn.k_proj.weight": [128, 128],
        "language_model.model.layers.5.self_attn.v_proj.weight": [128, 128],
        "language_model.model.layers.5.self_attn.k_norm.weight": [64]},
    "qwen3_5_vision": VISION | {"mtp.fc.weight": [128, 256], "mtp.norm.weight": [128]},
}
BESIDE |= {"mistral3_ministral3": BESIDE["mistral3"], "gemma3_sparse": BESIDE["gemma3"]}
# As transformers 5 spells ropes: the configuration is the new one, the answer mlx-lm's for the old one, since it reads most of
# these with its default base in silence. Other values far from their defaults come along.
TRANSFORMERS_5 = {
    "llama": dict(rope_theta=5e5, rope_scaling=LLAMA3 | dict(low_freq_factor=2.0, high_freq_factor=6.0)),
    "mistral": dict(rope_theta=1e6),
    "qwen2": dict(rope_theta=5e5),
    "qwen3_yarn": dict(rope_theta=1e6),
    "qwen3_moe": dict(rope_theta=1e6, mlp_only_layers=[], decoder_sparse_step=2),
    "gemma2": dict(rope_theta=5e4, rms_norm_eps=0.05, attn_logit_softcapping=20.0, final_logit_softcapping=10.0),
    "gemma3_text": dict(rope_theta=5e5, rope_local_base_freq=2e4),
    "phi3_longrope": dict(rope_theta=5e4),
    "smollm3": dict(rope_theta=5e5, no_rope_layers=[1, 0, 1, 1]),
    "glm4": dict(rope_theta=5e4),
    "olmo2": dict(rope_theta=5e5),
    "olmo3": dict(rope_theta=5e5, layer_types=SLIDING_AND_FULL * 2),
    "granite": dict(rope_theta=5e4, rms_norm_eps=0.05),
    "cohere2": dict(rope_theta=5e4, layer_norm_eps=0.05, sliding_window_pattern=2),
    "gpt_oss": dict(rope_theta=5e4, rms_norm_eps=0.05, layer_types=["full_attention"] + ["sliding_attention"] * 2 + ["full_attention"]),
    "mixtral": dict(rope_theta=5e5, rms_norm_eps=0.05, num_experts_per_tok=3),
}
OLD_SPELLING = {}
for _name, _changes in TRANSFORMERS_5.items():
    _old = changed(_name, **_changes)
    _new = {k: v for k, v in _old.items() if k not in ("rope_theta", "rope_scaling", "partial_rotary_factor")}
    _scaling = dict(_old.get("rope_scaling") or {})
    _rope = dict(rope_type=_scaling.pop("type", "default")) | _scaling | dict(rope_theta=_old["rope_theta"])
    if "partial_rotary_factor" in _old:
        _rope["partial_rotary_factor"] = _old["partial_rotary_factor"]
    if "sliding_window_pattern" in _new:  # layers are listed now
        _pattern = _new.pop("sliding_window_pattern")
        _new["layer_types"] = (["sliding_attention"] * (_pattern - 1) + ["full_attention"]) * (_old["num_hidden_layers"] // _pattern)
    if "rope_local_base_freq" in _new:
        _rope = dict(full_attention=_rope, sliding_attention=dict(rope_type="default", rope_theta=_new.pop("rope_local_base_freq")))
    CONFIGS[f"{_name}_v5"], OLD_SPELLING[f"{_name}_v5"] = _new | dict(rope_parameters=_rope), _old

# Groups, bits, mode; None: not quantised.
MODES = {
    "plain": None,
    "affine2": (32, 2, "affine"), "affine3": (64, 3, "affine"), "affine4": (64, 4, "affine"), "affine5": (32, 5, "affine"),
    "affine6": (64, 6, "affine"), "affine8": (128, 8, "affine"),
    "mxfp4": (32, 4, "mxfp4"), "mxfp8": (32, 8, "mxfp8"), "nvfp4": (16, 4, "nvfp4"),
}
# Mixed precision as its recipe of mlx-lm does it.
RECIPES = {"mixed_3_6": 64, "mixed_4_6": 64}


def mxfp4_q8(path, module):
    """As most conversions of gpt-oss: experts of 4 bits as published, the rest of 8, in another mode than the default."""
    return True if ".experts." in path else {"group_size": 64, "bits": 8}


def unnamed(path, module):
    """Some paths differ from the default, and `quantization` will not say so."""
    if path.endswith("v_proj"):
        return {"group_size": 32, "bits": 8}
    return {"group_size": 32, "bits": 4, "mode": "mxfp4"} if path.endswith("up_proj") else not path.endswith("layers.2.mlp.down_proj")


SPECIAL = {"mxfp4_q8": ((32, 4, "mxfp4"), mxfp4_q8), "unnamed": ((64, 4, "affine"), unnamed)}
IN_ALL_MODES = ["llama", "qwen3", "qwen3_moe", "gpt_oss", "phi3", "gemma3_text"]
IN_OTHER_TYPES = ["llama", "gemma2", "qwen3_5_moe"]
TYPES = {"BF16": mx.bfloat16, "F16": mx.float16, "F32": mx.float32}


# Gemma 3 has a head where the weights have one, whatever the configuration says.
TIED_BY_WHAT_IS_MISSING = ("gemma3_tied", "gemma3", "gemma3_sparse")


def cases():
    """(configuration, mode, type of floating-point tensors)"""
    for name in CONFIGS:
        modes = ["plain"] if name in OLD_SPELLING else ["plain", "affine4", "mxfp4"]
        modes += [m for m in [*MODES, *RECIPES] if m not in modes] if name in IN_ALL_MODES else []
        modes += ["mxfp4_q8"] if name == "gpt_oss" else ["unnamed"] if name == "qwen3" else []
        yield from ((name, mode, "BF16") for mode in modes)
        yield from ((name, "plain", dtype) for dtype in ["F16", "F32"] if name in IN_OTHER_TYPES)


def words(name, count):
    """SplitMix64, begun at the FNV-1a hash of the name."""
    seed = 0xCBF29CE484222325
    for byte in name.encode():
        seed = (seed ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    step = np.arange(1, count + 1, dtype=np.uint64)
    with np.errstate(over="ignore"):
        z = np.uint64(seed) + step * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ z >> np.uint64(30)) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ z >> np.uint64(27)) * np.uint64(0x94D049BB133111EB)
        return z ^ z >> np.uint64(31)


def values(name, shape):
    """Eight bits each, so that they are exact in every floating-point type; norms around 1, the rest around 0."""
    byte = (words(name, int(np.prod(shape))) >> np.uint64(56)).astype(np.float32).reshape(shape)
    if name.endswith("A_log"):
        return byte / 128  # decays e^-1 to e^-7.4 a step times softplus
    if any(part in name for part in ("q_norm", "k_norm", "q_layernorm", "k_layernorm")):
        return (64 + byte % 64) / 128  # larger, and attention sees one key only: its faults would not show
    if "norm" in name or name.endswith((".scale", "layer_scalar", "per_expert_scale")):
        return (64 + byte % 64) / 64
    # Of unit variance in, about unit variance out. A convolution's weight is [channels, kernel, 1].
    fan = 4 if len(shape) == 1 else shape[-2] if shape[-1] == 1 else shape[-1]
    scale = 2.0 ** round(np.log2(1.7 / np.sqrt(fan)))
    if ".experts.gate_proj" in name or ".experts.up_proj" in name:
        scale *= 8  # of gpt-oss: some must be clipped at 7
    return (byte - 128) / 128 * np.float32(scale)


def flat(model):
    return dict(tree_flatten(model.parameters()))


def cast(model, to, which=lambda path: True):
    floating = lambda name, a: which(name) and mx.issubdtype(a.dtype, mx.floating)
    model.update(tree_unflatten([(n, a.astype(to) if floating(n, a) else a) for n, a in flat(model).items()]))
    mx.eval(model.parameters())


def build(name, dtype):
    """mlx-lm's model with values from names, as `mlx_lm.convert` casts them."""
    config = copy.deepcopy(OLD_SPELLING.get(name, CONFIGS[name]))
    model_class, args_class = _get_classes(config)
    model = model_class(args_class.from_dict(copy.deepcopy(config)))
    if name in TIED_BY_WHAT_IS_MISSING:
        text = getattr(model, "language_model", model)
        text.sanitize({})  # of weights without a head: tied
    model.update(tree_unflatten([(n, mx.array(values(n, old.shape))) for n, old in flat(model).items()]))
    cast(model, dtype, getattr(model, "cast_predicate", lambda path: True))
    return model, config


def quantised(model, config, mode):
    """The model stored as `mode` says, and its configuration with a `quantization`."""
    own = getattr(model, "quant_predicate", None)
    if mode in RECIPES:
        group = RECIPES[mode]
        return quantize_model(model, config, group, 4, quant_predicate=mixed_quant_predicate_builder(mode, model, group))
    (group, bits, kind), predicate = SPECIAL.get(mode, (MODES.get(mode), own)) if mode != "plain" else ((0, 0, ""), None)
    if not bits:
        return model, config
    model, config = quantize_model(model, config, group, bits, mode=kind, quant_predicate=predicate)
    if mode == "unnamed":
        config["quantization"] = {k: config["quantization"][k] for k in ("group_size", "bits", "mode")}
    return model, config


def header(file):
    data = file.read_bytes()
    length = int.from_bytes(data[:8], "little")
    found = json.loads(data[8 : 8 + length])
    found.pop("__metadata__", None)
    return {n: (t["dtype"], t["shape"], data[8 + length + t["data_offsets"][0] : 8 + length + t["data_offsets"][1]])
            for n, t in sorted(found.items())}


def digest(tensors):
    """SHA-256 over `name dtype shape\\n` and the bytes of each tensor, in order of their names' bytes."""
    sha = hashlib.sha256()
    for name, (dtype, shape, data) in tensors.items():
        sha.update(f"{name} {dtype} {'x'.join(map(str, shape))}\n".encode() + data)
    return sha.hexdigest()


def how_stored(module):
    return [module.group_size, module.bits, module.mode] if hasattr(module, "bits") else None


def said(quantization, path):
    """What a reader of `quantization` alone would take: `path`'s own entry, or the default."""
    entry = quantization.get(path, True)
    entry = quantization if entry is True else entry
    return [entry["group_size"], entry["bits"], entry.get("mode", "affine")] if entry else None


def logits(model, ids, step):
    cache = make_prompt_cache(model)
    rows = [model(mx.array(ids[i : i + step])[None], cache=cache)[0] for i in range(0, len(ids), step)]
    out = mx.concatenate(rows).astype(mx.float32)
    mx.eval(out)
    return np.array(out)


def greedy(model):
    """Tokens, and the least distance between the best and the second best logit."""
    cache, tokens, margin = make_prompt_cache(model), [], np.inf
    ids = PROMPT
    for _ in range(TOKENS):
        row = np.array(model(mx.array(ids)[None], cache=cache)[0, -1].astype(mx.float32))
        second, first = np.sort(row)[-2:]
        ids, margin = [int(row.argmax())], min(margin, float(first - second))
        tokens += ids
    return tokens, margin


def tokenizer(folder):
    """One word a token: `w0`, `w1`, ..."""
    from tokenizers import Tokenizer, models, pre_tokenizers

    t = Tokenizer(models.WordLevel({f"w{i}": i for i in range(VOCABULARY)}, unk_token="w0"))
    t.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    t.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(
        json.dumps({"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": "w1", "bos_token": "w0"}))


def one(name, mode, dtype, folder):
    """A case, and its configuration with the list of its tensors."""
    model, config = build(name, TYPES[dtype])
    plain = flat(model)
    paths = [path for path, m in model.named_modules() if hasattr(m, "to_quantized")]
    model, config = quantised(model, config, mode)
    folder.mkdir(parents=True)
    save_model(folder, model)
    (folder / "model.safetensors.index.json").unlink()
    beside = {n: mx.array(values(n, shape)).astype(TYPES[dtype]) for n, shape in BESIDE.get(name, {}).items()}
    if beside:
        mx.save_safetensors(str(folder / "model.safetensors"), flat(model) | beside, metadata={"format": "mlx"})
    ends = dict(eos_token_id=1, bos_token_id=0)
    save_config(copy.deepcopy(config) | ends, folder / "config.json", keep_vision_config=True)
    loaded, _ = load_model(folder)  # with the old spelling of ropes, if mlx-lm knows only that
    saved = CONFIGS[name] | {k: v for k, v in config.items() if k == "quantization"} | ends
    save_config(copy.deepcopy(saved), folder / "config.json", keep_vision_config=True)
    tokenizer(folder)

    modules = dict(model.named_modules())
    quantization = saved.get("quantization")
    otherwise = {p: how_stored(modules[p]) for p in paths if quantization and how_stored(modules[p]) != said(quantization, p)}
    tensors = [f"{n} {'x'.join(map(str, a.shape))}" + (" q" if n.removesuffix(".weight") in paths and n.endswith(".weight") else "")
               + (" F32" if dtype != "F32" and a.dtype == mx.float32 else "") for n, a in (plain | beside).items()]

    cast(model, mx.float32), cast(loaded, mx.float32)
    whole = logits(loaded, PROMPT, len(PROMPT))
    tokens, margin = greedy(loaded)
    apart = {
        "before saving": (logits(model, PROMPT, len(PROMPT)), 0), "steps of 5": (logits(loaded, PROMPT, 5), 1e-4),
        "one by one": (logits(loaded, PROMPT, 1), 1e-4)}
    for what, (rows, most) in apart.items():
        assert np.abs(rows - whole).max() <= most, f"{name} {mode}: {what}: {np.abs(rows - whole).max()}"
    assert np.isfinite(whole).all() and np.abs(whole[-1]).max() > 0.1, (name, mode)
    case = dict(
        name=name, mode=mode, dtype=dtype, sha256=digest(header(folder / "model.safetensors")),
        quantization=quantization, stored_otherwise=otherwise,
        logits=[[round(float(v), 6) for v in whole[p]] for p in (0, len(PROMPT) - 1)], tokens=tokens, margin=round(margin, 6))
    return {k: v for k, v in case.items() if v not in ({}, None)}, dict(config=CONFIGS[name] | ends, tensors=sorted(tensors))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", help="configurations")
    parser.add_argument("--modes")
    parser.add_argument("--types")
    parser.add_argument("--keep", type=Path, help="leave the checkpoints in this folder, as CONFIGURATION-MODE")
    args = parser.parse_args()
    mx.set_default_device(mx.cpu)
    asked = lambda given, value: given is None or value in given.split(",")
    configurations, lines = {}, []
    with tempfile.TemporaryDirectory() as scratch:
        for name, mode, dtype in cases():
            if not (asked(args.only, name) and asked(args.modes, mode) and asked(args.types, dtype)):
                continue
            folder = (args.keep or Path(scratch)) / f"{name}-{mode}{'' if dtype == 'BF16' else '-' + dtype.lower()}"
            shutil.rmtree(folder, ignore_errors=True)
            with contextlib.redirect_stdout(sys.stderr):  # mlx-lm prints how many bits a weight has
                case, configuration = one(name, mode, dtype, folder)
            if dtype == "BF16":
                same = configurations.setdefault(name, configuration)
                assert same == configuration, (name, mode)
            lines.append(json.dumps(case, separators=(",", ":")))
            print(f"{folder.name}: margin {case['margin']}, last {min(case['logits'][1])} to {max(case['logits'][1])}", file=sys.stderr)
            if not args.keep:
                shutil.rmtree(folder)
    # Many configurations have the same tensors.
    lists, named = {}, {}
    for name, configuration in configurations.items():
        tensors = configuration["tensors"]
        key = json.dumps(tensors)
        configuration["tensors"] = named.setdefault(key, name)
        lists.setdefault(named[key], tensors)
    compact = lambda entries: ",\n".join(f"{json.dumps(k)}:{json.dumps(v, separators=(',', ':'))}" for k, v in entries.items())
    print('{"made_by": "tests/oracles/architectures.py, mlx-lm 0.32.2, mlx 0.32.2",')
    print(f'"ids": {json.dumps(PROMPT)},\n"tensors": {{\n{compact(lists)}\n}},')
    print(f'"configurations": {{\n{compact(configurations)}\n}},\n"cases": [\n' + ",\n".join(lines) + "\n]}")


if __name__ == "__main__":
    main()
