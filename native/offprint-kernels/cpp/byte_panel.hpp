// A matrix times a prompt with activations of 16 bits, at the level that has them: half of the products of floats.
//
// Of each position 32 columns share a step, as in bytes.hpp. Two columns of 16 positions are a register of pairs, and two columns of a
// row a pair for all lanes: one instruction multiplies and adds both. 32 columns leave whole numbers once.
#pragma once
#include "bytes.hpp"
#include "panel.hpp"

namespace offprint {
namespace {

constexpr int kShared = 32;  // columns that share a step
// Of 32 columns of a panel: `[pair][16]` of 32 bits, a step a position, and the sum of its activations.
constexpr int kFixedPanel = kShared / 2 * kLanes + 2 * kLanes;
inline size_t fixed_floats(int columns) { return kBytes ? size_t(columns + kShared - 1) / kShared * kFixedPanel : 0; }

#if defined(OFFPRINT_BYTES)
inline __m512i numbers(const float* x, F inverse) { return _mm512_cvtps_epi32((__m512)(load(x) * inverse)); }

// `[column][16]` of one panel, whole runs, to what `byte_gemm` wants.
inline void fix_panel(const float* x, int columns, float* to) {
  for (int k = 0; k < columns; k += kShared, x += kShared * kLanes, to += kFixedPanel) {
    U most{};
    F total{};
    for (int i = 0; i < kShared; ++i) {
      const F v = load(x + i * kLanes);
      const U size = (U)v & 0x7fffffff;
      most = size > most ? size : most;  // as whole numbers: what is no number is the largest
      total = total + v;
    }
    const F largest = (F)most, inverse = largest > splat(1e-30f) ? splat(kHalfSteps) / largest : F{};
    for (int i = 0; i < kShared; i += 2) {
      const __m512i first = numbers(x + i * kLanes, inverse), second = numbers(x + (i + 1) * kLanes, inverse);
      store(to + i / 2 * kLanes, (F)_mm512_mask_blend_epi16(0xaaaaaaaa, first, _mm512_slli_epi32(second, 16)));
    }
    store(to + kShared / 2 * kLanes, largest * splat(1 / kHalfSteps));
    store(to + (kShared / 2 + 1) * kLanes, total);
  }
}

// `kShared` packed numbers to 16 bits each; E2M1's in halves.
template <int C>
inline void halves(const uint8_t* packed, int16_t* to) {
  if constexpr (C == 8) {
    _mm512_storeu_si512(to, _mm512_cvtepu8_epi16(_mm256_loadu_si256((const __m256i*)packed)));
  } else {
    const U bytes = (U)_mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i*)packed));
    __m512i pairs = (__m512i)((bytes | bytes << 12) & 0x000f000f);
    if constexpr (C == kE2M1Code) {
      const __m256i table = _mm256_setr_epi16(0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12);
      pairs = _mm512_permutexvar_epi16(pairs, _mm512_castsi256_si512(table));
    }
    _mm512_storeu_si512(to, pairs);
  }
}

// A chunk's rows: numbers, and scales and biases of each 32 columns.
struct Halves {
  alignas(64) int16_t number[kRows][kDepth];
  float scale[kRows][kDepth / kShared], bias[kRows][kDepth / kShared];
};

template <int C>
void halve(const Matrix& m, int from, int to, int k, int depth, Halves& out) {
  float scales[kSpan], biases[kSpan] = {};
  for (int r = from; r < to; ++r) {
    fetch(m, r + kRows, k, k + depth);
    widen(m, r, k / m.group * m.group, m.columns, scales, biases);
    for (int i = 0; i < depth; i += kShared) {
      const int group = (k + i) / m.group - k / m.group, run = i / kShared;
      halves<C>(row_of(m, r) + size_t(k + i) * bits_of(C) / 8, out.number[r - from] + i);
      out.scale[r - from][run] = scales[group] * (C == kE2M1Code ? 0.5f : 1.0f), out.bias[r - from][run] = biases[group];
    }
  }
}

