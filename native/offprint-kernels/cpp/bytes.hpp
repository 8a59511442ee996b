// Products of 4- and 8-bit weights with activations of 16 bits, where the processor multiplies bytes and the level says so.
//
// A run is the columns of 16 bytes of weights: 32 of 4 bits, 16 of 8. The activations of a run share a step; each is a whole number of
// 16 bits times it, in two bytes, off by half a step: less than 2^-15.9 of the largest of the run. Sums of whole numbers are exact.
//
// A register holds one word of four rows and four runs, `[row][run]`, so a run is summed within a lane and leaves whole numbers once. A
// row's sums are added up run by run, every fourth into one lane, then the four lanes: by the same steps whatever the number of
// vectors, so each has to the bit what it has alone.
#pragma once
#include "fixed.hpp"

namespace offprint {
namespace {

#if defined(OFFPRINT_BYTES)
constexpr bool kBytes = true;
#else
constexpr bool kBytes = false;
#endif

// Those of these products. Of nvfp4 a run would have two scales.
inline bool in_bytes(const Matrix& m) {
  return kBytes && ((m.format == Format::affine && (m.bits == 4 || m.bits == 8)) || m.format == Format::mxfp4);
}

#if defined(OFFPRINT_BYTES)
constexpr float kHalfSteps = 32639;  // 0x7f7f: with 0x8080 added, two bytes hold it

constexpr int run_of(int code) { return 128 / bits_of(code); }
// Values of a word that lie in one byte.
constexpr int in_byte(int code) { return 8 / bits_of(code); }
// Of four runs of a vector: `[byte, the higher first][value in the byte][word][run]`, four signed bytes each, then a step a run, and
// -12 times the sum of its numbers.
constexpr int block_floats(int code) { return in_byte(code) * 32 + 8; }

// The numbers of a run, and its step.
template <int Columns>
inline float numbers_of(const float* x, int16_t* to) {
  constexpr int N = Columns / W;
  F v[N];
  U most{};
  for (int i = 0; i < N; ++i) {
    v[i] = load(x + i * W);
    const U size = (U)v[i] & 0x7fffffff;
    most = size > most ? size : most;  // as whole numbers: what is no number is the largest
  }
  const uint32_t bits = _mm512_reduce_max_epu32((__m512i)most);
  float largest;
  memcpy(&largest, &bits, 4);
  const F inverse = splat(largest > 1e-30f ? kHalfSteps / largest : 0.0f);
  for (int i = 0; i < N; ++i) _mm256_storeu_si256((__m256i*)(to + i * W), _mm512_cvtepi32_epi16(_mm512_cvtps_epi32((__m512)(v[i] * inverse))));
  return largest * (1 / kHalfSteps);
}

// A vector as `bytes` wants it.
template <int C>
void order_bytes(const float* x, int columns, float* ordered) {
  constexpr int run = run_of(C), P = in_byte(C);
  // Of eight numbers the higher bytes of each dword's four, then the lower ones.
  const __m128i bytes = P == 2 ? _mm_setr_epi8(1, 5, 9, 13, 3, 7, 11, 15, 0, 4, 8, 12, 2, 6, 10, 14)
                               : _mm_setr_epi8(1, 3, 5, 7, 9, 11, 13, 15, 0, 2, 4, 6, 8, 10, 12, 14);
  for (int from = 0; from < columns; from += 4 * run, x += 4 * run, ordered += block_floats(C)) {
    alignas(64) int16_t numbers[4][run] = {};
    float* steps = ordered + P * 32;
    memset(steps, 0, 8 * sizeof(float));
    for (int i = 0; i < 4 && from + i * run < columns; ++i) {
      steps[i] = numbers_of<run>(x + i * run, numbers[i]);
      if constexpr (P == 1) continue;
      const __m512i pairs = _mm512_madd_epi16(_mm512_loadu_si512(numbers[i]), _mm512_set1_epi16(-12));
      const int32_t total = _mm512_reduce_add_epi32(pairs);
      memcpy(steps + 4 + i, &total, 4);
    }
    for (int eight = 0; eight < run / 8; ++eight) {
      __m128i v[4];
      for (int i = 0; i < 4; ++i) {
        const __m128i split = _mm_add_epi16(_mm_loadu_si128((const __m128i*)(numbers[i] + eight * 8)), _mm_set1_epi16(short(0x8080)));
        v[i] = _mm_xor_si128(_mm_shuffle_epi8(split, bytes), _mm_set1_epi8(char(0x80)));
      }
      const __m128i a = _mm_unpacklo_epi32(v[0], v[1]), b = _mm_unpacklo_epi32(v[2], v[3]), c = _mm_unpackhi_epi32(v[0], v[1]),
                    d = _mm_unpackhi_epi32(v[2], v[3]);
      const __m128i of[4] = {_mm_unpacklo_epi64(a, b), _mm_unpackhi_epi64(a, b), _mm_unpacklo_epi64(c, d), _mm_unpackhi_epi64(c, d)};
      // Two values a byte: a word is eight columns; one: four.
      for (int i = 0; i < 4; ++i)
        _mm_storeu_si128((__m128i*)ordered + (P == 2 ? i * 4 + eight : i / 2 * 4 + eight * 2 + i % 2), of[i]);
    }
  }
}

// Four rows' `[run][word]` -> each word's `[row][run]`.
inline void turn(__m512i (&v)[4]) {
  const __m512i first = _mm512_setr_epi32(0, 4, 8, 12, 16, 20, 24, 28, 1, 5, 9, 13, 17, 21, 25, 29), two = _mm512_set1_epi32(2);
  const __m512i last = _mm512_add_epi32(first, two);
  const __m512i a = _mm512_permutex2var_epi32(v[0], first, v[1]), b = _mm512_permutex2var_epi32(v[2], first, v[3]);
  const __m512i c = _mm512_permutex2var_epi32(v[0], last, v[1]), d = _mm512_permutex2var_epi32(v[2], last, v[3]);
  v[0] = _mm512_shuffle_i64x2(a, b, 0x44), v[1] = _mm512_shuffle_i64x2(a, b, 0xee);
  v[2] = _mm512_shuffle_i64x2(c, d, 0x44), v[3] = _mm512_shuffle_i64x2(c, d, 0xee);
}

// Four rows' 16 numbers -> of each four numbers `[row][number]`.
inline void turn_fours(F (&v)[4]) {
  const __m512 a = _mm512_shuffle_f32x4((__m512)v[0], (__m512)v[1], 0x44), b = _mm512_shuffle_f32x4((__m512)v[2], (__m512)v[3], 0x44);
  const __m512 c = _mm512_shuffle_f32x4((__m512)v[0], (__m512)v[1], 0xee), d = _mm512_shuffle_f32x4((__m512)v[2], (__m512)v[3], 0xee);
  v[0] = (F)_mm512_shuffle_f32x4(a, b, 0x88), v[1] = (F)_mm512_shuffle_f32x4(a, b, 0xdd);
  v[2] = (F)_mm512_shuffle_f32x4(c, d, 0x88), v[3] = (F)_mm512_shuffle_f32x4(c, d, 0xdd);
}

inline __m512i four_times(const float* p) { return _mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i*)p)); }

