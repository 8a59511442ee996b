// One position, or one of each of several sequences, or a few of one, through the model. Four shared phases a dense layer; what is
// between them is done at once by the caller's thread or, of several positions, shared too. A position's numbers are to the bit what
// they are alone: only the reading of weights is shared.
#pragma once
#include "experts.hpp"
#include "matvec.hpp"
#include "parts.hpp"
#include "work.hpp"

namespace offprint {
namespace {

constexpr int kMostRows = 32;  // positions at a time: bounds the memory

// Rows of one chunk: 24 KB of weights, some microseconds of work.
inline int rows_at_once(const Matrix& m) {
  const int rows = int(24 * 1024 / (row_bytes(m) + scale_bytes(m))) / 4 * 4;
  return rows < 4 ? 4 : rows;
}

inline int chunks(const Matrix& m) { return (m.rows + rows_at_once(m) - 1) / rows_at_once(m); }

// Vectors that one matrix is multiplied by, and where products go.
struct Vectors {
  int n;
  const Vector* const* x;
};

inline void matvec_chunk(const Matrix& m, Vectors in, int chunk, bool add, float* const* y) {
  const int some = rows_at_once(m), from = chunk * some;
  matvec(m, in.x, in.n, from, from + some < m.rows ? from + some : m.rows, add, y);
}

inline void shared_matvec(Pool& pool, const Matrix& m, Vectors in, bool add, float* const* y) {
  share(pool, chunks(m), [&](int chunk, int) { matvec_chunk(m, in, chunk, add, y); });
}

// Calls `f(row)` for each position.
template <typename T>
void each(Pool& pool, int n, const T& f) {
  if (n == 1) return f(0);
  share(pool, n, [&](int t, int) { f(t); });
}

// gate -> what comes of gate and up, for rows `from..to` of both.
inline void gated(const Layer& layer, const Matrix& gate, const Matrix& up, Vectors in, int from, int to, float* const* g, float* const* u) {
  matvec(gate, in.x, in.n, from, to, false, g);
  matvec(up, in.x, in.n, from, to, false, u);
  for (int t = 0; t < in.n; ++t) {
    float *of_gate = g[t], *of_up = u[t];
    int r = from;
    for (; r + W <= to; r += W) store(of_gate + r, activate(layer.activation, load(of_gate + r), load(of_up + r)));
    if (r == to) continue;
    float last[2][W] = {};
    memcpy(last[0], of_gate + r, (to - r) * sizeof(float));
    memcpy(last[1], of_up + r, (to - r) * sizeof(float));
    store(last[0], activate(layer.activation, load(last[0]), load(last[1])));
    memcpy(of_gate + r, last[0], (to - r) * sizeof(float));
  }
}

inline size_t partial_floats(const Model& m, int length) {
  size_t most = 0;
  for (int i = 0; i < m.layers; ++i) {
    const Layer& layer = m.layer[i];
    if (layer.kernel) continue;
    const size_t floats = part_floats(layer.head_dim) * layer.heads * parts(length - layer.first_seen(length - 1));
    most = most > floats ? most : floats;
  }
  return most;
}

// The most that one layer or another needs.
struct Most {
  int queries = 0, keys = 0, inner = 0, columns = 0, slots = 0, experts = 0;

  explicit Most(const Model& m) {
    columns = m.hidden;
    for (int i = 0; i < m.layers; ++i) {
      const Layer& layer = m.layer[i];
      const Experts* e = layer.experts;
      raise(queries, layer.queries()), raise(keys, layer.keys());
      if (e) raise(slots, e->top + 1), raise(experts, e->count), raise(inner, e->inner()), raise(inner, e->shared_gate.rows);
      else raise(inner, layer.gate.rows);
    }
    raise(columns, queries), raise(columns, inner);
  }
  static void raise(int& of, int to) { of = of > to ? of : to; }
};

// Memory of the positions: of each its own.
struct Positions {
  float *x[kMostRows], *normed[kMostRows], *branch[kMostRows], *q[kMostRows], *mixed[kMostRows], *k[kMostRows], *v[kMostRows];
  float *gate[kMostRows], *up[kMostRows], *turn[kMostRows], *partial[kMostRows], *scores[kMostRows];
  Vector vector[kMostRows];
  const Vector* in[kMostRows];

