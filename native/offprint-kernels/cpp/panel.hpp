// A matrix times a whole prompt. Activations lie in panels of 16 positions, `[panel][feature][16]`: registers hold
// positions, so weights stay in their natural order and are broadcast, the result of one product is the operand of the
// next, and norms, rotation and softmax are vector code without any shuffling.
#pragma once
#include "unpack.hpp"

namespace offprint {
namespace {

constexpr int kLanes = 16;
constexpr int kTile = W == 4 ? 3 : W == 8 ? 6 : 12;  // rows of a register tile: as many sums as registers hold
constexpr int kPanels = W == 16 ? 2 : 1;             // panels of a tile: there are twice as many registers of 16
constexpr int kRows = 48;                            // rows of weights unpacked at a time: one chunk of work
constexpr int kDepth = 256;                          // columns at a time: 16 KB of activations stay in the first cache

// c[r][lane] (+)= sum over k of w(r, k) * x[k][lane], where w(r, k) lies at `r * step + k`, or (not `Rows`) at `k * step + r`.
// `Q` panels at a time, `x` and `c` of the next being `xs` and `cs` further on: a weight that was fetched serves them all.
template <int R, bool Rows, int Q>
inline void tile(const float* w, size_t step, const float* x, size_t xs, int depth, bool add, float* c, size_t cs) {
  constexpr int V = kLanes / W;
  F acc[R][Q * V];
#pragma GCC unroll 12
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 4
    for (int v = 0; v < Q * V; ++v) acc[r][v] = add ? load(c + v / V * cs + r * kLanes + v % V * W) : F{};
  for (int k = 0; k < depth; ++k, x += kLanes) {
    F e[Q * V];
#pragma GCC unroll 4
    for (int v = 0; v < Q * V; ++v) e[v] = load(x + v / V * xs + v % V * W);
#pragma GCC unroll 12
    for (int r = 0; r < R; ++r) {
      const F b = splat(Rows ? w[r * step + k] : w[k * step + r]);
#pragma GCC unroll 4
      for (int v = 0; v < Q * V; ++v) acc[r][v] = b * e[v] + acc[r][v];
    }
  }
#pragma GCC unroll 12
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 4
    for (int v = 0; v < Q * V; ++v) store(c + v / V * cs + r * kLanes + v % V * W, acc[r][v]);
}

template <bool Rows, int Q = 1>
inline void tiles(const float* w, size_t step, int rows, const float* x, int depth, bool add, float* c, size_t xs = 0,
                  size_t cs = 0) {
  int r = 0;
  for (; r + kTile <= rows; r += kTile)
    tile<kTile, Rows, Q>(w + (Rows ? r * step : r), step, x, xs, depth, add, c + r * kLanes, cs);
  for (; r < rows; ++r) tile<1, Rows, Q>(w + (Rows ? r * step : r), step, x, xs, depth, add, c + r * kLanes, cs);
}

// A linear layer's bias, if there is one, to rows `from..to` of all panels.
inline void add_offset(const Matrix& m, int from, int to, int panels, float* y, int stride) {
  if (!m.offset) return;
  for (int p = 0; p < panels; ++p)
    for (int r = from; r < to; ++r) {
      float* c = y + (size_t(p) * stride + r - from) * kLanes;
      for (int l = 0; l < kLanes; l += W) store(c + l, load(c + l) + splat(m.offset[r]));
    }
}

// Rows `from..to` (at most kRows) for all panels: `y[panel][row]` of `stride` rows a panel, `y` pointing at row `from`.
inline void gemm(const Matrix& m, int from, int to, const float* x, int panels, bool add, float* y, int stride) {
  alignas(64) float unpacked[kRows * kDepth];
  for (int k = 0; k < m.columns; k += kDepth) {
    const int depth = m.columns - k < kDepth ? m.columns - k : kDepth;
    const float* w = unpacked;
    size_t step = kDepth;
    if (m.format == Format::float32) w = (const float*)m.weight + size_t(from) * m.columns + k, step = m.columns;
    else
      for (int r = from; r < to; ++r) {
        fetch(m, r + kRows, k, k + depth);  // for the next chunk, most likely this thread's
        dequantize(m, r, k, k + depth, unpacked + size_t(r - from) * kDepth);
      }
    const size_t xs = size_t(m.columns) * kLanes, cs = size_t(stride) * kLanes;
    const float* in = x + size_t(k) * kLanes;
    int p = 0;
    for (; p + kPanels <= panels; p += kPanels)
      tiles<true, kPanels>(w, step, to - from, in + p * xs, depth, add || k > 0, y + p * cs, xs, cs);
    for (; p < panels; ++p) tiles<true>(w, step, to - from, in + p * xs, depth, add || k > 0, y + p * cs);
  }
  add_offset(m, from, to, panels, y, stride);
}

inline int row_chunks(int rows) { return (rows + kRows - 1) / kRows; }

}  // namespace
}  // namespace offprint
