// Products of 4-bit weights in whole numbers, where the processor multiplies bytes (AVX512-VNNI): a third of the instructions.
//
// The eight activations that meet one word of weights share a step; each is a number of 24 bits times it, in three bytes. So
// a word's sum is exact, and an activation is off by less than 2^-22 of the largest of the eight: half a step, and what the
// step and its inverse are rounded by. Four times as much, at most, as a rounding to float32.
#pragma once
#include "unpack.hpp"

namespace offprint {
namespace {

#if defined(__AVX512VNNI__)
constexpr bool kFixed = true;
constexpr float kSteps = 8355000;  // below 0x7f7f80: with 0x808080 added, 24 bits still hold it

// Eight values for each of `W` words -> `[byte, the highest first][values 0, 2, 4, 6 of a word or 1, 3, 5, 7][word]`, four
// signed bytes each, and then a step a word.
inline void fix(const F (&x)[8], float* to) {
  F most{};
  for (const F v : x) most = larger((F)((U)v & 0x7fffffff), most);
  const F inverse = most > splat(1e-30f) ? splat(kSteps) / most : F{};
  U bytes[3][2] = {};
  for (int i = 0; i < 8; ++i) {
    const U number = (U)_mm512_cvtps_epi32((__m512)(x[i] * inverse)) + 0x808080;
    for (int b = 0; b < 3; ++b) bytes[b][i % 2] |= (number >> (8 * (2 - b)) & 255) << (i / 2 * 8);
  }
  for (int i = 0; i < 6; ++i) store(to + i * W, (F)(bytes[i / 2][i % 2] ^ 0x80808080));
  store(to + 6 * W, most * splat(1 / kSteps));
}

// Adds to `acc` the products of `R` rows' words. A sum is at most 8 * 15 * 2^23.
template <int R, int N>
inline __attribute__((always_inline)) void fixed(const U (&packed)[R], const float* x, const float (&scales)[R][kSpan],
                                                 int group, F (&acc)[R]) {
  const F steps = load(x + 6 * W);
#pragma GCC unroll 4
  for (int r = 0; r < R; ++r) {
    const __m512i even = (__m512i)(packed[r] & 0x0f0f0f0f), odd = (__m512i)(packed[r] >> 4 & 0x0f0f0f0f);
    __m512i sum = _mm512_setzero_si512();
#pragma GCC unroll 3
    for (int b = 0; b < 3; ++b) {
      if (b) sum = _mm512_slli_epi32(sum, 8);
      sum = _mm512_dpbusd_epi32(sum, even, (__m512i)load(x + 2 * b * W));
      sum = _mm512_dpbusd_epi32(sum, odd, (__m512i)load(x + (2 * b + 1) * W));
    }
    acc[r] = (F)_mm512_cvtepi32_ps(sum) * (spread<N>(scales[r] + group) * steps) + acc[r];
  }
}
#else
constexpr bool kFixed = false;
void fix(const F (&x)[8], float* to);
template <int R, int N>
void fixed(const U (&packed)[R], const float* x, const float (&scales)[R][kSpan], int group, F (&acc)[R]);
#endif

}  // namespace
}  // namespace offprint
