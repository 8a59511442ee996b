// One token through the model. Four shared phases a dense layer; what is between them is done at once by the caller's thread.
#pragma once
#include "experts.hpp"
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

// gate -> what comes of gate and up, for rows `from..to` of both.
inline void gated(const Layer& layer, const Matrix& gate, const Matrix& up, const Vector& v, int from, int to, float* g, float* u) {
  matvec(gate, v, from, to, false, g);
  matvec(up, v, from, to, false, u);
  int r = from;
  for (; r + W <= to; r += W) store(g + r, activate(layer.activation, load(g + r), load(u + r)));
  if (r == to) return;
  float last[2][W] = {};
  memcpy(last[0], g + r, (to - r) * sizeof(float));
  memcpy(last[1], u + r, (to - r) * sizeof(float));
  store(last[0], activate(layer.activation, load(last[0]), load(last[1])));
  memcpy(g + r, last[0], (to - r) * sizeof(float));
}

// The most that one layer or another needs.
struct Most {
  int queries = 0, keys = 0, inner = 0, columns = 0, slots = 0, experts = 0;
  size_t partial = 0;  // floats of the parts of attention

  Most(const Model& m, int length) {
    columns = m.hidden;
    for (int i = 0; i < m.layers; ++i) {
      const Layer& layer = m.layer[i];
      const Experts* e = layer.experts;
      const size_t of_parts = part_floats(layer.head_dim) * layer.heads * parts(length - layer.first_seen(length - 1));
      raise(queries, layer.queries()), raise(keys, layer.keys()), raise(partial, of_parts);
      if (e) raise(slots, e->top + 1), raise(experts, e->count), raise(inner, e->inner()), raise(inner, e->shared_gate.rows);
      else raise(inner, layer.gate.rows);
    }
    raise(columns, queries), raise(columns, inner);
  }
  template <typename T>
  static void raise(T& of, T to) { of = of > to ? of : to; }
};

