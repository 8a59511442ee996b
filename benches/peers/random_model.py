"""Writes a GGUF file in the shape of Llama-3.2-1B, or of four layers of Llama-3.1-8B, with random weights, for the speed of a larger
model: it says nothing sensible, and no number made with it is a measurement of that model.

    random_model.py SmolLM2.gguf OUT.gguf [1b | 8b-layers]

Layers are Q4_1, the embedding, which is the head too, Q8_0, norms are ones. The tokenizer is SmolLM2's, filled up to the size of the
vocabulary with tokens that are never produced from text. Positions are rotated without Llama 3's scaling, which costs the same.
"""

import sys

import numpy as np
from gguf import GGMLQuantizationType, GGUFReader, GGUFWriter

# Hidden and inner size, layers, heads, heads of keys and values, vocabulary: four layers have the tokenizer's own.
SHAPES = {"1b": (2048, 8192, 16, 32, 8, 128256), "8b-layers": (4096, 14336, 4, 32, 8, 49152)}
random = np.random.default_rng(20251117)


def q4_1(rows, columns):
    """Blocks of 32: scale, minimum (float16), 16 bytes of nibbles; values spread like 1 / sqrt(columns)."""
    blocks = columns // 32
    scale = 2.0 / np.sqrt(columns) / 7.5
    out = np.empty((rows, blocks, 20), np.uint8)
    out[:, :, 0:2] = np.frombuffer(np.float16(scale).tobytes(), np.uint8)
    out[:, :, 2:4] = np.frombuffer(np.float16(-7.5 * scale).tobytes(), np.uint8)
    out[:, :, 4:] = random.integers(0, 256, (rows, blocks, 16), np.uint8)
    return out.reshape(rows, -1)


def q8_0(rows, columns):
    """Blocks of 32: scale (float16), 32 signed bytes."""
    blocks = columns // 32
    out = np.empty((rows, blocks, 34), np.uint8)
    out[:, :, 0:2] = np.frombuffer(np.float16(0.02 / 127).tobytes(), np.uint8)
    out[:, :, 2:] = random.integers(-127, 128, (rows, blocks, 32), np.int8).view(np.uint8)
    return out.reshape(rows, -1)


def main(tokenizer_from, to, shape="1b"):
    if shape not in SHAPES:
        sys.exit(f"error: expected one of {', '.join(SHAPES)}, found {shape}")
    hidden, inner, layers, heads, kv_heads, vocabulary = SHAPES[shape]
    head_dim = hidden // heads
    given = GGUFReader(tokenizer_from)
    field = lambda key: given.fields[f"tokenizer.ggml.{key}"].contents()
    out = GGUFWriter(to, "llama")
    out.add_name(f"random weights in the shape {shape}")
    out.add_context_length(8192)
    out.add_embedding_length(hidden)
    out.add_feed_forward_length(inner)
    out.add_block_count(layers)
    out.add_head_count(heads)
    out.add_head_count_kv(kv_heads)
    out.add_rope_dimension_count(head_dim)
    out.add_rope_freq_base(500000.0)
    out.add_layer_norm_rms_eps(1e-5)
    out.add_vocab_size(vocabulary)
    tokens, types = field("tokens"), field("token_type")
    missing = vocabulary - len(tokens)
    out.add_tokenizer_model(field("model"))
    out.add_tokenizer_pre(field("pre"))
    out.add_token_list(tokens + [f"<|unused_{i}|>" for i in range(missing)])
    out.add_token_types(types + [3] * missing)
    out.add_token_merges(field("merges"))
    out.add_bos_token_id(int(field("bos_token_id")))
    out.add_eos_token_id(int(field("eos_token_id")))

    four, eight = GGMLQuantizationType.Q4_1, GGMLQuantizationType.Q8_0
    out.add_tensor("token_embd.weight", q8_0(vocabulary, hidden), raw_dtype=eight)
    out.add_tensor("output_norm.weight", np.ones(hidden, np.float32))
    for i in range(layers):
        for name, rows, columns in (
            ("attn_q", hidden, hidden),
            ("attn_k", kv_heads * head_dim, hidden),
            ("attn_v", kv_heads * head_dim, hidden),
            ("attn_output", hidden, hidden),
            ("ffn_gate", inner, hidden),
            ("ffn_up", inner, hidden),
            ("ffn_down", hidden, inner),
        ):
            out.add_tensor(f"blk.{i}.{name}.weight", q4_1(rows, columns), raw_dtype=four)
        for name in ("attn_norm", "ffn_norm"):
            out.add_tensor(f"blk.{i}.{name}.weight", np.ones(hidden, np.float32))
    out.write_header_to_file()
    out.write_kv_data_to_file()
    out.write_tensors_to_file()
    out.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
