// A matrix times a whole prompt. Activations lie in panels of 16 positions, `[panel][feature][16]`: registers hold
// positions, so weights stay in their natural order and are broadcast, the result of one product is the operand of the
// next, and norms, rotation and softmax are vector code without any shuffling.
#pragma once
#include "unpack.hpp"

namespace offprint {
namespace {

constexpr int kLanes = 16;
constexpr int kTile = W == 4 ? 3 : W == 8 ? 6 : 12;  // rows of a register tile: as many sums as registers can hold
constexpr int kRows = 48;                            // rows of weights unpacked at a time: one chunk of work
constexpr int kDepth = 256;                          // columns at a time: 16 KB of activations stay in the first cache

// c[r][lane] (+)= sum over k of w(r, k) * x[k][lane], where w(r, k) lies at `r * step + k`, or (not `Rows`) at `k * step + r`.
template <int R, bool Rows>
inline void tile(const float* w, size_t step, const float* x, int depth, bool add, float* c) {
  constexpr int V = kLanes / W;
  F acc[R][V];
#pragma GCC unroll 12
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v) acc[r][v] = add ? load(c + r * kLanes + v * W) : F{};
  for (int k = 0; k < depth; ++k, x += kLanes) {
    F e[V];
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v) e[v] = load(x + v * W);
#pragma GCC unroll 12
    for (int r = 0; r < R; ++r) {
      const F b = splat(Rows ? w[r * step + k] : w[k * step + r]);
#pragma GCC unroll 4
      for (int v = 0; v < V; ++v) acc[r][v] = b * e[v] + acc[r][v];
    }
  }
#pragma GCC unroll 12
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v) store(c + r * kLanes + v * W, acc[r][v]);
}

template <bool Rows>
inline void tiles(const float* w, size_t step, int rows, const float* x, int depth, bool add, float* c) {
  int r = 0;
  for (; r + kTile <= rows; r += kTile)
    tile<kTile, Rows>(w + (Rows ? r * step : r), step, x, depth, add, c + r * kLanes);
  for (; r < rows; ++r) tile<1, Rows>(w + (Rows ? r * step : r), step, x, depth, add, c + r * kLanes);
}

// Rows `from..to` (at most kRows) for all panels: `y[panel][row]` of `stride` rows a panel, `y` pointing at row `from`.
inline void gemm(const Matrix& m, int from, int to, const float* x, int panels, bool add, float* y, int stride) {
  alignas(64) float unpacked[kRows * kDepth];
  for (int k = 0; k < m.columns; k += kDepth) {
    const int depth = m.columns - k < kDepth ? m.columns - k : kDepth;
    const float* w = unpacked;
    size_t step = kDepth;
    if (m.bits == 32) w = (const float*)m.weight + size_t(from) * m.columns + k, step = m.columns;
    else
      for (int r = from; r < to; ++r) dequantize(m, r, k, k + depth, unpacked + size_t(r - from) * kDepth);
    for (int p = 0; p < panels; ++p)
      tiles<true>(w, step, to - from, x + (size_t(p) * m.columns + k) * kLanes, depth, add || k > 0,
                  y + size_t(p) * stride * kLanes);
  }
  if (m.offset)
    for (int p = 0; p < panels; ++p)
      for (int r = from; r < to; ++r) {
        float* c = y + (size_t(p) * stride + r - from) * kLanes;
        for (int l = 0; l < kLanes; l += W) store(c + l, load(c + l) + splat(m.offset[r]));
      }
}

inline int row_chunks(int rows) { return (rows + kRows - 1) / kRows; }

}  // namespace
}  // namespace offprint
