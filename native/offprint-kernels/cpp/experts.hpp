// Which experts compute a position, and where they lie.
#pragma once
#include "parts.hpp"

namespace offprint {
namespace {

// One of `count` runs of rows.
inline Matrix expert(const Matrix& all, int index, int count) {
  Matrix m = all;
  m.rows = all.rows / count;
  const size_t row = size_t(index) * m.rows;
  const size_t of_row = scale_bytes(all) / (all.biases ? 2 : 1);
  m.weight = (const uint8_t*)all.weight + row * row_bytes(all);
  if (all.scales) m.scales = (const uint8_t*)all.scales + row * of_row;
  if (all.biases) m.biases = (const uint8_t*)all.biases + row * of_row;
  if (all.offset) m.offset = all.offset + row;
  return m;
}

// The `top` experts of a position by their scores, which lie `stride` apart, the highest first and of equals the first; and their
// weights.
inline void choose(const Experts& e, const float* scores, int stride, int* chosen, float* weights) {
  float sigmoids[kMostExperts];
  if (e.sigmoid)
    for (int i = 0; i < e.count; ++i) sigmoids[i] = sigmoid(splat(scores[size_t(i) * stride]), splat(1.0f))[0];
  auto score = [&](int i) { return !e.sigmoid ? scores[size_t(i) * stride] : e.bias ? sigmoids[i] + e.bias[i] : sigmoids[i]; };
  for (int s = 0; s < e.top; ++s) {
    int best = -1;
    for (int i = 0; i < e.count; ++i) {
      bool taken = false;
      for (int before = 0; before < s; ++before) taken = taken || chosen[before] == i;
      if (!taken && (best < 0 || score(i) > score(best))) best = i;
    }
    chosen[s] = best;
  }
  if (e.sigmoid) {
    float total = 1e-6f;
    for (int s = 0; s < e.top; ++s) total += sigmoids[chosen[s]];
    for (int s = 0; s < e.top; ++s) weights[s] = sigmoids[chosen[s]] / (e.renormalise ? total : 1) * e.scale;
    return;
  }
  // The first is the highest of all; without its weight's size, a softmax is the same.
  const float most = score(chosen[0]);
  float total = 0;
  for (int s = 0; s < e.top; ++s) weights[s] = exponential(splat(score(chosen[s]) - most))[0];
  if (e.softmax_first && !e.renormalise)
    for (int i = 0; i < e.count; ++i) total += exponential(splat(score(i) - most))[0];
  else
    for (int s = 0; s < e.top; ++s) total += weights[s];
  for (int s = 0; s < e.top; ++s) weights[s] /= total;
}

// Logits as the model wants them, from the products with the head.
inline void finish_logits(const Model& m, float* logits, int n) {
  if (m.logit_scale != 1)
    for (int i = 0; i < n; ++i) logits[i] *= m.logit_scale;
  if (m.logit_cap == 0) return;
  for (int i = 0; i < n; i += W) {
    float some[W] = {};
    const int count = n - i < W ? n - i : W;
    memcpy(some, logits + i, count * sizeof(float));
    store(some, capped(load(some), m.logit_cap));
    memcpy(logits + i, some, count * sizeof(float));
  }
}

}  // namespace
}  // namespace offprint