  static size_t floats(const Model& m, const Most& most, const Row& row) {
    auto of = Scratch::round;
    return of(m.hidden) * 3 + of(most.queries) * 2 + of(most.keys) * 2 + of(most.inner) * 2 + of(angle_floats(m)) +
           of(partial_floats(m, row.position + 1)) + of(most.experts + 1) + of(vector_floats(most.columns));
  }
  void take(Scratch& scratch, const Model& m, const Most& most, const Row& row, int t) {
    x[t] = scratch.take(m.hidden), normed[t] = scratch.take(m.hidden), branch[t] = scratch.take(m.hidden);
    q[t] = scratch.take(most.queries), mixed[t] = scratch.take(most.queries);
    k[t] = scratch.take(most.keys), v[t] = scratch.take(most.keys);
    gate[t] = scratch.take(most.inner), up[t] = scratch.take(most.inner);
    turn[t] = scratch.take(angle_floats(m)), partial[t] = scratch.take(partial_floats(m, row.position + 1));
    scores[t] = scratch.take(most.experts + 1);
    vector[t] = vector_in(scratch.take(vector_floats(most.columns)), most.columns), in[t] = &vector[t];
  }
};

// Which experts compute which positions. An item is one position by one expert: of position `t` the items `t * of ..= t * of + top`,
// by falling score and the shared expert, whose number is `count`, last. A job is all items of one expert.
struct Mixed {
  const Experts& e;
  int of, jobs = 0, room;
  int *expert_of, *first, *item;  // a job's expert, and where its items begin; items by job
  int *chosen, *count;
  float *weights, *memory;

  static size_t floats(const Model& m, const Most& most, int n) {
    auto of = Scratch::round;
    const size_t items = size_t(n) * most.slots;
    return of(items) * 4 + of(items + 1) + of(most.experts + 2) +
           items * (of(most.inner) * 2 + of(vector_floats(most.columns)) + of(m.hidden));
  }
  Mixed(const Experts& e, int n, float* memory) : e(e), of(e.top + (e.shared_gate.weight ? 1 : 0)), room(n * of), memory(memory) {
    expert_of = (int*)take(room), item = (int*)take(room), chosen = (int*)take(room), weights = take(room);
    first = (int*)take(room + 1), count = (int*)take(e.count + 2);
  }
  float* take(size_t floats) { return (memory += Scratch::round(floats)) - Scratch::round(floats); }

