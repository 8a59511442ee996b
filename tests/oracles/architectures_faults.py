"""Would the answers in tests/data/architectures.json notice a fault? Writes tests/data/architectures_faults.txt.

    OPENBLAS_NUM_THREADS=1 python tests/oracles/architectures_faults.py > tests/data/architectures_faults.txt

Breaks one thing at a time in mlx-lm's own models and says how far the answers move at the two positions that are compared:
each tensor (its values turned by one place), each key of each configuration, and a list of mistakes that decoders make.
"""

import copy
import importlib
import json
import platform
import sys

import architectures as a
import mlx.core as mx
import mlx.nn as nn
import numpy as np
from mlx.utils import tree_unflatten
from mlx_lm.models import activations, base, rope_utils
from mlx_lm.utils import _get_classes

NOTICED = 1e-3  # ten times what a comparison allows


def answer(model):
    return a.logits(model, a.PROMPT, len(a.PROMPT))[[0, -1]]


def plain(name):
    model, _ = a.build(name, mx.bfloat16)
    a.cast(model, mx.float32)
    return model


def tensors(name):
    """Distance by tensor."""
    model = plain(name)
    right, parameters = answer(model), a.flat(model)
    moved = {}
    for path, value in parameters.items():
        turned = mx.roll(value.flatten(), 1).reshape(value.shape) if value.size > 1 else value * 1.25
        model.update(tree_unflatten([(path, turned)]))
        moved[path] = float(np.abs(answer(model) - right).max())
        model.update(tree_unflatten([(path, value)]))
    return moved


def others(value):
    """What a key may say instead; None: the key is not there."""
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, int):
        return [None, value + 1, value * 2]
    if isinstance(value, float):
        return [None, value * 1.5]
    if isinstance(value, str):
        return [None]
    if isinstance(value, list):
        return [None, value[::-1]]
    return [None] if value else []


def keys(config, path=()):
    for key, value in config.items():
        if isinstance(value, dict):
            yield from keys(value, (*path, key))
        yield from (((*path, key), other) for other in others(value))


def with_key(config, path, value):
    changed = copy.deepcopy(config)
    inner = changed
    for key in path[:-1]:
        inner = inner[key]
    if value is None:
        del inner[path[-1]]
    else:
        inner[path[-1]] = value
    return changed


def by_key(name):
    """The largest distance by key and whether it was changed or missing; the weights stay those of the right configuration."""
    model = plain(name)
    right, parameters = answer(model), a.flat(model)
    config = a.OLD_SPELLING.get(name, a.CONFIGS[name])
    moved = {}
    for path, value in keys(config):
        if path[-1] in ("model_type", "hidden_size", "vision_config") or "vision_config" in path:
            continue
        key = ".".join(path)
        try:
            wrong = with_key(config, path, value)
            model_class, args_class = _get_classes(wrong)
            other = model_class(args_class.from_dict(wrong))
            if name in a.TIED_BY_WHAT_IS_MISSING:
                getattr(other, "language_model", other).sanitize({})
            other.load_weights(list(parameters.items()))
            distance = float(np.abs(answer(other) - right).max())
        except Exception:  # noqa: BLE001: it does not fit the weights, and that is noticed
            distance = np.inf
        kind = "missing" if value is None else "changed"
        moved[key, kind] = max(moved.get((key, kind), 0), distance if np.isfinite(distance) else np.inf)
    return moved


def patched(module, attribute, wrong, names, everywhere=True):
    """Distances of `names` while `module.attribute` is something else, `everywhere` also where it was imported from there."""
    right = {name: answer(plain(name)) for name in names}
    places = [m for m in list(sys.modules.values()) if getattr(m, "__name__", "").startswith(("mlx_lm.", "mlx."))]
    old = getattr(module, attribute)
    places = [module] + [m for m in places if everywhere and m is not module and getattr(m, attribute, None) is old]
    try:
        for place in places:
            setattr(place, attribute, wrong(old))
        return {name: float(np.abs(answer(plain(name)) - right[name]).max()) for name in names}
    finally:
        for place in places:
            setattr(place, attribute, old)


