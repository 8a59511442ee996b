// One token through the model. Four shared phases a layer; what is between them is done at once by the caller's thread.
#pragma once
#include "matvec.hpp"
#include "parts.hpp"
#include "work.hpp"

namespace offprint {
namespace {

// Rows of one chunk: 24 KB of weights, some microseconds of work.
inline int rows_at_once(const Matrix& m) {
  const int rows = int(24 * 1024 / (row_bytes(m) + scale_bytes(m))) / 4 * 4;
  return rows < 4 ? 4 : rows;
}

inline int chunks(const Matrix& m) { return (m.rows + rows_at_once(m) - 1) / rows_at_once(m); }

inline void matvec_chunk(const Matrix& m, const Vector& v, int chunk, bool add, float* y) {
  const int some = rows_at_once(m), from = chunk * some;
  matvec(m, v, from, from + some < m.rows ? from + some : m.rows, add, y);
}

inline void shared_matvec(Pool& pool, const Matrix& m, const Vector& v, bool add, float* y) {
  share(pool, chunks(m), [&](int chunk, int) { matvec_chunk(m, v, chunk, add, y); });
}

inline void decode(const Model& m, Cache& cache, Pool& pool, const Memory& memory, uint32_t id, float* logits) {
  const int hidden = m.hidden, widest = m.inner > m.queries() ? m.inner : m.queries(), length = cache.length + 1;
  const int columns = widest > hidden ? widest : hidden;
  const int group = m.heads / m.kv_heads, past = parts(length);
  const size_t of_part = part_floats(m.head_dim);
  Scratch scratch(memory, Scratch::round(hidden) * 2 + Scratch::round(m.queries()) * 2 + Scratch::round(m.keys()) * 2 +
                              Scratch::round(m.inner) * 2 + Scratch::round(vector_floats(columns)) +
                              Scratch::round(m.head_dim) + of_part * m.heads * past);
  float *x = scratch.take(hidden), *normed = scratch.take(hidden);
  float *q = scratch.take(m.queries()), *mixed = scratch.take(m.queries());
  float *k = scratch.take(m.keys()), *v = scratch.take(m.keys());
  float *gate = scratch.take(m.inner), *up = scratch.take(m.inner);
  Vector vector = vector_in(scratch.take(vector_floats(columns)), columns);
  float *turn = scratch.take(m.head_dim), *partial = scratch.take(of_part * m.heads * past);

  dequantize(m.embedding, int(id), 0, hidden, x);
  angles(m, cache.length, turn, 1);
  const float scale = 1.0f / __builtin_sqrtf(float(m.head_dim));
  for (int i = 0; i < m.layers; ++i) {
    const Layer& layer = m.layer[i];
    float *keys = cache.keys + cache.place(m, i, 0), *values = cache.values + cache.place(m, i, 0);
    const size_t head = size_t(cache.capacity) * m.head_dim;

    norm(x, layer.input_norm, hidden, m.epsilon, normed);
    prepare(vector, normed, hidden, layer.q, layer.k, layer.v);
    const int of_q = chunks(layer.q), of_k = chunks(layer.k);
    share(pool, of_q + of_k + chunks(layer.v), [&](int chunk, int) {
      if (chunk < of_q) matvec_chunk(layer.q, vector, chunk, false, q);
      else if (chunk < of_q + of_k) matvec_chunk(layer.k, vector, chunk - of_q, false, k);
      else matvec_chunk(layer.v, vector, chunk - of_q - of_k, false, v);
    });
    for (int h = 0; h < m.kv_heads; ++h) {
      rotate(k + h * m.head_dim, m.head_dim, turn, 1);
      const size_t place = h * head + size_t(cache.length) * m.head_dim;
      memcpy(keys + place, k + h * m.head_dim, m.head_dim * sizeof(float));
      memcpy(values + place, v + h * m.head_dim, m.head_dim * sizeof(float));
    }
    if (i == m.layers - 1 && !logits) break;
    for (int h = 0; h < m.heads; ++h) rotate(q + h * m.head_dim, m.head_dim, turn, 1);
    for (int d = 0; d < m.queries(); ++d) q[d] *= scale;
    // `[part][head]`: what the queries of one key head make of one part of the past is a chunk.
    share(pool, m.kv_heads * past, [&](int chunk, int) {
      const int h = chunk / past, part = chunk % past, from = part * kPart;
      const size_t place = h * head + size_t(from) * m.head_dim;
      attend(q + h * group * m.head_dim, group, keys + place, values + place, length - from < kPart ? length - from : kPart,
             m.head_dim, partial + (size_t(part) * m.heads + h * group) * of_part, of_part);
    });
    for (int h = 0; h < m.heads; ++h)
      join(partial + h * of_part, past, of_part * m.heads, m.head_dim, mixed + h * m.head_dim);
    prepare(vector, mixed, m.queries(), layer.o);
    shared_matvec(pool, layer.o, vector, true, x);

    norm(x, layer.post_norm, hidden, m.epsilon, normed);
    prepare(vector, normed, hidden, layer.gate, layer.up);
    // Chunks of one height for both, so that a chunk can finish its part of the product.
    const int some = rows_at_once(layer.gate);
    share(pool, (m.inner + some - 1) / some, [&](int chunk, int) {
      const int from = chunk * some, to = from + some < m.inner ? from + some : m.inner;
      matvec(layer.gate, vector, from, to, false, gate);
      matvec(layer.up, vector, from, to, false, up);
      for (int r = from; r < to; r += W) {
        float part[W] = {};
        const int n = to - r < W ? to - r : W;
        memcpy(part, gate + r, n * sizeof(float));
        store(part, silu(load(part)));
        for (int j = 0; j < n; ++j) gate[r + j] = part[j] * up[r + j];
      }
    });
    prepare(vector, gate, m.inner, layer.down);
    shared_matvec(pool, layer.down, vector, true, x);
  }
  cache.length = length;
  if (!logits) return;
  norm(x, m.norm, hidden, m.epsilon, normed);
  prepare(vector, normed, hidden, m.head);
  shared_matvec(pool, m.head, vector, false, logits);
}

}  // namespace
}  // namespace offprint