  void sort(int n) {
    const int items = n * of;
    memset(count, 0, (e.count + 2) * sizeof(int));
    for (int i = 0; i < items; ++i) ++count[chosen[i] + 1];
    jobs = 0;
    for (int x = 0; x <= e.count; ++x) {
      if (count[x + 1]) expert_of[jobs] = x, first[jobs++] = count[x];
      count[x + 1] += count[x];
    }
    first[jobs] = items;
    for (int i = 0; i < items; ++i) item[count[chosen[i]]++] = i;
  }
  Matrix part(int job, const Matrix& all, const Matrix& shared) const {
    return expert_of[job] < e.count ? expert(all, expert_of[job], e.count) : shared;
  }
};

// `branch` of each position becomes what the experts make of its `in`.
inline void mix_rows(const Model& m, const Layer& layer, Pool& pool, const Most& most, Positions& p, int n, float* const* in, float* memory) {
  const Experts& e = *layer.experts;
  const int hidden = m.hidden;
  const bool weighted = e.shared_weight.weight;
  each(pool, n, [&](int t) { prepare(p.vector[t], in[t], hidden, e.router, e.gate, e.up, e.shared_gate, e.shared_up, e.shared_weight); });
  float* gain[kMostRows];
  for (int t = 0; t < n; ++t) gain[t] = p.scores[t] + e.count;
  share(pool, chunks(e.router) + weighted, [&](int chunk, int) {
    if (chunk < chunks(e.router)) matvec_chunk(e.router, {n, p.in}, chunk, false, p.scores);
    else matvec(e.shared_weight, p.in, n, 0, 1, false, gain);
  });
  Mixed mixed(e, n, memory);
  const int of = mixed.of;
  for (int t = 0; t < n; ++t) {
    choose(e, p.scores[t], 1, mixed.chosen + t * of, mixed.weights + t * of);
    if (of == e.top) continue;
    mixed.chosen[t * of + e.top] = e.count;
    mixed.weights[t * of + e.top] = weighted ? sigmoid(splat(p.scores[t][e.count]), splat(1.0f))[0] : 1.0f;
  }
  mixed.sort(n);
  const size_t of_inner = Scratch::round(most.inner), of_vector = Scratch::round(vector_floats(most.columns)), of_state = Scratch::round(hidden);
  float *gate = mixed.take(of_inner * n * of), *up = mixed.take(of_inner * n * of), *inners = mixed.take(of_vector * n * of),
        *downs = mixed.take(of_state * n * of);
  auto inner_of = [&](int item) { return vector_in(inners + item * of_vector, most.columns); };
  // Chunks of one height for all: the higher matrices have more of them.
  const int some = rows_at_once(e.gate), highest = e.inner() > e.shared_gate.rows ? e.inner() : e.shared_gate.rows;
  const int of_one = (highest + some - 1) / some;
  share(pool, mixed.jobs * of_one, [&](int chunk, int) {
    const int job = chunk / of_one, from = chunk % of_one * some, first = mixed.first[job], count = mixed.first[job + 1] - first;
    const Matrix g = mixed.part(job, e.gate, e.shared_gate), u = mixed.part(job, e.up, e.shared_up);
    const int to = from + some < g.rows ? from + some : g.rows;
    if (from >= to) return;
    const Vector* x[kMostRows];
    float *gates[kMostRows], *ups[kMostRows];
    for (int i = 0; i < count; ++i) {
      const int item = mixed.item[first + i];
      x[i] = p.in[item / of], gates[i] = gate + item * of_inner, ups[i] = up + item * of_inner;
    }
    gated(layer, g, u, {count, x}, from, to, gates, ups);
  });
  share(pool, n * of, [&](int item, int) {
    const bool shared = item % of == e.top;
    const Matrix d = shared ? e.shared_down : expert(e.down, mixed.chosen[item], e.count);
    Vector v = inner_of(item);
    prepare(v, gate + item * of_inner, d.columns, d);
  });
  const int rows = rows_at_once(e.down), of_down = (hidden + rows - 1) / rows;
  share(pool, mixed.jobs * of_down, [&](int chunk, int) {
    const int job = chunk / of_down, from = chunk % of_down * rows, to = from + rows < hidden ? from + rows : hidden;
    const int first = mixed.first[job], count = mixed.first[job + 1] - first;
    Vector vectors[kMostRows];
    const Vector* x[kMostRows];
    float* y[kMostRows];
    for (int i = 0; i < count; ++i) {
      const int item = mixed.item[first + i];
      vectors[i] = inner_of(item), vectors[i].natural = gate + item * of_inner;
      x[i] = &vectors[i], y[i] = downs + item * of_state;
    }
    matvec(mixed.part(job, e.down, e.shared_down), x, count, from, to, false, y);
  });
  each(pool, n, [&](int t) {
    float* to = p.branch[t];
    for (int j = 0; j < hidden; ++j) to[j] = 0;
    for (int slot = 0; slot < of; ++slot) {
      const float *down = downs + (t * of + slot) * of_state, weight = mixed.weights[t * of + slot];
      for (int j = 0; j < hidden; ++j) to[j] += down[j] * weight;
    }
  });
}

// `n` positions, at most kMostRows, of one cache in their order. `logits`: `[n, vocabulary]`, or null.
inline void decode(const Model& m, Pool& pool, const Memory& memory, const Row* rows, int n, float* logits) {
  const int hidden = m.hidden;
  const Most most(m);
  size_t floats = most.slots ? Mixed::floats(m, most, n) : 0;
  for (int t = 0; t < n; ++t) floats += Positions::floats(m, most, rows[t]);
  Scratch scratch(memory, floats);
  Positions p;
  for (int t = 0; t < n; ++t) p.take(scratch, m, most, rows[t], t);
  float* experts = most.slots ? scratch.take(Mixed::floats(m, most, n)) : nullptr;
  const Vectors all{n, p.in};

  // Adds what a branch gave, which is `branch`, to the state.
  auto settle = [&](const float* out_norm) {
    each(pool, n, [&](int t) {
      float *branch = p.branch[t], *x = p.x[t];
      if (out_norm) norm(m, branch, out_norm, branch);
      for (int i = 0; i < hidden; ++i) x[i] += branch[i] * m.residual_scale;
    });
  };
  auto finish = [&](const Matrix& last, const float* out_norm) {
    const bool at_once = !out_norm && m.residual_scale == 1;
    shared_matvec(pool, last, all, at_once, at_once ? p.x : p.branch);
    if (!at_once) settle(out_norm);
  };
  // The norm of a position's state, where there is one.
  auto normed = [&](int t, const float* weight) -> const float* {
    if (!weight) return p.x[t];
    norm(m, p.x[t], weight, p.normed[t]);
    return p.normed[t];
  };

  // What attention makes of queries, keys and values, ready for the last matrix. Of the last layer the cache alone may be wanted.
  auto attend_all = [&](const Layer& layer, bool cache_only) {
    const int dim = layer.head_dim, heads = layer.heads, group = heads / layer.kv_heads;
    const Rope* rope = layer.rope < 0 ? nullptr : m.rope + layer.rope;
    each(pool, n, [&](int t) {
      Cache& cache = *rows[t].cache;
      float *q = p.q[t], *k = p.k[t], *keys = cache.keys + cache.place(layer), *values = cache.values + cache.place(layer);
      const float* turned = p.turn[t] + angle_place(m, layer);
      norm_heads(m, layer, layer.k_norm, layer.kv_heads, 1, k);
      for (int h = 0; h < layer.kv_heads; ++h) {
        if (rope) rotate(k + h * dim, *rope, turned, 1);
        const size_t place = (size_t(h) * cache.capacity + rows[t].position) * dim;
        memcpy(keys + place, k + h * dim, dim * sizeof(float));
        memcpy(values + place, p.v[t] + h * dim, dim * sizeof(float));
      }
      if (cache_only) return;
      norm_heads(m, layer, layer.q_norm, heads, 1, q);
      if (rope)
        for (int h = 0; h < heads; ++h) rotate(q + h * dim, *rope, turned, 1);
      const float scale = query_scale(layer, rows[t].position);
      for (int d = 0; d < layer.queries(); ++d) q[d] *= scale;
    });
    if (cache_only) return;
    // `[part][head]`: what the queries of one key head make of one part of the past is a chunk.
    int first[kMostRows + 1] = {0}, past[kMostRows];
    for (int t = 0; t < n; ++t) {
      past[t] = parts(rows[t].position + 1 - layer.first_seen(rows[t].position));
      first[t + 1] = first[t] + layer.kv_heads * past[t];
    }
    const size_t of_part = part_floats(dim);
    share(pool, first[n], [&](int chunk, int) {
      int t = 0;
      while (chunk >= first[t + 1]) ++t;
      const Cache& cache = *rows[t].cache;
      const int h = (chunk - first[t]) / past[t], part = (chunk - first[t]) % past[t], length = rows[t].position + 1;
      const int from = layer.first_seen(rows[t].position) + part * kPart;
      const size_t place = cache.place(layer) + (size_t(h) * cache.capacity + from) * dim;
      attend(p.q[t] + h * group * dim, group, cache.keys + place, cache.values + place, length - from < kPart ? length - from : kPart,
             dim, layer.score_cap, p.partial[t] + (size_t(part) * heads + h * group) * of_part, of_part);
    });
    each(pool, n, [&](int t) {
      for (int h = 0; h < heads; ++h)
        join(p.partial[t] + h * of_part, past[t], of_part * heads, dim, layer.sinks ? layer.sinks + h : nullptr, p.mixed[t] + h * dim);
      prepare(p.vector[t], p.mixed[t], layer.queries(), layer.o);
    });
  };
  // The same of a convolution.
  auto convolve_all = [&](const Layer& layer, bool cache_only) {
    // All are in the cache before one looks for those before it.
    each(pool, n, [&](int t) {
      Cache& cache = *rows[t].cache;
      float* into = cache.keys + cache.place(layer) + size_t(rows[t].position) * hidden;
      for (int i = 0; i < hidden; ++i) into[i] = p.q[t][i] * p.q[t][2 * hidden + i];
    });
    if (cache_only) return;
    each(pool, n, [&](int t) {
      const Cache& cache = *rows[t].cache;
      convolve(layer, hidden, cache.keys + cache.place(layer), rows[t].position, p.q[t] + hidden, p.mixed[t]);
      prepare(p.vector[t], p.mixed[t], hidden, layer.o);
    });
  };

  each(pool, n, [&](int t) {
    float* x = p.x[t];
    dequantize(m.embedding, int(rows[t].id), 0, hidden, x);
    if (m.embedding_scale != 1)
      for (int i = 0; i < hidden; ++i) x[i] *= m.embedding_scale;
    for (int i = 0, place = 0; i < m.ropes; place += m.rope[i++].dims) angles(m.rope[i], rows[t].position, p.turn[t] + place, 1);
  });
  for (int i = 0; i < m.layers; ++i) {
    const Layer& layer = m.layer[i];
    const bool last = i == m.layers - 1 && !logits;
    each(pool, n, [&](int t) { prepare(p.vector[t], normed(t, layer.input_norm), hidden, layer.q, layer.k, layer.v); });
    const int of_q = chunks(layer.q), of_k = layer.kernel ? 0 : chunks(layer.k), of_v = layer.kernel ? 0 : chunks(layer.v);
    share(pool, of_q + of_k + of_v, [&](int chunk, int) {
      if (chunk < of_q) matvec_chunk(layer.q, all, chunk, false, p.q);
      else if (chunk < of_q + of_k) matvec_chunk(layer.k, all, chunk - of_q, false, p.k);
      else matvec_chunk(layer.v, all, chunk - of_q - of_k, false, p.v);
    });
    layer.kernel ? convolve_all(layer, last) : attend_all(layer, last);
    if (last) break;
    finish(layer.o, layer.attention_out_norm);

    // Of parallel branches the second reads what the first did.
    float* const* in = layer.parallel || layer.feed_norm ? p.normed : p.x;
    const float* before = layer.parallel ? nullptr : layer.feed_norm;
    if (layer.experts) {
      if (before) each(pool, n, [&](int t) { normed(t, before); });
      mix_rows(m, layer, pool, most, p, n, in, experts);
      settle(layer.feed_out_norm);
      continue;
    }
    each(pool, n, [&](int t) {
      if (before) normed(t, before);
      prepare(p.vector[t], in[t], hidden, layer.gate, layer.up);
    });
    // Chunks of one height for both, so that a chunk can finish its part of the product.
    const int inner = layer.gate.rows, some = rows_at_once(layer.gate);
    share(pool, (inner + some - 1) / some, [&](int chunk, int) {
      const int from = chunk * some, to = from + some < inner ? from + some : inner;
      gated(layer, layer.gate, layer.up, all, from, to, p.gate, p.up);
    });
    each(pool, n, [&](int t) { prepare(p.vector[t], p.gate[t], inner, layer.down); });
    finish(layer.down, layer.feed_out_norm);
  }
  for (int t = 0; t < n; ++t) rows[t].cache->length = rows[t].position + 1;
  if (!logits) return;
  each(pool, n, [&](int t) {
    norm(m, p.x[t], m.norm, p.normed[t]);
    prepare(p.vector[t], p.normed[t], hidden, m.head);
  });
  float* of[kMostRows];
  for (int t = 0; t < n; ++t) of[t] = logits + size_t(t) * m.vocabulary;
  share(pool, chunks(m.head), [&](int chunk, int) {
    matvec_chunk(m.head, all, chunk, false, of);
    const int some = rows_at_once(m.head), from = chunk * some;
    for (int t = 0; t < n; ++t) finish_logits(m, of[t] + from, m.head.rows - from < some ? m.head.rows - from : some);
  });
}

}  // namespace
}  // namespace offprint