// `Q` fours of rows times `V` vectors: their words of four runs, and the vectors' block.
template <int Q, int V, int C>
inline __attribute__((always_inline)) void byte_block(__m512i (&words)[Q][4], const float* const (&x)[V], size_t at, const F (&scale)[Q], F (&acc)[Q][V]) {
  constexpr int P = in_byte(C);
  const __m512i table = _mm512_broadcast_i32x4(_mm_setr_epi8(12, 13, 14, 15, 16, 18, 20, 24, 12, 11, 10, 9, 8, 6, 4, 0));
  const __m512i low = _mm512_set1_epi8(15);
  __m512i values[Q][P * 4];
#pragma GCC unroll 2
  for (int q = 0; q < Q; ++q) {
    turn(words[q]);
#pragma GCC unroll 8
    for (int i = 0; i < P * 4; ++i) {
      __m512i& value = values[q][i] = words[q][i % 4];
      if constexpr (P == 2) value = _mm512_and_si512(i < 4 ? value : _mm512_srli_epi16(value, 4), low);
      if constexpr (C == kE2M1Code) value = _mm512_shuffle_epi8(table, value);
    }
  }
#pragma GCC unroll 8
  for (int v = 0; v < V; ++v) {
    const float* of = x[v] + at;
    __m512i sum[Q][2];
#pragma GCC unroll 2
    for (int q = 0; q < Q; ++q) sum[q][0] = _mm512_setzero_si512(), sum[q][1] = C == kE2M1Code ? four_times(of + P * 32 + 4) : _mm512_setzero_si512();
#pragma GCC unroll 8
    for (int i = 0; i < P * 4; ++i)
#pragma GCC unroll 2
      for (int b = 0; b < 2; ++b) {
        const __m512i bytes = four_times(of + (b * 4 * P + i) * 4);
#pragma GCC unroll 2
        for (int q = 0; q < Q; ++q) sum[q][b] = _mm512_dpbusd_epi32(sum[q][b], values[q][i], bytes);
      }
    const F steps = (F)four_times(of + P * 32);
#pragma GCC unroll 2
    for (int q = 0; q < Q; ++q) {
      const __m512i whole = _mm512_add_epi32(_mm512_slli_epi32(sum[q][0], 8), sum[q][1]);
      acc[q][v] = (F)_mm512_cvtepi32_ps(whole) * (scale[q] * steps) + acc[q][v];
    }
  }
}

