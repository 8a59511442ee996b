// What is between the matrices of a layer: norm, rotation, attention; for one vector, and for panels.
#pragma once
#include <cmath>

#include "panel.hpp"

namespace offprint {
namespace {

inline void norm(const float* x, const float* weight, int n, float epsilon, float* out) {
  F squares{};
  float rest = 0;
  int i = 0;
  for (; i + W <= n; i += W) squares = load(x + i) * load(x + i) + squares;
  for (; i < n; ++i) rest += x[i] * x[i];
  const float scale = 1.0f / __builtin_sqrtf((sum(squares) + rest) / float(n) + epsilon);
  for (i = 0; i + W <= n; i += W) store(out + i, load(x + i) * splat(scale) * load(weight + i));
  for (; i < n; ++i) out[i] = x[i] * scale * weight[i];
}

// The same for the 16 vectors of a panel `[n][16]`.
inline void norm_panel(const float* x, const float* weight, int n, float epsilon, float* out) {
  for (int l = 0; l < kLanes; l += W) {
    F squares{}, scale;
    for (int i = 0; i < n; ++i) squares = load(x + i * kLanes + l) * load(x + i * kLanes + l) + squares;
    for (int j = 0; j < W; ++j) scale[j] = 1.0f / __builtin_sqrtf(squares[j] / float(n) + epsilon);
    for (int i = 0; i < n; ++i) store(out + i * kLanes + l, load(x + i * kLanes + l) * scale * splat(weight[i]));
  }
}

// LayerNorm without a bias, of one vector (`lanes` 1) or of a panel's (16): the mean is taken away first, and `out` holds what is left.
inline void centre(const float* x, int n, int lanes, float* out) {
  for (int l = 0; l < lanes; ++l) {
    double mean = 0;
    for (int i = 0; i < n; ++i) mean += x[i * lanes + l];
    const float off = float(mean / n);
    for (int i = 0; i < n; ++i) out[i * lanes + l] = x[i * lanes + l] - off;
  }
}

// The model's norm of a hidden state.
inline void norm(const Model& m, const float* x, const float* weight, float* out) {
  if (m.layer_norm) centre(x, m.hidden, 1, out), x = out;
  norm(x, weight, m.hidden, m.epsilon, out);
}
inline void norm_panel(const Model& m, const float* x, const float* weight, float* out) {
  if (m.layer_norm) centre(x, m.hidden, kLanes, out), x = out;
  norm_panel(x, weight, m.hidden, m.epsilon, out);
}

// The norm of queries or keys, if there is one, where they are: each head's or that of all of them.
inline void norm_heads(const Model& m, const Layer& layer, const float* weight, int heads, int lanes, float* x) {
  if (!weight) return;
  const int span = layer.norm_heads ? layer.head_dim : heads * layer.head_dim;
  for (int i = 0; i < heads * layer.head_dim; i += span) {
    float* of = x + size_t(i) * lanes;
    lanes == 1 ? norm(of, weight, span, m.epsilon, of) : norm_panel(of, weight, span, m.epsilon, of);
  }
}

// Cosines, then sines, of a position's angles, times the gain: `[2][dims / 2]`, elements `stride` apart.
inline void angles(const Rope& rope, int position, float* out, int stride) {
  const int half = rope.dims / 2;
  for (int i = 0; i < half; ++i) {
    const float angle = float(position) * rope.scale * rope.frequencies[i];
    out[i * stride] = __builtin_cosf(angle) * rope.gain;
    out[(half + i) * stride] = __builtin_sinf(angle) * rope.gain;
  }
}

// Floats of all ropes' angles, for one position.
inline int angle_floats(const Model& m) {
  int floats = 0;
  for (int i = 0; i < m.ropes; ++i) floats += m.rope[i].dims;
  return floats;
}
// Where a layer's are among them; behind them all where it has none.
inline int angle_place(const Model& m, const Layer& layer) {
  int floats = 0;
  for (int i = 0; i < layer.rope; ++i) floats += m.rope[i].dims;
  return floats;
}

// Rotates a head (`lanes` 1) or a panel of heads (16) where it is.
inline void rotate(float* x, const Rope& rope, const float* angles, int lanes) {
  const int n = rope.dims / 2 * lanes;
  if (rope.interleaved) {
    for (int i = 0; i < n; ++i) {
      float *first = x + i + i / lanes * lanes, *second = first + lanes;
      const float a = *first, b = *second, c = angles[i], s = angles[n + i];
      *first = a * c - b * s;
      *second = a * s + b * c;
    }
    return;
  }
  for (int i = 0; i < n; ++i) {
    const float a = x[i], b = x[n + i], c = angles[i], s = angles[n + i];
    x[i] = a * c - b * s;
    x[n + i] = a * s + b * c;
  }
}

// What a position's queries are multiplied by.
inline float query_scale(const Layer& layer, int position) {
  if (layer.query_gain_beta == 0) return layer.score_scale;
  const float times = __builtin_floorf(float(position) / layer.query_gain_positions);
  return layer.score_scale * (1 + layer.query_gain_beta * __builtin_logf(1 + times));
}

// What a convolution makes of a position, whose inputs `[position][hidden]` the cache has, with what gates it.
inline void convolve(const Layer& layer, int hidden, const float* inputs, int position, const float* gate, float* out) {
  for (int i = 0; i < hidden; ++i) out[i] = layer.taps_offset ? layer.taps_offset[i] : 0;
  for (int t = 0; t < layer.kernel; ++t) {
    const int from = position - (layer.kernel - 1) + t;
    if (from < 0) continue;
    const float *input = inputs + size_t(from) * hidden, *tap = layer.taps[t];
    for (int i = 0; i < hidden; ++i) out[i] += input[i] * tap[i];
  }
  for (int i = 0; i < hidden; ++i) out[i] *= gate[i];
}

// What gate and up become.
inline F activate(Activation activation, F gate, F up) {
  switch (activation) {
    case Activation::silu: return sigmoid(gate, gate) * up;
    case Activation::gelu:
      // (1 + tanh u) / 2 is 1 / (1 + e^-2u).
      return sigmoid((gate + gate * gate * gate * splat(0.044715f)) * splat(1.5957691216057308f), gate) * up;
    default: {
      const F most = splat(7.0f);
      gate = gate > most ? most : gate;
      up = up > most ? most : up < -most ? -most : up;
      return sigmoid(gate * splat(1.702f), gate) * (up + splat(1.0f));
    }
  }
}

// Of a query's attention what one part of the past gives: `[head_dim]` sums of values, the highest score, and the sum of
// the weights, which are e^(score - highest).
constexpr int kPart = 64;  // positions
inline int parts(int length) { return (length + kPart - 1) / kPart; }
inline size_t part_floats(int head_dim) { return size_t(head_dim + 2 + 15) / 16 * 16; }

// Lane l of each result is `f` of the lanes that are l modulo `S`.
template <int S, int Half = W / 2, typename T, int... L>
inline F across(F v, const T& f, std::integer_sequence<int, L...> lanes) {
  if constexpr (Half < S) return v;
  else return across<S, Half / 2>(f(v, __builtin_shufflevector(v, v, ((L + Half) % W)...)), f, lanes);
}

// The first `some` of W numbers, then zeros.
inline F load(const float* p, int some) {
  if (some >= W) return load(p);
  float v[W] = {};
  memcpy(v, p, size_t(some) * sizeof(float));
  return load(v);
}

// `Q` queries that lie one after the other, scaled, over at most kPart keys and values `[length][head_dim]`: each is read once
// for all. A register holds the scores of all queries with some keys.
template <int Q>
inline void attend(const float* queries, const float* keys, const float* values, int length, int head_dim, float cap, float* out,
                   size_t stride) {
  constexpr int S = Q == 3 ? 4 : Q, K = W / S, D = W == 16 ? 4 : 2;
  constexpr auto lanes = std::make_integer_sequence<int, W>{};
  alignas(64) float scores[kPart * S];
  F most = splat(-INFINITY), total{};
  for (int t = 0; t < length; t += K) {
    const float* key[K];
    for (int k = 0; k < K; ++k) key[k] = keys + size_t(t + k < length ? t + k : length - 1) * head_dim;
    F acc[W] = {};
    for (int d = 0; d < K * head_dim; d += 16) __builtin_prefetch(values + size_t(t) * head_dim + d);
    for (int d = 0; d < head_dim; d += W) {
      F query[Q];
#pragma GCC unroll 4
      for (int q = 0; q < Q; ++q) query[q] = load(queries + q * head_dim + d, head_dim - d);
#pragma GCC unroll 16
      for (int k = 0; k < K; ++k) {
        const F e = load(key[k] + d, head_dim - d);
#pragma GCC unroll 4
        for (int q = 0; q < Q; ++q) acc[k * S + q] = e * query[q] + acc[k * S + q];
      }
    }
    const F score = sums(acc);
    store(scores + t * S, cap == 0 ? score : capped(score, cap));
    for (int past = length; past < t + K; ++past)
      for (int q = 0; q < S; ++q) scores[past * S + q] = -INFINITY;
    most = larger(load(scores + t * S), most);
  }
  most = across<S>(most, larger, lanes);
  for (int t = 0; t < length; t += K) {
    const F e = exponential(load(scores + t * S) - most);
    store(scores + t * S, e);
    total = total + e;
  }
  total = across<S>(total, [](F a, F b) { return a + b; }, lanes);
  for (int d = 0; d < head_dim; d += D * W) {
    F acc[Q][D] = {};
    const int some = head_dim - d;
    for (int t = 0; t < length; ++t) {
      const float* from = values + size_t(t) * head_dim + d;
      for (int i = 0; i < D * W; i += 16) __builtin_prefetch(keys + size_t(kPart + t) * head_dim + d + i);
      F value[D];
#pragma GCC unroll 4
      for (int i = 0; i < D; ++i) value[i] = some >= D * W ? load(from + i * W) : some > i * W ? load(from + i * W, some - i * W) : F{};
#pragma GCC unroll 4
      for (int q = 0; q < Q; ++q)
#pragma GCC unroll 4
        for (int i = 0; i < D; ++i) acc[q][i] = value[i] * splat(scores[t * S + q]) + acc[q][i];
    }
    for (int q = 0; q < Q; ++q) memcpy(out + q * stride + d, acc[q], sizeof(float) * (some < D * W ? some : D * W));
  }
  for (int q = 0; q < Q; ++q) out[q * stride + head_dim] = most[q], out[q * stride + head_dim + 1] = total[q];
}

// The same for any number of queries.
inline void attend(const float* queries, int count, const float* keys, const float* values, int length, int head_dim, float cap,
                   float* out, size_t stride) {
  for (int q = 0; q < count;) {
    const float* from = queries + q * head_dim;
    float* to = out + q * stride;
    switch (count - q) {
      case 1: attend<1>(from, keys, values, length, head_dim, cap, to, stride), q += 1; break;
      case 2: attend<2>(from, keys, values, length, head_dim, cap, to, stride), q += 2; break;
      case 3: attend<3>(from, keys, values, length, head_dim, cap, to, stride), q += 3; break;
      default: attend<4>(from, keys, values, length, head_dim, cap, to, stride), q += 4;
    }
  }
}

// A query's attention from what `count` parts of the past, `step` apart, gave, and from its sink, if there is one.
inline void join(const float* part, int count, size_t step, int head_dim, const float* sink, float* out) {
  float most = part[head_dim], total = 0;
  for (int i = 1; i < count; ++i) most = part[i * step + head_dim] > most ? part[i * step + head_dim] : most;
  if (sink) {
    most = *sink > most ? *sink : most;
    total = exponential(splat(*sink - most))[0];
  }
  for (int d = 0; d < head_dim; ++d) out[d] = 0;
  for (int i = 0; i < count; ++i, part += step) {
    const float weight = exponential(splat(part[head_dim] - most))[0];
    total += part[head_dim + 1] * weight;
    for (int d = 0; d < head_dim; ++d) out[d] += part[d] * weight;
  }
  for (int d = 0; d < head_dim; ++d) out[d] /= total;
}

// 16 queries `[head_dim][16]` at positions `first ..= first + 15` over keys and values below `length`; causal, and (`window` not 0)
// no more than so many. `scores` has room for `[length][16]`.
inline void attend_panel(const float* queries, const float* keys, const float* values, int first, int length, int head_dim, float cap,
                         int window, const float* sink, float* scores, float* out) {
  tiles<true>(keys, size_t(head_dim), length, queries, head_dim, false, scores);
  if (cap != 0)
    for (int i = 0; i < length * kLanes; i += W) store(scores + i, capped(load(scores + i), cap));
  for (int t = first + 1; t < length; ++t)
    for (int l = 0; l < t - first && l < kLanes; ++l) scores[t * kLanes + l] = -INFINITY;
  if (window > 0)
    for (int l = 0; l < kLanes; ++l)
      for (int t = 0; t < length && t <= first + l - window; ++t) scores[t * kLanes + l] = -INFINITY;
  for (int l = 0; l < kLanes; l += W) {
    F most = load(scores + l), total{};
    if (sink) most = larger(most, splat(*sink));
    for (int t = 1; t < length; ++t) most = larger(load(scores + t * kLanes + l), most);
    if (sink) total = exponential(splat(*sink) - most);
    for (int t = 0; t < length; ++t) {
      const F e = exponential(load(scores + t * kLanes + l) - most);
      store(scores + t * kLanes + l, e);
      total = total + e;
    }
    const F scale = splat(1.0f) / total;
    for (int t = 0; t < length; ++t) store(scores + t * kLanes + l, load(scores + t * kLanes + l) * scale);
  }
  for (int t = 0; t < length; t += kDepth / 2) {
    const int depth = length - t < kDepth / 2 ? length - t : kDepth / 2;
    tiles<false>(values + size_t(t) * head_dim, size_t(head_dim), head_dim, scores + t * kLanes, depth, t > 0, out);
  }
}

}  // namespace
}  // namespace offprint
