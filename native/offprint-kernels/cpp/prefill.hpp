// A prompt, or a part of it, through the model, 16 positions in a panel.
#pragma once
#include "byte_panel.hpp"
#include "experts.hpp"
#include "parts.hpp"
#include "work.hpp"

namespace offprint {
namespace {

constexpr int kSlice = 512;  // positions at a time: bounds the memory, and unpacking costs a 500th

// `x`, `[panel][columns][16]`, for these matrices; `fixed` has room for what some of them want.
template <typename... M>
Panels prepared(Pool& pool, const float* x, int columns, int panels, float* fixed, const M&... matrices) {
  if (!(in_bytes(matrices) || ...)) return x;
  share(pool, panels, [&](int p, int) { fix_panel(x + size_t(p) * columns * kLanes, columns, fixed + p * fixed_floats(columns)); });
  return {x, fixed};
}

inline void shared_gemm(Pool& pool, const Matrix& m, Panels x, int panels, bool add, float* y) {
  share(pool, row_chunks(m.rows), [&](int chunk, int) {
    const int from = chunk * kRows, to = from + kRows < m.rows ? from + kRows : m.rows;
    gemm(m, from, to, x, panels, add, y + size_t(from) * kLanes, m.rows);
  });
}

// Of rows `from..to` of gate and up, what comes of both, for all panels: to `g`, of `stride` rows a panel. `up` has room for the rows.
inline void gated_panels(const Layer& layer, const Matrix& gate, const Matrix& up, int from, int to, Panels x, int panels, float* g,
                         int stride, float* u) {
  gemm(gate, from, to, x, panels, false, g + size_t(from) * kLanes, stride);
  gemm(up, from, to, x, panels, false, u, to - from);
  for (int p = 0; p < panels; ++p) {
    float* of_gate = g + (size_t(p) * stride + from) * kLanes;
    const float* of_up = u + size_t(p) * (to - from) * kLanes;
    for (int j = 0; j < (to - from) * kLanes; j += W)
      store(of_gate + j, activate(layer.activation, load(of_gate + j), load(of_up + j)));
  }
}

// Memory of a mixture of experts for `n` positions. Experts compute the positions that chose them, gathered to panels: some
// experts at a time, of no more than `panels` panels together.
struct Mixture {
  int n, panels, inner, shared;
  int *chosen, *first, *next, *of_expert;  // first: of each expert's positions, in `next` order; of_expert: a panel's
  float *weights, *scores, *gathered, *middle, *out;

