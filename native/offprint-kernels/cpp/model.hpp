// What a step computes with: shapes, weights, the cache. Plain pointers; knows nothing of MLX, threads or instruction sets.
#pragma once
#include <cstddef>
#include <cstdint>

namespace offprint {

// How the numbers of a matrix are stored; values as in `src/lib.rs`. E2M1 and E4M3 are floating-point numbers of 4 and 8 bits.
enum class Format : int32_t {
  affine,    // whole numbers of `bits` bits, times a scale, plus a bias
  mxfp4,     // E2M1, scales E8M0: powers of two
  mxfp8,     // E4M3, scales E8M0
  nvfp4,     // E2M1, scales E4M3
  float32,   // the numbers themselves: this and the next two
  float16,
  bfloat16,
};

// How scales and biases are stored.
enum class Stored : int32_t { float32, float16, bfloat16, e8m0, e4m3 };

// `[rows, columns]`. What is packed lies in rows of `columns * bits / 32` words, each a stream from the lowest bit up, with a
// scale (and, if affine, a bias) a `group` columns of a row, `stored` alike.
struct Matrix {
  const void* weight = nullptr;
  const void* scales = nullptr;
  const void* biases = nullptr;
  Format format = Format::float32;
  Stored stored = Stored::float32;
  const float* offset = nullptr;  // a linear layer's bias, `[rows]`, or null
  int rows = 0, columns = 0, bits = 32, group = 0;
};

// A rotation of queries and keys: of a head's first `dims` dimensions, which it multiplies by `gain`.
struct Rope {
  int dims = 0;
  bool interleaved = false;  // pairs are neighbours, not halves
  float scale = 1, gain = 1;
  const float* frequencies = nullptr;  // `[dims / 2]`: radians a position, which is multiplied by `scale`
};

enum class Activation : int32_t { silu, gelu, clipped };

// Experts that a router chooses among, each a run of rows of `gate`, `up` and `down`. What is shared is not there if its weight is null.
struct Experts {
  Matrix router;
  int count = 0, top = 0;
  bool softmax_first = false, renormalise = false;
  // Weights are sigmoids times `scale`; the highest after `bias`, `[count]` or null, are taken.
  bool sigmoid = false;
  float scale = 1;
  const float* bias = nullptr;
  Matrix gate, up, down, shared_gate, shared_up, shared_down, shared_weight;

  int inner() const { return gate.rows / count; }
};
constexpr int kMostTop = 64;
constexpr int kMostExperts = 512;
constexpr int kMostTaps = 8;

// What a layer does; see `src/lib.rs`. Null where there is none.
struct Layer {
  Matrix q, k, v, o;
  int heads = 0, kv_heads = 0, head_dim = 0;
  float score_scale = 1, score_cap = 0;
  int window = 0, rope = -1;
  float query_gain_beta = 0, query_gain_positions = 1;
  const float *sinks = nullptr, *q_norm = nullptr, *k_norm = nullptr;
  bool norm_heads = true;  // one head at a time
  const float *input_norm = nullptr, *attention_out_norm = nullptr, *feed_norm = nullptr, *feed_out_norm = nullptr;
  bool parallel = false;
  Activation activation = Activation::silu;
  Matrix gate, up, down;
  const Experts* experts = nullptr;
  // Not 0: no attention but a convolution over so many positions, channel by channel. `q` gives three parts of `hidden` channels: the first
  // times the third goes into it, and is what the cache keeps as a key; the second gates what comes out. `taps`: `[hidden]` a position,
  // the earliest first.
  int kernel = 0;
  const float *taps[kMostTaps] = {}, *taps_offset = nullptr;
  size_t before = 0;  // keys of a position in all layers before this

  int queries() const { return heads * head_dim; }
  int keys() const { return kv_heads * head_dim; }
  // The first position that a query at `position` sees.
  int first_seen(int position) const { return window > 0 && position >= window ? position - window + 1 : 0; }
};

struct Model {
  int hidden = 0, vocabulary = 0, layers = 0;
  float epsilon = 0, embedding_scale = 1, residual_scale = 1, logit_scale = 1, logit_cap = 0;
  bool layer_norm = false;
  const Rope* rope = nullptr;
  int ropes = 0;
  const Layer* layer = nullptr;
  const float* norm = nullptr;
  Matrix embedding, head;

  // Floats of a position's keys in all layers.
  size_t keys() const { return layers ? layer[layers - 1].before + layer[layers - 1].keys() : 0; }
};

// Keys and values of the past: `[kv_heads, capacity, head_dim]` each, of one layer after the other; positions from `length` on hold
// nothing.
struct Cache {
  float* keys = nullptr;
  float* values = nullptr;
  int capacity = 0, length = 0;

  size_t place(const Layer& layer) const { return layer.before * capacity; }
};

// A position to compute: the next of a sequence, or one of the next few.
struct Row {
  Cache* cache;
  uint32_t id;
  int position;
};

class Pool;

// Memory that a step asks for and gives back, from a multiple of 64 bytes on: a register that lies across two cache lines
// is two loads. MLX's own allocator, so that its peak counts it.
struct Memory {
  float* (*take)(size_t floats, void** handle);
  void (*give)(void* handle);
};

// One compilation of the kernels.
struct Level {
  const char* name;
  bool (*usable)();
  // Appends `n` ids to the cache; writes the logits of each `[n, vocabulary]` unless null.
  void (*step)(const Model&, Cache&, Pool&, const Memory&, const uint32_t* ids, int n, float* logits);
  // The same of a position each of several sequences, or of a few of each, those of one in their order. A row's logits are to the bit
  // what they are alone.
  void (*rows)(const Model&, Pool&, const Memory&, const Row*, int n, float* logits);
  // The next token from `n` logits: the largest at temperature 0, else drawn by the key.
  int (*draw)(const float* logits, int n, float temperature, uint64_t key, const Memory&);
  // `x @ matrix.T`, by the kernel for vectors, `together` at a time or, where that is 0, by the one for prompts. For tests.
  void (*matmul)(const Matrix&, Pool&, const Memory&, const float* x, int n, int together, float* y);
};

extern const Level plain, avx2, avx512, avx512vnni, avx512vnni16;

}  // namespace offprint