// `W` numbers, or copies of the `n` that are left where `end` is near.
template <typename S>
inline F some_of(const S* p, int n, const S* end) {
  if (end - p >= W) return wide(p);
  S last[W] = {};
  memcpy(last, p, (n < W ? n : W) * sizeof(S));
  return wide(last);
}

// Of each of four vectors' sums the rows', `[row][vector]`.
inline F rows_of(F a, F b, F c, F d) {
  const auto halves = [](F p, F q) { return _mm512_castps_pd(_mm512_add_ps(_mm512_unpacklo_ps((__m512)p, (__m512)q), _mm512_unpackhi_ps((__m512)p, (__m512)q))); };
  const __m512d ab = halves(a, b), cd = halves(c, d);
  return (F)_mm512_add_ps(_mm512_castpd_ps(_mm512_unpacklo_pd(ab, cd)), _mm512_castpd_ps(_mm512_unpackhi_pd(ab, cd)));
}

// Rows `row .. row + 4 * Q`, those behind `to` being the last one again: `put(vector, row, product)`.
template <int Q, int V, int C, int G, typename S, typename T>
inline __attribute__((always_inline)) void byte_fours(const Matrix& m, const float* const (&x)[V], const float* const (&sums)[V], int row, int to, const T& put) {
  constexpr int columns = 4 * run_of(C), a_block = columns / G;
  const int groups = m.columns / G, stride = m.columns / 32 * bits_of(C);
  const S *scales = (const S*)m.scales + size_t(row) * groups, *biases = (const S*)m.biases + size_t(row) * groups;
  const S *last_scale = (const S*)m.scales + size_t(m.rows) * groups, *last_bias = (const S*)m.biases + size_t(m.rows) * groups;
  const uint32_t* words = (const uint32_t*)m.weight + size_t(row) * stride;
  const int of_four = 16 * stride, rows_ahead = (kAhead + of_four - 1) / of_four * 4;
  const uint32_t* ahead = words + size_t(rows_ahead) * stride;
  size_t after[Q][4];  // rows
  for (int i = 0; i < 4 * Q; ++i) after[i / 4][i % 4] = row + i < to ? i : to - 1 - row;
  F acc[Q][V] = {}, from_biases[Q][V] = {};
  size_t at = 0;
  for (int g = 0; g < groups; g += kSpan) {
    const int n = groups - g < kSpan ? groups - g : kSpan;
    for (int i = 0; i < 4 * Q * n; i += 64 / int(sizeof(S))) {
      const size_t later = size_t(rows_ahead) * groups + 4 * Q * g + i;
      __builtin_prefetch(scales + later);
      if constexpr (is_affine(C)) __builtin_prefetch(biases + later);
    }
    alignas(64) float fours[kSpan / 4][Q][W];
    for (int i = 0; i < n; i += W)
      for (int q = 0; q < Q; ++q) {
        F some[4];
        for (int r = 0; r < 4; ++r) some[r] = some_of(scales + after[q][r] * groups + g + i, n - i, last_scale);
        turn_fours(some);
        for (int four = 0; four < 4; ++four) store(fours[i / 4 + four][q], some[four]);
        if constexpr (is_affine(C)) {
          for (int r = 0; r < 4; ++r) some[r] = some_of(biases + after[q][r] * groups + g + i, n - i, last_bias);
          turn_fours(some);
#pragma GCC unroll 8
          for (int v = 0; v < V; ++v)
#pragma GCC unroll 4
            for (int four = 0; four < 4; ++four)
              from_biases[q][v] = some[four] * (F)four_times(sums[v] + g + i + 4 * four) + from_biases[q][v];
        }
      }
    const auto block = [&](int k, const auto& of) __attribute__((always_inline)) {
      __m512i some[Q][4];
      F scale[Q];
#pragma GCC unroll 2
      for (int q = 0; q < Q; ++q) {
#pragma GCC unroll 4
        for (int r = 0; r < 4; ++r) some[q][r] = of(words + after[q][r] * stride);
        __m512 four = _mm512_load_ps(fours[k / G / 4][q]);
        // Of four groups those that the runs are in, from the first one's on.
        if constexpr (a_block < 4)
          four = _mm512_permutevar_ps(four, _mm512_add_epi32(_mm512_broadcast_i32x4(_mm_setr_epi32(0, 0, a_block / 2, a_block / 2)), _mm512_set1_epi32(k / G)));
        scale[q] = (F)four;
      }
      byte_block<Q, V, C>(some, x, at, scale, acc);
      at += block_floats(C), words += W;
    };
    int k = 0;
    for (; k + columns <= n * G; k += columns, ahead += 4 * Q * W) {
#pragma GCC unroll 8
      for (int line = 0; line < 4 * Q; ++line) __builtin_prefetch(ahead + line * W);
      block(k, [](const uint32_t* p) __attribute__((always_inline)) { return _mm512_loadu_si512(p); });
    }
    const int left = (n * G - k) * bits_of(C) / 32;
    if (left) block(k, [left](const uint32_t* p) __attribute__((always_inline)) { return (__m512i)load(p, left); });
  }
  alignas(64) float rows[4][4];
  for (int q = 0; q < Q; ++q)
    for (int v = 0; v < V; v += 4) {
      F some[4] = {};
      for (int i = 0; i < 4 && v + i < V; ++i) some[i] = acc[q][v + i] * splat(C == kE2M1Code ? 0.5f : 1.0f) + from_biases[q][v + i];
      store(rows[0], rows_of(some[0], some[1], some[2], some[3]));
      for (int i = 0; i < 4 && v + i < V; ++i)
        for (int r = 0; r < 4 && row + q * 4 + r < to; ++r) put(v + i, row + q * 4 + r, rows[r][i]);
    }
}

// Rows `from..to` of the products with `V` vectors: `put(vector, row, product)`.
template <int V, int C, int G, typename S, typename T>
void byte_rows(const Matrix& m, const float* const (&x)[V], const float* const (&sums)[V], int from, int to, const T& put) {
  constexpr int Q = V <= 2 ? 2 : 1;  // as many as registers hold
  for (; from + 4 * Q <= to; from += 4 * Q) byte_fours<Q, V, C, G, S>(m, x, sums, from, to, put);
  for (; from < to; from += 4) byte_fours<1, V, C, G, S>(m, x, sums, from, to, put);
}
#else
template <int C>
void order_bytes(const float* x, int columns, float* ordered);
template <int V, int C, int G, typename S, typename T>
void byte_rows(const Matrix& m, const float* const (&x)[V], const float* const (&sums)[V], int from, int to, const T& put);
#endif

}  // namespace
}  // namespace offprint