inline void decode(const Model& m, Cache& cache, Pool& pool, const Memory& memory, uint32_t id, float* logits) {
  const int hidden = m.hidden, position = cache.length, length = position + 1;
  const Most most(m, length);
  const size_t of_vector = Scratch::round(vector_floats(most.columns)), of_inner = Scratch::round(most.inner);
  const int slots = most.slots > 1 ? most.slots : 1, turns = angle_floats(m);
  Scratch scratch(memory, Scratch::round(hidden) * (3 + most.slots) + Scratch::round(most.queries) * 2 + Scratch::round(most.keys) * 2 +
                              of_inner * 2 * slots + of_vector * (1 + most.slots) + Scratch::round(turns) +
                              Scratch::round(most.experts + 1) + most.partial);
  float *x = scratch.take(hidden), *normed = scratch.take(hidden);
  float *q = scratch.take(most.queries), *mixed = scratch.take(most.queries);
  float *k = scratch.take(most.keys), *v = scratch.take(most.keys);
  float *gate = scratch.take(of_inner * slots), *up = scratch.take(of_inner * slots);
  Vector vector = vector_in(scratch.take(of_vector), most.columns);
  float *turn = scratch.take(turns), *scores = scratch.take(most.experts + 1);
  float *downs = scratch.take(Scratch::round(hidden) * most.slots), *inners = scratch.take(of_vector * most.slots);
  float *branch = scratch.take(hidden), *partial = scratch.take(most.partial);

  // Adds what a branch gave, which is `branch`, to the state.
  auto settle = [&](const float* out_norm) {
    if (out_norm) norm(m, branch, out_norm, branch);
    for (int i = 0; i < hidden; ++i) x[i] += branch[i] * m.residual_scale;
  };
  auto finish = [&](const Matrix& last, const float* out_norm) {
    const bool at_once = !out_norm && m.residual_scale == 1;
    shared_matvec(pool, last, vector, at_once, at_once ? x : branch);
    if (!at_once) settle(out_norm);
  };

  dequantize(m.embedding, int(id), 0, hidden, x);
  if (m.embedding_scale != 1)
    for (int i = 0; i < hidden; ++i) x[i] *= m.embedding_scale;
  for (int i = 0, place = 0; i < m.ropes; place += m.rope[i++].dims) angles(m.rope[i], position, turn + place, 1);
  for (int i = 0; i < m.layers; ++i) {
    const Layer& layer = m.layer[i];
    const int dim = layer.head_dim, heads = layer.heads, group = heads / layer.kv_heads;
    float *keys = cache.keys + cache.place(layer), *values = cache.values + cache.place(layer);
    const size_t head = size_t(cache.capacity) * dim;
    const Rope* rope = layer.rope < 0 ? nullptr : m.rope + layer.rope;
    const float* turned = turn + angle_place(m, layer);

    const float* in = x;
    if (layer.input_norm) norm(m, x, layer.input_norm, normed), in = normed;
    prepare(vector, in, hidden, layer.q, layer.k, layer.v);
    const int of_q = chunks(layer.q), of_k = chunks(layer.k);
    share(pool, of_q + of_k + chunks(layer.v), [&](int chunk, int) {
      if (chunk < of_q) matvec_chunk(layer.q, vector, chunk, false, q);
      else if (chunk < of_q + of_k) matvec_chunk(layer.k, vector, chunk - of_q, false, k);
      else matvec_chunk(layer.v, vector, chunk - of_q - of_k, false, v);
    });
    norm_heads(m, layer, layer.k_norm, layer.kv_heads, 1, k);
    for (int h = 0; h < layer.kv_heads; ++h) {
      if (rope) rotate(k + h * dim, *rope, turned, 1);
      const size_t place = h * head + size_t(position) * dim;
      memcpy(keys + place, k + h * dim, dim * sizeof(float));
      memcpy(values + place, v + h * dim, dim * sizeof(float));
    }
    if (i == m.layers - 1 && !logits) break;
    norm_heads(m, layer, layer.q_norm, heads, 1, q);
    if (rope)
      for (int h = 0; h < heads; ++h) rotate(q + h * dim, *rope, turned, 1);
    const float scale = query_scale(layer, position);
    for (int d = 0; d < layer.queries(); ++d) q[d] *= scale;
    // `[part][head]`: what the queries of one key head make of one part of the past is a chunk.
    const int seen = layer.first_seen(position), past = parts(length - seen);
    const size_t of_part = part_floats(dim);
    share(pool, layer.kv_heads * past, [&](int chunk, int) {
      const int h = chunk / past, part = chunk % past, from = seen + part * kPart;
      const size_t place = h * head + size_t(from) * dim;
      attend(q + h * group * dim, group, keys + place, values + place, length - from < kPart ? length - from : kPart, dim,
             layer.score_cap, partial + (size_t(part) * heads + h * group) * of_part, of_part);
    });
    for (int h = 0; h < heads; ++h)
      join(partial + h * of_part, past, of_part * heads, dim, layer.sinks ? layer.sinks + h : nullptr, mixed + h * dim);
    prepare(vector, mixed, layer.queries(), layer.o);
    finish(layer.o, layer.attention_out_norm);

    if (!layer.parallel) {
      in = x;
      if (layer.feed_norm) norm(m, x, layer.feed_norm, normed), in = normed;
    }
    if (const Experts* e = layer.experts) {
      prepare(vector, in, hidden, e->router, e->gate, e->up, e->shared_gate, e->shared_up, e->shared_weight);
      const bool weighted = e->shared_weight.weight;
      share(pool, chunks(e->router) + weighted, [&](int chunk, int) {
        if (chunk < chunks(e->router)) matvec_chunk(e->router, vector, chunk, false, scores);
        else matvec(e->shared_weight, vector, 0, 1, false, scores + e->count);
      });
      int chosen[kMostTop];
      float weights[kMostTop + 1];
      choose(*e, scores, 1, chosen, weights);
      const int of = e->top + (e->shared_gate.weight ? 1 : 0);
      weights[e->top] = weighted ? sigmoid(splat(scores[e->count]), splat(1.0f))[0] : 1.0f;
      // An expert of the router's, or the shared one behind them.
      auto part = [&](int slot, const Matrix& all, const Matrix& shared) {
        return slot < e->top ? expert(all, chosen[slot], e->count) : shared;
      };
      // Chunks of one height for all: the higher matrices have more of them.
      const int some = rows_at_once(e->gate), highest = e->inner() > e->shared_gate.rows ? e->inner() : e->shared_gate.rows;
      const int of_one = (highest + some - 1) / some;
      share(pool, of * of_one, [&](int chunk, int) {
        const int slot = chunk / of_one, from = chunk % of_one * some;
        const Matrix g = part(slot, e->gate, e->shared_gate), u = part(slot, e->up, e->shared_up);
        const int to = from + some < g.rows ? from + some : g.rows;
        if (from < to) gated(layer, g, u, vector, from, to, gate + slot * of_inner, up + slot * of_inner);
      });
      Vector each[kMostTop + 1];
      share(pool, of, [&](int slot, int) {
        each[slot] = vector_in(inners + slot * of_vector, most.columns);
        const Matrix d = part(slot, e->down, e->shared_down);
        prepare(each[slot], gate + slot * of_inner, d.columns, d);
      });
      const int rows = rows_at_once(e->down), of_down = (hidden + rows - 1) / rows;
      const size_t of_state = Scratch::round(hidden);
      share(pool, of * of_down, [&](int chunk, int) {
        const int slot = chunk / of_down, from = chunk % of_down * rows, to = from + rows < hidden ? from + rows : hidden;
        matvec(part(slot, e->down, e->shared_down), each[slot], from, to, false, downs + slot * of_state);
      });
      for (int j = 0; j < hidden; ++j) branch[j] = 0;
      for (int slot = 0; slot < of; ++slot)
        for (int j = 0; j < hidden; ++j) branch[j] += downs[slot * of_state + j] * weights[slot];
      settle(layer.feed_out_norm);
      continue;
    }
    prepare(vector, in, hidden, layer.gate, layer.up);
    // Chunks of one height for both, so that a chunk can finish its part of the product.
    const int inner = layer.gate.rows, some = rows_at_once(layer.gate);
    share(pool, (inner + some - 1) / some, [&](int chunk, int) {
      const int from = chunk * some, to = from + some < inner ? from + some : inner;
      gated(layer, layer.gate, layer.up, vector, from, to, gate, up);
    });
    prepare(vector, gate, inner, layer.down);
    finish(layer.down, layer.feed_out_norm);
  }
  cache.length = length;
  if (!logits) return;
  norm(m, x, m.norm, normed);
  prepare(vector, normed, hidden, m.head);
  share(pool, chunks(m.head), [&](int chunk, int) {
    matvec_chunk(m.head, vector, chunk, false, logits);
    const int some = rows_at_once(m.head), from = chunk * some;
    finish_logits(m, logits + from, m.head.rows - from < some ? m.head.rows - from : some);
  });
}

}  // namespace
}  // namespace offprint
