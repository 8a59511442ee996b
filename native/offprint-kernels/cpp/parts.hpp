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

// Cosines, then sines, of a position's angles: `[2][head_dim / 2]`, elements `stride` apart.
inline void angles(const Model& m, int position, float* out, int stride) {
  const int half = m.head_dim / 2;
  for (int i = 0; i < half; ++i) {
    const float angle = float(position) * m.rope_scale * m.frequencies[i];
    out[i * stride] = __builtin_cosf(angle);
    out[(half + i) * stride] = __builtin_sinf(angle);
  }
}

// Rotates a head (`lanes` 1) or a panel of heads (16) where it is.
inline void rotate(float* x, int head_dim, const float* angles, int lanes) {
  const int n = head_dim / 2 * lanes;
  for (int i = 0; i < n; ++i) {
    const float a = x[i], b = x[n + i], c = angles[i], s = angles[n + i];
    x[i] = a * c - b * s;
    x[n + i] = a * s + b * c;
  }
}

inline float dot(const float* a, const float* b, int n) {
  F acc{};
  float rest = 0;
  int i = 0;
  for (; i + W <= n; i += W) acc = load(a + i) * load(b + i) + acc;
  for (; i < n; ++i) rest += a[i] * b[i];
  return sum(acc) + rest;
}

// out[d] = sum over t of p[t] * values[t][d], for `N` registers of d.
template <int N>
inline void mix(const float* p, const float* values, int length, int head_dim, float* out) {
  F acc[N] = {};
  for (int t = 0; t < length; ++t) {
    const F weight = splat(p[t]);
#pragma GCC unroll 8
    for (int j = 0; j < N; ++j) acc[j] = load(values + size_t(t) * head_dim + j * W) * weight + acc[j];
  }
  for (int j = 0; j < N; ++j) store(out + j * W, acc[j]);
}

// The products of a query with W keys that lie one after the other; past the last of `some` stands that again.
inline F dots(const float* query, const float* keys, int some, int head_dim) {
  F acc[W] = {};
  const float* key[W];
  for (int j = 0; j < W; ++j) key[j] = keys + size_t(j < some ? j : some - 1) * head_dim;
  for (int d = 0; d < head_dim; d += W) {
    const F q = load(query + d);
#pragma GCC unroll 16
    for (int j = 0; j < W; ++j) acc[j] = load(key[j] + d) * q + acc[j];
  }
  return sums(acc);
}

// One query over `length` keys and values `[length][head_dim]`; `query` is scaled already, `scores` has room for
// `length` rounded up to 16.
inline void attend(const float* query, const float* keys, const float* values, int length, int head_dim, float* scores,
                   float* out) {
  if (head_dim % W)
    for (int t = 0; t < length; ++t) scores[t] = dot(query, keys + size_t(t) * head_dim, head_dim);
  else
    for (int t = 0; t < length; t += W) store(scores + t, dots(query, keys + size_t(t) * head_dim, length - t, head_dim));
  for (int t = length; t % W; ++t) scores[t] = -INFINITY;
  F most = load(scores), total{};
  for (int t = W; t < length; t += W) most = larger(load(scores + t), most);
  float highest = most[0];
  for (int l = 1; l < W; ++l) highest = most[l] > highest ? most[l] : highest;
  for (int t = 0; t < length; t += W) {
    const F e = exponential(load(scores + t) - splat(highest));
    store(scores + t, e);
    total = total + e;
  }
  int d = 0;
  for (; d + 8 * W <= head_dim; d += 8 * W) mix<8>(scores, values + d, length, head_dim, out + d);
  for (; d + 4 * W <= head_dim; d += 4 * W) mix<4>(scores, values + d, length, head_dim, out + d);
  for (; d + W <= head_dim; d += W) mix<1>(scores, values + d, length, head_dim, out + d);
  for (; d < head_dim; ++d) {
    out[d] = 0;
    for (int t = 0; t < length; ++t) out[d] += scores[t] * values[size_t(t) * head_dim + d];
  }
  const float scale = 1.0f / sum(total);
  for (d = 0; d < head_dim; ++d) out[d] *= scale;
}

// 16 queries `[head_dim][16]` at positions `first ..= first + 15` over keys and values below `length`; causal.
// `scores` has room for `[length][16]`.
inline void attend_panel(const float* queries, const float* keys, const float* values, int first, int length,
                         int head_dim, float* scores, float* out) {
  tiles<true>(keys, size_t(head_dim), length, queries, head_dim, false, scores);
  for (int t = first + 1; t < length; ++t)
    for (int l = 0; l < t - first && l < kLanes; ++l) scores[t * kLanes + l] = -INFINITY;
  for (int l = 0; l < kLanes; l += W) {
    F most = load(scores + l), total{};
    for (int t = 1; t < length; ++t) most = larger(load(scores + t * kLanes + l), most);
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
