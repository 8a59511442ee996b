// A prompt, or a part of it, through the model, 16 positions in a panel.
#pragma once
#include "parts.hpp"
#include "work.hpp"

namespace offprint {
namespace {

constexpr int kSlice = 512;  // positions at a time: bounds the memory, and unpacking costs a 500th

inline void shared_gemm(Pool& pool, const Matrix& m, const float* x, int panels, bool add, float* y) {
  share(pool, row_chunks(m.rows), [&](int chunk, int) {
    const int from = chunk * kRows, to = from + kRows < m.rows ? from + kRows : m.rows;
    gemm(m, from, to, x, panels, add, y + size_t(from) * kLanes, m.rows);
  });
}

inline void prefill(const Model& m, Cache& cache, Pool& pool, const Memory& memory, const uint32_t* ids, int n,
                    float* logits) {
  const int panels = (n + kLanes - 1) / kLanes, hidden = m.hidden, dim = m.head_dim, first = cache.length;
  const size_t width = size_t(panels) * kLanes, head = size_t(cache.capacity) * dim;
  const size_t rows_of_one = size_t(kRows) * width;
  const size_t scores_of_one = size_t(cache.capacity + kLanes) * kLanes, own = rows_of_one > scores_of_one ? rows_of_one : scores_of_one;
  Scratch scratch(memory, width * (size_t(hidden) * 2 + m.queries() * 2 + m.keys() * 2 + m.inner + dim) +
                              own * pool.threads());
  float *x = scratch.take(width * hidden), *normed = scratch.take(width * hidden);
  float *q = scratch.take(width * m.queries()), *mixed = scratch.take(width * m.queries());
  float *k = scratch.take(width * m.keys()), *v = scratch.take(width * m.keys());
  float *gate = scratch.take(width * m.inner), *turn = scratch.take(width * dim);
  float* workers = scratch.take(own * pool.threads());

  auto panel = [](float* of, int p, int rows) { return of + size_t(p) * rows * kLanes; };
  share(pool, panels, [&](int p, int worker) {
    float* row = workers + worker * own;
    for (int l = 0; l < kLanes; ++l) {
      const int t = p * kLanes + l;
      // Lanes past the end compute on zeros; nobody reads them.
      if (t < n) dequantize(m.embedding, int(ids[t]), 0, hidden, row);
      for (int i = 0; i < hidden; ++i) panel(x, p, hidden)[i * kLanes + l] = t < n ? row[i] : 0;
      angles(m, first + t, panel(turn, p, dim) + l, kLanes);
    }
  });
  const float scale = 1.0f / __builtin_sqrtf(float(dim));
  for (int i = 0; i < m.layers; ++i) {
    const Layer& layer = m.layer[i];
    float *keys = cache.keys + cache.place(m, i, 0), *values = cache.values + cache.place(m, i, 0);
    share(pool, panels, [&](int p, int) {
      norm_panel(panel(x, p, hidden), layer.input_norm, hidden, m.epsilon, panel(normed, p, hidden));
    });
    shared_gemm(pool, layer.k, normed, panels, false, k);
    shared_gemm(pool, layer.v, normed, panels, false, v);
    share(pool, panels, [&](int p, int) {
      for (int h = 0; h < m.kv_heads; ++h) {
        float* key = panel(k, p, m.keys()) + h * dim * kLanes;
        const float* value = panel(v, p, m.keys()) + h * dim * kLanes;
        rotate(key, dim, panel(turn, p, dim), kLanes);
        for (int l = 0; l < kLanes && p * kLanes + l < n; ++l) {
          const size_t place = h * head + size_t(first + p * kLanes + l) * dim;
          for (int d = 0; d < dim; ++d) keys[place + d] = key[d * kLanes + l], values[place + d] = value[d * kLanes + l];
        }
      }
    });
    if (i == m.layers - 1 && !logits) break;
    shared_gemm(pool, layer.q, normed, panels, false, q);
    share(pool, panels * m.heads, [&](int chunk, int worker) {
      // The last panels see the most keys: they go first, so that no long chunk is left for the end.
      const int p = panels - 1 - chunk / m.heads, h = chunk % m.heads;
      float* queries = panel(q, p, m.queries()) + h * dim * kLanes;
      rotate(queries, dim, panel(turn, p, dim), kLanes);
      for (int d = 0; d < dim * kLanes; ++d) queries[d] *= scale;
      const int start = first + p * kLanes, end = start + kLanes < first + n ? start + kLanes : first + n;
      const size_t place = h / (m.heads / m.kv_heads) * head;
      attend_panel(queries, keys + place, values + place, start, end, dim, workers + worker * own,
                   panel(mixed, p, m.queries()) + h * dim * kLanes);
    });
    shared_gemm(pool, layer.o, mixed, panels, true, x);
    share(pool, panels, [&](int p, int) {
      norm_panel(panel(x, p, hidden), layer.post_norm, hidden, m.epsilon, panel(normed, p, hidden));
    });
    share(pool, row_chunks(m.inner), [&](int chunk, int worker) {
      const int from = chunk * kRows, to = from + kRows < m.inner ? from + kRows : m.inner;
      float* up = workers + worker * own;
      gemm(layer.gate, from, to, normed, panels, false, gate + size_t(from) * kLanes, m.inner);
      gemm(layer.up, from, to, normed, panels, false, up, to - from);
      for (int p = 0; p < panels; ++p) {
        float* g = panel(gate, p, m.inner) + from * kLanes;
        const float* u = up + size_t(p) * (to - from) * kLanes;
        for (int j = 0; j < (to - from) * kLanes; j += W) store(g + j, silu(load(g + j)) * load(u + j));
      }
    });
    shared_gemm(pool, layer.down, gate, panels, true, x);
  }
  cache.length += n;
  if (!logits) return;
  share(pool, panels, [&](int p, int) {
    norm_panel(panel(x, p, hidden), m.norm, hidden, m.epsilon, panel(normed, p, hidden));
  });
  share(pool, row_chunks(m.vocabulary), [&](int chunk, int worker) {
    const int from = chunk * kRows, to = from + kRows < m.vocabulary ? from + kRows : m.vocabulary;
    float* rows = workers + worker * own;
    gemm(m.head, from, to, normed, panels, false, rows, to - from);
    for (int t = 0; t < n; ++t)
      for (int r = from; r < to; ++r)
        logits[size_t(t) * m.vocabulary + r] = rows[(size_t(t / kLanes) * (to - from) + r - from) * kLanes + t % kLanes];
  });
}

}  // namespace
}  // namespace offprint