def mistakes():
    module = lambda name: importlib.import_module(f"mlx_lm.models.{name}")
    fast = mx.fast
    mask = lambda old: lambda h, cache=None, window_size=None, **k: old(
        h, cache, window_size=window_size and window_size + 1, **k)
    windows = ["llama_window", "gemma2", "gemma3_text", "gemma4_text", "olmo3", "cohere2", "gpt_oss"]
    yield "window one longer", patched(base, "create_attention_mask", mask, windows)
    without = lambda old: lambda q, k, v, *x, sinks=None, **y: old(q, k, v, *x, **y)
    yield "sinks left out", patched(fast, "scaled_dot_product_attention", without, ["gpt_oss"])
    yield "erf gelu for tanh gelu", patched(nn, "gelu_approx", lambda old: nn.gelu, ["gemma2", "gemma3_text", "gemma4_text", "gemma4_moe"])
    gain = lambda old: lambda self, x, offset=0: old(self, x / self.mscale, offset)
    yield "yarn gain left out", patched(rope_utils.YarnRoPE, "__call__", gain, ["gpt_oss", "qwen3_yarn", "olmo3"])

    class Unrounded:
        """MLX, but a number that is to be rounded to bfloat16 is not."""

        bfloat16 = mx.float32
        __getattr__ = lambda self, name: getattr(mx, name)

    yield "embedding's factor not rounded to bfloat16", patched(
        module("gemma3_text"), "mx", lambda old: Unrounded(), ["gemma3_text"], everywhere=False)
    unclipped = lambda old: lambda gate, x, **k: gate * mx.sigmoid(1.702 * gate) * (x + 1)
    yield "no clipping at 7", patched(activations, "swiglu_oai", unclipped, ["gpt_oss"])
    both = lambda old: lambda gate, x, **k: old(mx.maximum(gate, -7), x, **k)
    yield "gate clipped from below, too", patched(activations, "swiglu_oai", both, ["gpt_oss"])
    silu = lambda old: lambda gate, x, **k: nn.silu(gate) * x
    yield "silu for the clipped activation", patched(activations, "swiglu_oai", silu, ["gpt_oss"])
    one = lambda old: lambda x, weight, eps: old(x, weight - 1 if weight is not None else None, eps)
    yield "w for 1 + w in norms", patched(fast, "rms_norm", one, ["gemma2", "gemma3_text"])
    more = lambda old: lambda x, weight, eps: old(x, weight, 1e-3)
    yield "another epsilon in norms", patched(fast, "rms_norm", more, ["llama", "qwen3", "gemma3_text", "gpt_oss", "lfm2", "qwen3_5"])
    pairs = lambda old: lambda x, dims, *, traditional, **k: old(x, dims, traditional=not traditional, **k)
    turned = ["llama", "llama_traditional", "glm4", "cohere2", "phi3", "qwen3_5"]
    yield "the other order of pairs in rope", patched(fast, "rope", pairs, turned)


def main():
    mx.set_default_device(mx.cpu)
    mx.disable_compile()  # a compiled function keeps what it called when it was compiled
    versions = f"mlx-lm 0.32.2, MLX {mx.__version__}, numpy {np.__version__}, Python {platform.python_version()}"
    print(f"Written by tests/oracles/architectures_faults.py on 27 November 2026: {versions}, {platform.machine()}.")
    print("How far the compared logits move (the comparison allows 1e-4) if one thing is wrong. Windows that mlx-lm ignores (Gemma 2's)")
    print("move nothing, and a gate of gpt-oss that is clipped from below, too, is not noticed: nothing passes there anyway.\n\nMistakes:")
    for what, moved in mistakes():
        print(f"  {what}: " + ", ".join(f"{name} {distance:.1e}" for name, distance in moved.items()), flush=True)
    names = [name for name in a.CONFIGS if name not in a.OLD_SPELLING]
    print("\nEach tensor, its values turned by one place: the tensor that moves them least, by configuration. (The last layer's scalar")
    print("in Gemma 4 is taken out again by the norm behind it.)")
    for name in names:
        moved = tensors(name)
        blind = [path for path in moved if moved[path] < NOTICED]
        least = min(moved.keys() - blind, key=moved.get)
        print(f"  {name} ({len(moved)}): {least} {moved[least]:.1e}" + "".join(f"; not noticed: {path}" for path in blind), flush=True)
    print("\nEach key of every configuration, changed or missing: those that no configuration of the same model_type notices, since")
    print("mlx-lm ignores the key, its value is the default or does not matter to 23 positions.")
    kinds = {}
    for name, config in a.CONFIGS.items():
        of_type = kinds.setdefault(config["model_type"], {})
        for key, distance in by_key(name).items():
            of_type[key] = max(of_type.get(key, 0), distance)
    for kind, moved in kinds.items():
        blind = lambda what: ", ".join(sorted(key for (key, how), distance in moved.items() if how == what and distance < NOTICED))
        print(f"  {kind}: changed: {blind('changed') or 'none'}; missing: {blind('missing') or 'none'}", flush=True)


if __name__ == "__main__":
    main()