// `R` rows from `row` on, `Q` panels: as `tile` of floats.
template <int R, int Q>
inline void byte_tile(const Halves& w, int row, const float* x, size_t xs, int runs, bool add, float* c, size_t cs) {
  F acc[R][Q];
#pragma GCC unroll 6
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 2
    for (int q = 0; q < Q; ++q) acc[r][q] = add ? load(c + q * cs + r * kLanes) : F{};
  for (int run = 0; run < runs; ++run, x += kFixedPanel) {
    __m512i sum[R][Q];
#pragma GCC unroll 6
    for (int r = 0; r < R; ++r)
#pragma GCC unroll 2
      for (int q = 0; q < Q; ++q) sum[r][q] = _mm512_setzero_si512();
    const int16_t* numbers = w.number[row] + run * kShared;
#pragma GCC unroll 16
    for (int pair = 0; pair < kShared / 2; ++pair) {
      __m512i e[Q];
#pragma GCC unroll 2
      for (int q = 0; q < Q; ++q) e[q] = (__m512i)load(x + q * xs + pair * kLanes);
#pragma GCC unroll 6
      for (int r = 0; r < R; ++r) {
        int32_t both;
        memcpy(&both, numbers + r * kDepth + pair * 2, 4);
        const __m512i number = _mm512_set1_epi32(both);
#pragma GCC unroll 2
        for (int q = 0; q < Q; ++q) sum[r][q] = _mm512_dpwssd_epi32(sum[r][q], number, e[q]);
      }
    }
#pragma GCC unroll 2
    for (int q = 0; q < Q; ++q) {
      const F steps = load(x + q * xs + kShared / 2 * kLanes), totals = load(x + q * xs + (kShared / 2 + 1) * kLanes);
#pragma GCC unroll 6
      for (int r = 0; r < R; ++r) {
        acc[r][q] = (F)_mm512_cvtepi32_ps(sum[r][q]) * (steps * splat(w.scale[row + r][run])) + acc[r][q];
        acc[r][q] = totals * splat(w.bias[row + r][run]) + acc[r][q];
      }
    }
  }
#pragma GCC unroll 6
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 2
    for (int q = 0; q < Q; ++q) store(c + q * cs + r * kLanes, acc[r][q]);
}

template <int Q>
inline void byte_tiles(const Halves& w, int rows, const float* x, size_t xs, int runs, bool add, float* c, size_t cs) {
  int r = 0;
  for (; r + kTile / Q <= rows; r += kTile / Q) byte_tile<kTile / Q, Q>(w, r, x, xs, runs, add, c + r * kLanes, cs);
  for (; r < rows; ++r) byte_tile<1, Q>(w, r, x, xs, runs, add, c + r * kLanes, cs);
}

// As `gemm`, from what `fix_panel` made of each panel.
inline void byte_gemm(const Matrix& m, int from, int to, const float* x, int panels, bool add, float* y, int stride) {
  Halves w;
  const size_t xs = fixed_floats(m.columns), cs = size_t(stride) * kLanes;
  for (int k = 0; k < m.columns; k += kDepth) {
    const int depth = m.columns - k < kDepth ? m.columns - k : kDepth;
    if (m.format == Format::mxfp4) halve<kE2M1Code>(m, from, to, k, depth, w);
    else m.bits == 4 ? halve<4>(m, from, to, k, depth, w) : halve<8>(m, from, to, k, depth, w);
    const float* in = x + fixed_floats(k);
    int p = 0;
    for (; p + 2 <= panels; p += 2) byte_tiles<2>(w, to - from, in + p * xs, xs, depth / kShared, add || k > 0, y + p * cs, cs);
    if (p < panels) byte_tiles<1>(w, to - from, in + p * xs, xs, depth / kShared, add || k > 0, y + p * cs, cs);
  }
  add_offset(m, from, to, panels, y, stride);
}
#else
inline void fix_panel(const float*, int, float*) {}
inline void byte_gemm(const Matrix&, int, int, const float*, int, bool, float*, int) {}
#endif

// Activations of a prompt as its matrices want them: `[panel][column][16]`, and what `fix_panel` made of each panel, or null.
struct Panels {
  Panels(const float* natural, const float* fixed = nullptr) : natural(natural), fixed(fixed) {}
  const float *natural, *fixed;
};

inline void gemm(const Matrix& m, int from, int to, Panels x, int panels, bool add, float* y, int stride) {
  if (x.fixed && in_bytes(m)) byte_gemm(m, from, to, x.fixed, panels, add, y, stride);
  else gemm(m, from, to, x.natural, panels, add, y, stride);
}

}  // namespace
}  // namespace offprint