  static int most(int panels) { return panels > 32 ? panels : 32; }
  static size_t floats(const Experts& e, int hidden, int n) {
    const int width = (n + kLanes - 1) / kLanes, panels = most(width), shared = e.shared_gate.rows;
    const size_t inner = size_t(e.inner()) * panels > size_t(shared) * width ? size_t(e.inner()) * panels : size_t(shared) * width;
    return Scratch::round(size_t(n) * e.top) * 3 + Scratch::round(e.count + 1) + Scratch::round(panels) + inner * kLanes +
           size_t(panels) * kLanes * hidden * 2 + size_t(width) * kLanes * (e.count + 1);
  }
  Mixture(const Experts& e, int hidden, int n, float* memory) : n(n), inner(e.inner()), shared(e.shared_gate.rows) {
    const int width = (n + kLanes - 1) / kLanes;
    panels = most(width);
    auto take = [&](size_t floats) { return (memory += Scratch::round(floats)) - Scratch::round(floats); };
    chosen = (int*)take(size_t(n) * e.top), next = (int*)take(size_t(n) * e.top), weights = take(size_t(n) * e.top);
    first = (int*)take(e.count + 1), of_expert = (int*)take(panels);
    const size_t of_shared = size_t(shared) * width, of_experts = size_t(inner) * panels;
    middle = take((of_experts > of_shared ? of_experts : of_shared) * kLanes);
    gathered = take(size_t(panels) * kLanes * hidden), out = take(size_t(panels) * kLanes * hidden);
    scores = take(size_t(width) * kLanes * (e.count + 1));
  }
};

// `branch` becomes what the experts make of `in`, both in panels. `workers`: `own` floats a thread.
inline void mix(const Model& m, const Layer& layer, Pool& pool, Mixture mixture, const float* in, float* workers, size_t own, float* branch) {
  const Experts& e = *layer.experts;
  const int n = mixture.n, width = (n + kLanes - 1) / kLanes, hidden = m.hidden, top = e.top;
  shared_gemm(pool, e.router, in, width, false, mixture.scores);
  share(pool, width, [&](int p, int) {
    for (int t = p * kLanes; t < n && t < (p + 1) * kLanes; ++t) {
      const float* of = mixture.scores + size_t(p) * e.count * kLanes + t % kLanes;
      choose(e, of, kLanes, mixture.chosen + size_t(t) * top, mixture.weights + size_t(t) * top);
    }
  });
  if (e.shared_gate.weight) {
    share(pool, row_chunks(mixture.shared), [&](int chunk, int worker) {
      const int from = chunk * kRows, to = from + kRows < mixture.shared ? from + kRows : mixture.shared;
      gated_panels(layer, e.shared_gate, e.shared_up, from, to, in, width, mixture.middle, mixture.shared, workers + worker * own);
    });
    shared_gemm(pool, e.shared_down, mixture.middle, width, false, branch);
    if (e.shared_weight.weight) {
      float* gain = mixture.scores + size_t(width) * e.count * kLanes;
      shared_gemm(pool, e.shared_weight, in, width, false, gain);
      share(pool, width, [&](int p, int) {
        for (int l = 0; l < kLanes; l += W) store(gain + p * kLanes + l, sigmoid(load(gain + p * kLanes + l), splat(1.0f)));
        float* of = branch + size_t(p) * hidden * kLanes;
        for (int i = 0; i < hidden * kLanes; i += W) store(of + i, load(of + i) * load(gain + p * kLanes + i % kLanes));
      });
    }
  } else {
    memset(branch, 0, size_t(width) * hidden * kLanes * sizeof(float));
  }
  // `next`: a position's places `t * top + slot`, sorted by expert; those of `e` begin at `first[e]`.
  int* first = mixture.first;
  memset(first, 0, (e.count + 1) * sizeof(int));
  for (int i = 0; i < n * top; ++i) ++first[mixture.chosen[i] + 1];
  for (int i = 0; i < e.count; ++i) first[i + 1] += first[i];
  for (int i = 0; i < n * top; ++i) mixture.next[first[mixture.chosen[i]]++] = i;
  for (int i = e.count; i > 0; --i) first[i] = first[i - 1];
  first[0] = 0;
  auto count_of = [&](int i) { return first[i + 1] - first[i]; };
  auto panels_of = [&](int i) { return (count_of(i) + kLanes - 1) / kLanes; };
  for (int begin = 0, end; begin < e.count; begin = end) {
    int used = 0;
    for (end = begin; end < e.count && used + panels_of(end) <= mixture.panels; ++end)
      for (int p = panels_of(end); p > 0; --p) mixture.of_expert[used++] = end;
    // Of an expert's panels the first, among those of this turn.
    auto panel_of = [&](int index) {
      int p = 0;
      while (p < used && mixture.of_expert[p] < index) ++p;
      return p;
    };
    // The place that a lane of a panel is of, or -1.
    auto place = [&](int p, int l) {
      const int index = mixture.of_expert[p], i = (p - panel_of(index)) * kLanes + l;
      return i < count_of(index) ? mixture.next[first[index] + i] : -1;
    };
    share(pool, used, [&](int p, int) {
      float* to = mixture.gathered + size_t(p) * hidden * kLanes;
      for (int l = 0; l < kLanes; ++l) {
        const int at = place(p, l), t = at / top;
        const float* from = in + size_t(t / kLanes) * hidden * kLanes + t % kLanes;
        for (int i = 0; i < hidden; ++i) to[i * kLanes + l] = at < 0 ? 0 : from[i * kLanes];
      }
    });
    const int inner = mixture.inner, of_inner = row_chunks(inner), of_hidden = row_chunks(hidden);
    share(pool, (end - begin) * of_inner, [&](int chunk, int worker) {
      const int index = begin + chunk / of_inner, from = chunk % of_inner * kRows, to = from + kRows < inner ? from + kRows : inner;
      if (!count_of(index)) return;
      const size_t p = panel_of(index);
      gated_panels(layer, expert(e.gate, index, e.count), expert(e.up, index, e.count), from, to, mixture.gathered + p * hidden * kLanes,
                   panels_of(index), mixture.middle + p * inner * kLanes, inner, workers + worker * own);
    });
    share(pool, (end - begin) * of_hidden, [&](int chunk, int) {
      const int index = begin + chunk / of_hidden, from = chunk % of_hidden * kRows, to = from + kRows < hidden ? from + kRows : hidden;
      if (!count_of(index)) return;
      const size_t p = panel_of(index);
      gemm(expert(e.down, index, e.count), from, to, mixture.middle + p * inner * kLanes, panels_of(index), false,
           mixture.out + (p * hidden + from) * kLanes, hidden);
    });
    // Rows apart, so that a position's experts are added one after the other.
    share(pool, of_hidden, [&](int chunk, int) {
      const int from = chunk * kRows, to = from + kRows < hidden ? from + kRows : hidden;
      for (int p = 0; p < used; ++p)
        for (int l = 0; l < kLanes; ++l) {
          const int at = place(p, l), t = at / top;
          if (at < 0) break;
          const float* of = mixture.out + size_t(p) * hidden * kLanes + l;
          float* to_state = branch + size_t(t / kLanes) * hidden * kLanes + t % kLanes;
          for (int i = from; i < to; ++i) to_state[i * kLanes] += of[i * kLanes] * mixture.weights[at];
        }
    });
  }
}

inline void prefill(const Model& m, Cache& cache, Pool& pool, const Memory& memory, const uint32_t* ids, int n,
                    float* logits) {
  const int panels = (n + kLanes - 1) / kLanes, hidden = m.hidden, first = cache.length, turns = angle_floats(m);
  const size_t width = size_t(panels) * kLanes;
  int queries = 0, keys_of_one = 0, inner = 0;
  bool aside = m.residual_scale != 1;  // a branch is not added to the state at once
  size_t of_mixture = 0;
  for (int i = 0; i < m.layers; ++i) {
    const Layer& layer = m.layer[i];
    queries = queries > layer.queries() ? queries : layer.queries();
    keys_of_one = keys_of_one > layer.keys() ? keys_of_one : layer.keys();
    aside = aside || layer.attention_out_norm || layer.feed_out_norm || layer.experts;
    if (!layer.experts) inner = inner > layer.gate.rows ? inner : layer.gate.rows;
    else if (const size_t floats = Mixture::floats(*layer.experts, hidden, n); floats > of_mixture) of_mixture = floats;
  }
  const size_t rows_of_one = size_t(kRows) * kLanes * (of_mixture ? Mixture::most(panels) : panels), of_state = 2 * Scratch::round(hidden);
  size_t own = size_t(cache.capacity + kLanes) * kLanes;
  own = own > rows_of_one ? own : rows_of_one;
  own = own > of_state ? own : of_state;
  const int widest = hidden > queries ? (hidden > inner ? hidden : inner) : queries > inner ? queries : inner;
  const size_t of_fixed = panels * fixed_floats(widest);
  Scratch scratch(memory, width * (size_t(hidden) * (aside ? 3 : 2) + queries * 2 + keys_of_one * 2 + inner + turns) + own * pool.threads() +
                              of_mixture + of_fixed);
  float *x = scratch.take(width * hidden), *normed = scratch.take(width * hidden), *branch = aside ? scratch.take(width * hidden) : nullptr;
  float *q = scratch.take(width * queries), *mixed = scratch.take(width * queries);
  float *k = scratch.take(width * keys_of_one), *v = scratch.take(width * keys_of_one);
  float *gate = scratch.take(width * inner), *turn = scratch.take(width * turns);
  float *workers = scratch.take(own * pool.threads()), *mixture = scratch.take(of_mixture);
  float* fixed = scratch.take(of_fixed);

  auto panel = [](float* of, int p, int rows) { return of + size_t(p) * rows * kLanes; };
  // The norm of the state, where there is one.
  auto norm_all = [&](const float* weight) -> const float* {
    if (!weight) return x;
    share(pool, panels, [&](int p, int) { norm_panel(m, panel(x, p, hidden), weight, panel(normed, p, hidden)); });
    return normed;
  };
  // Adds what a branch gave, which is `branch`, to the state.
  auto settle = [&](const float* out_norm) {
    share(pool, panels, [&](int p, int) {
      float *of = panel(branch, p, hidden), *to = panel(x, p, hidden);
      if (out_norm) norm_panel(m, of, out_norm, of);
      for (int i = 0; i < hidden * kLanes; i += W) store(to + i, load(of + i) * splat(m.residual_scale) + load(to + i));
    });
  };
  auto finish = [&](const Matrix& last, const float* in, const float* out_norm) {
    const bool at_once = !out_norm && m.residual_scale == 1;
    shared_gemm(pool, last, prepared(pool, in, last.columns, panels, fixed, last), panels, at_once, at_once ? x : branch);
    if (!at_once) settle(out_norm);
  };

  // What attention makes of `in`, as the last matrix takes it. Of the last layer the cache alone may be wanted.
  auto attend_all = [&](const Layer& layer, const float* in, bool cache_only) {
    const int dim = layer.head_dim, heads = layer.heads;
    const size_t head = size_t(cache.capacity) * dim;
    const Rope* rope = layer.rope < 0 ? nullptr : m.rope + layer.rope;
    const int turned = angle_place(m, layer) * kLanes;
    float *keys = cache.keys + cache.place(layer), *values = cache.values + cache.place(layer);
    const Panels ready = prepared(pool, in, hidden, panels, fixed, layer.k, layer.v, layer.q);
    shared_gemm(pool, layer.k, ready, panels, false, k);
    shared_gemm(pool, layer.v, ready, panels, false, v);
    share(pool, panels, [&](int p, int) {
      norm_heads(m, layer, layer.k_norm, layer.kv_heads, kLanes, panel(k, p, layer.keys()));
      for (int h = 0; h < layer.kv_heads; ++h) {
        float* key = panel(k, p, layer.keys()) + h * dim * kLanes;
        const float* value = panel(v, p, layer.keys()) + h * dim * kLanes;
        if (rope) rotate(key, *rope, panel(turn, p, turns) + turned, kLanes);
        for (int l = 0; l < kLanes && p * kLanes + l < n; ++l) {
          const size_t place = h * head + size_t(first + p * kLanes + l) * dim;
          for (int d = 0; d < dim; ++d) keys[place + d] = key[d * kLanes + l], values[place + d] = value[d * kLanes + l];
        }
      }
    });
    if (cache_only) return;
    shared_gemm(pool, layer.q, ready, panels, false, q);
    if (layer.q_norm)
      share(pool, panels, [&](int p, int) { norm_heads(m, layer, layer.q_norm, heads, kLanes, panel(q, p, layer.queries())); });
    share(pool, panels * heads, [&](int chunk, int worker) {
      // The last panels see the most keys: they go first, so that no long chunk is left for the end.
      const int p = panels - 1 - chunk / heads, h = chunk % heads;
      float* of = panel(q, p, layer.queries()) + h * dim * kLanes;
      if (rope) rotate(of, *rope, panel(turn, p, turns) + turned, kLanes);
      const int start = first + p * kLanes, end = start + kLanes < first + n ? start + kLanes : first + n, seen = layer.first_seen(start);
      float scales[kLanes];
      for (int l = 0; l < kLanes; ++l) scales[l] = query_scale(layer, start + l);
      for (int d = 0; d < dim * kLanes; ++d) of[d] *= scales[d % kLanes];
      const size_t place = h / (heads / layer.kv_heads) * head + size_t(seen) * dim;
      attend_panel(of, keys + place, values + place, start - seen, end - seen, dim, layer.score_cap, layer.window,
                   layer.sinks ? layer.sinks + h : nullptr, workers + worker * own, panel(mixed, p, layer.queries()) + h * dim * kLanes);
    });
  };
  // The same of a convolution, position by position.
  auto convolve_all = [&](const Layer& layer, const float* in, bool cache_only) {
    float* inputs = cache.keys + cache.place(layer);
    shared_gemm(pool, layer.q, prepared(pool, in, hidden, panels, fixed, layer.q), panels, false, q);
    share(pool, panels, [&](int p, int) {
      const float* of = panel(q, p, layer.queries());
      for (int l = 0; l < kLanes && p * kLanes + l < n; ++l)
        for (int d = 0; d < hidden; ++d)
          inputs[size_t(first + p * kLanes + l) * hidden + d] = of[d * kLanes + l] * of[(2 * hidden + d) * kLanes + l];
    });
    if (cache_only) return;
    share(pool, panels, [&](int p, int worker) {
      const float* gate = panel(q, p, layer.queries()) + hidden * kLanes;
      float *to = panel(mixed, p, hidden), *row = workers + worker * own, *gates = row + Scratch::round(hidden);
      for (int l = 0; l < kLanes; ++l) {
        const bool there = p * kLanes + l < n;
        for (int d = 0; d < hidden; ++d) gates[d] = gate[d * kLanes + l];
        if (there) convolve(layer, hidden, inputs, first + p * kLanes + l, gates, row);
        for (int d = 0; d < hidden; ++d) to[d * kLanes + l] = there ? row[d] : 0;
      }
    });
  };

  share(pool, panels, [&](int p, int worker) {
    float* row = workers + worker * own;
    for (int l = 0; l < kLanes; ++l) {
      const int t = p * kLanes + l;
      // Lanes past the end compute on zeros; nobody reads them.
      if (t < n) dequantize(m.embedding, int(ids[t]), 0, hidden, row);
      for (int i = 0; i < hidden; ++i) panel(x, p, hidden)[i * kLanes + l] = t < n ? row[i] * m.embedding_scale : 0;
      float* to = panel(turn, p, turns) + l;
      for (int i = 0; i < m.ropes; to += m.rope[i++].dims * kLanes) angles(m.rope[i], first + t, to, kLanes);
    }
  });
  for (int i = 0; i < m.layers; ++i) {
    const Layer& layer = m.layer[i];
    const bool cache_only = i == m.layers - 1 && !logits;
    const float* in = norm_all(layer.input_norm);
    layer.kernel ? convolve_all(layer, in, cache_only) : attend_all(layer, in, cache_only);
    if (cache_only) break;
    finish(layer.o, mixed, layer.attention_out_norm);
    if (!layer.parallel) in = norm_all(layer.feed_norm);
    if (layer.experts) {
      mix(m, layer, pool, Mixture(*layer.experts, hidden, n, mixture), in, workers, own, branch);
      settle(layer.feed_out_norm);
      continue;
    }
    const Panels ready = prepared(pool, in, hidden, panels, fixed, layer.gate, layer.up);
    share(pool, row_chunks(layer.gate.rows), [&](int chunk, int worker) {
      const int all = layer.gate.rows, from = chunk * kRows, to = from + kRows < all ? from + kRows : all;
      gated_panels(layer, layer.gate, layer.up, from, to, ready, panels, gate, all, workers + worker * own);
    });
    finish(layer.down, gate, layer.feed_out_norm);
  }
  cache.length += n;
  if (!logits) return;
  const Panels ready = prepared(pool, norm_all(m.norm), hidden, panels, fixed, m.head);
  share(pool, row_chunks(m.vocabulary), [&](int chunk, int worker) {
    const int from = chunk * kRows, to = from + kRows < m.vocabulary ? from + kRows : m.vocabulary;
    float* rows = workers + worker * own;
    gemm(m.head, from, to, ready, panels, false, rows, to - from);
    for (int t = 0; t < n; ++t) {
      float* to_logits = logits + size_t(t) * m.vocabulary;
      for (int r = from; r < to; ++r) to_logits[r] = rows[(size_t(t / kLanes) * (to - from) + r - from) * kLanes + t % kLanes];
      finish_logits(m, to_logits + from, to - from);
    }
  });
}

}  // namespace
}  // namespace offprint
