// Products of 4-bit weights in whole numbers, where the processor multiplies bytes (AVX512-VNNI): a third of the instructions.
//
// The eight activations that meet one word of weights share a step; each is a number of 24 bits times it, in three bytes. So
// a word's sum is exact, and an activation is off by less than 2^-22 of the largest of the eight: half a step, and what the
// step and its inverse are rounded by. Four times as much, at most, as a rounding to float32.
//
// E2M1 numbers are whole ones in halves, from -12 to 12: a table gives each plus 12, and what that is too much is known, 12
// times the sum of the eight activations' numbers.
#pragma once
#include "unpack.hpp"

namespace offprint {
namespace {

#if defined(__AVX512VNNI__)
constexpr bool kFixed = true;
constexpr float kSteps = 8355000;  // below 0x7f7f80: with 0x808080 added, 24 bits still hold it

// Eight values for each of `W` words -> `[byte, the highest first][values 0, 2, 4, 6 of a word or 1, 3, 5, 7][word]`, four
// signed bytes each, then a step a word, and -12 times the sum of its numbers.
inline void fix(const F (&x)[8], float* to) {
  F most{}, none{};  // zero, or no number where one of the eight is none
  for (const F v : x) most = larger((F)((U)v & 0x7fffffff), most), none = v * F{} + none;
  const F inverse = most > splat(1e-30f) ? splat(kSteps) / most : F{};
  U bytes[3][2] = {}, total{};
  for (int i = 0; i < 8; ++i) {
    const U number = (U)_mm512_cvtps_epi32((__m512)(x[i] * inverse)) + 0x808080;
    total += number;
    for (int b = 0; b < 3; ++b) bytes[b][i % 2] |= (number >> (8 * (2 - b)) & 255) << (i / 2 * 8);
  }
  for (int i = 0; i < 6; ++i) store(to + i * W, (F)(bytes[i / 2][i % 2] ^ 0x80808080));
  store(to + 6 * W, most * splat(1 / kSteps) + none);
  store(to + 7 * W, (F)((8 * 0x808080 - total) * 12));
}

// Adds to `acc` the products of `R` rows' words with `V` vectors; E2M1's in halves. A sum is at most 8 * 15 * 2^23, or 8 * 24 * 2^23.
template <int R, int V, int N, bool E2M1>
inline __attribute__((always_inline)) void fixed(const U (&packed)[R], const float* const (&x)[V], size_t at,
                                                 const float (&scales)[R][kSpan], int group, F (&acc)[V][R]) {
  const __m512i table = _mm512_broadcast_i32x4(_mm_setr_epi8(12, 13, 14, 15, 16, 18, 20, 24, 12, 11, 10, 9, 8, 6, 4, 0));
  __m512i even[R], odd[R];
  F scale[R];
#pragma GCC unroll 4
  for (int r = 0; r < R; ++r) {
    even[r] = (__m512i)(packed[r] & 0x0f0f0f0f), odd[r] = (__m512i)(packed[r] >> 4 & 0x0f0f0f0f);
    if constexpr (E2M1) even[r] = _mm512_shuffle_epi8(table, even[r]), odd[r] = _mm512_shuffle_epi8(table, odd[r]);
    scale[r] = spread<N>(scales[r] + group);
  }
#pragma GCC unroll 4
  for (int v = 0; v < V; ++v) {
    const float* of = x[v] + at;
    const F steps = load(of + 6 * W);
#pragma GCC unroll 4
    for (int r = 0; r < R; ++r) {
      __m512i sum = _mm512_setzero_si512();
#pragma GCC unroll 3
      for (int b = 0; b < 3; ++b) {
        if (b) sum = _mm512_slli_epi32(sum, 8);
        sum = _mm512_dpbusd_epi32(sum, even[r], (__m512i)load(of + 2 * b * W));
        sum = _mm512_dpbusd_epi32(sum, odd[r], (__m512i)load(of + (2 * b + 1) * W));
      }
      if constexpr (E2M1) sum = _mm512_add_epi32(sum, (__m512i)load(of + 7 * W));
      acc[v][r] = (F)_mm512_cvtepi32_ps(sum) * (scale[r] * steps) + acc[v][r];
    }
  }
}
#else
constexpr bool kFixed = false;
void fix(const F (&x)[8], float* to);
template <int R, int V, int N, bool E2M1>
void fixed(const U (&packed)[R], const float* const (&x)[V], size_t at, const float (&scales)[R][kSpan], int group, F (&acc)[V][R]);
#endif

}  // namespace
}  // namespace offprint
