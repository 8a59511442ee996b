// Vectors of the width that this compilation is for, in the compilers' own notation: one source for every instruction set.
#pragma once
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <utility>
#if defined(__AVX2__)
#include <immintrin.h>
#endif

namespace offprint {
namespace {

constexpr int W = OFFPRINT_WIDTH;  // floats in a register: 4, 8 or 16

typedef float F __attribute__((vector_size(W * 4)));
typedef int32_t I __attribute__((vector_size(W * 4)));
typedef uint32_t U __attribute__((vector_size(W * 4)));
typedef float Floats __attribute__((vector_size(W * 4), aligned(4), may_alias));
typedef uint32_t Words __attribute__((vector_size(W * 4), aligned(4), may_alias));

inline F load(const float* p) { return *(const Floats*)p; }
inline U load(const uint32_t* p) { return *(const Words*)p; }
inline void store(float* p, F v) { *(Floats*)p = v; }
inline F splat(float x) { return x - F{}; }
inline U splat(uint32_t x) { return x - U{}; }
inline F floats(U v) { return __builtin_convertvector((I)v, F); }  // below 2^31
inline F larger(F a, F b) { return a > b ? a : b; }  // b where one is no number

// A product that is rounded before it is added to anything.
inline F rounded(F v) {
#if defined(__aarch64__)
  asm("" : "+w"(v));
#else
  asm("" : "+x"(v));
#endif
  return v;
}

// a * b + c, rounded once: where the processor cannot, through doubles, which are off in one of some 10^8.
inline F fused(F a, F b, F c) {
#if defined(__FP_FAST_FMAF)
  F v;
  for (int l = 0; l < W; ++l) v[l] = __builtin_fmaf(a[l], b[l], c[l]);
  return v;
#else
  typedef double D __attribute__((vector_size(W * 8)));
  return __builtin_convertvector(
      __builtin_convertvector(a, D) * __builtin_convertvector(b, D) + __builtin_convertvector(c, D), F);
#endif
}

// Numbers of 16 bits.
struct Half {
  uint16_t bits;
};
struct Brain {
  uint16_t bits;
};
// Numbers of 8 bits: a power of two, from 2^-127 on; four bits of exponent and three behind the point, as MLX reads them, who has
// no infinity among them.
struct E8M0 {
  uint8_t bits;
};
struct E4M3 {
  uint8_t bits;
};

constexpr float power_of_two(int n) { return n < 0 ? power_of_two(n + 1) / 2 : n > 0 ? power_of_two(n - 1) * 2 : 1; }
constexpr float float_of(E4M3 n) {
  const int exponent = n.bits >> 3 & 15, rest = n.bits & 7;
  const float size = exponent ? float(8 + rest) * power_of_two(exponent - 10) : float(rest) * power_of_two(-9);
  return n.bits & 128 ? -size : size;
}

// Numbers of 4 bits: a sign, two bits of exponent, one behind the point.
alignas(64) constexpr float kE2M1[16] = {0, 0.5f, 1, 1.5f, 2, 3, 4, 6, -0.0f, -0.5f, -1, -1.5f, -2, -3, -4, -6};

template <int N>
struct Part {
  typedef float T __attribute__((vector_size(N * 4)));
};

// `a` in the lanes below `From`, `b` in the others.
template <int From, int... L>
inline F blend(F a, F b, std::integer_sequence<int, L...>) {
  return __builtin_shufflevector(a, b, (L < From ? L : W + L)...);
}

template <int N, int Next = 1>
inline F spread(const float* p, F so_far) {
  if constexpr (Next >= N) return so_far;
  else {
    so_far = blend<Next * W / N>(so_far, splat(p[Next]), std::make_integer_sequence<int, W>{});
    return spread<N, Next + 1>(p, so_far);
  }
}

#if defined(__AVX512F__)
// The first `some` words; the other lanes are zero, and nothing past the last is touched.
inline U load(const uint32_t* p, int some) { return (U)_mm512_maskz_loadu_epi32(__mmask16((1u << some) - 1), p); }

// Lane l holds `p[l * N / W]`: one permutation of what is loaded as it lies; a load by mask costs more than the rest.
template <int N>
inline F spread(const float* p) {
  if constexpr (N == 1) return splat(*p);
  static_assert(N <= 8);
  constexpr auto of = [](int l) { return l * N / W; };
  const __m512i places = _mm512_setr_epi32(of(0), of(1), of(2), of(3), of(4), of(5), of(6), of(7), of(8), of(9), of(10),
                                           of(11), of(12), of(13), of(14), of(15));
  __m512 v;
  if constexpr (N == 8) v = _mm512_castps256_ps512(_mm256_loadu_ps(p));
  if constexpr (N == 4) v = _mm512_castps128_ps512(_mm_loadu_ps(p));
  if constexpr (N == 2) v = _mm512_castps128_ps512((__m128)_mm_loadu_si64(p));
  return (F)_mm512_permutexvar_ps(places, v);
}
#else
inline U load(const uint32_t* p, int some) {
  U v{};
  memcpy(&v, p, size_t(some) * 4);
  return v;
}

template <int N>
inline F spread(const float* p) { return spread<N>(p, splat(*p)); }
#endif

// W numbers that lie one after the other.
inline F wide(const float* p) { return load(p); }
template <typename S>
inline F wide(const S* p) {
  typedef uint16_t Bits __attribute__((vector_size(W * 2), aligned(2), may_alias));
  const Bits bits = *(const Bits*)p;
  const U words = __builtin_convertvector(bits, U);
  if constexpr (std::is_same_v<S, Brain>) return (F)(words << 16);
#if defined(__AVX512F__)
  return (F)_mm512_cvtph_ps((__m256i)bits);
#elif defined(__AVX2__)
  return (F)_mm256_cvtph_ps((__m128i)bits);
#else
  // Exponents differ by 112, which a product mends, with those that have none, too. The highest stands for what is no number.
  const U rest = (words & 0x7fff) << 13, highest = (U)(rest >= splat(0x7c00u << 13)) & 0x7f800000;
  return (F)((U)((F)rest * splat(0x1p112f)) | highest | (words & 0x8000) << 16);
#endif
}

inline F wide(const E8M0* p) {
#if defined(__AVX512F__)
  const U bits = (U)_mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i*)p));
#elif defined(__AVX2__)
  const U bits = (U)_mm256_cvtepu8_epi32(_mm_loadu_si64(p));
#else
  U bits;
  for (int l = 0; l < W; ++l) bits[l] = p[l].bits;
#endif
  return (F)(bits << 23 | ((U)(bits == 0) & 0x400000));
}

#if defined(__AVX2__)
// They are float16's with a shorter exponent, so that those without one are right, too.
inline F wide(const E4M3* p) {
#if defined(__AVX512F__)
  const __m256i bits = _mm256_cvtepu8_epi16(_mm_loadu_si128((const __m128i*)p));
  const __m256i sign = _mm256_and_si256(_mm256_slli_epi16(bits, 8), _mm256_set1_epi16(short(0x8000)));
  const __m256i rest = _mm256_and_si256(_mm256_slli_epi16(bits, 7), _mm256_set1_epi16(0x3f80));
  return (F)_mm512_cvtph_ps(_mm256_or_si256(sign, rest)) * splat(256.0f);
#else
  const __m128i bits = _mm_cvtepu8_epi16(_mm_loadu_si64(p));
  const __m128i sign = _mm_and_si128(_mm_slli_epi16(bits, 8), _mm_set1_epi16(short(0x8000)));
  const __m128i rest = _mm_and_si128(_mm_slli_epi16(bits, 7), _mm_set1_epi16(0x3f80));
  return (F)_mm256_cvtph_ps(_mm_or_si128(sign, rest)) * splat(256.0f);
#endif
}
#else
struct E4M3s {
  float of[256];
  constexpr E4M3s() : of{} {
    for (int i = 0; i < 256; ++i) of[i] = float_of(E4M3{uint8_t(i)});
  }
};
constexpr E4M3s kE4M3;

inline F wide(const E4M3* p) {
  F v;
  for (int l = 0; l < W; ++l) v[l] = kE4M3.of[p[l].bits];
  return v;
}
#endif

template <int N, int... L>
inline float folded(typename Part<N>::T v, std::integer_sequence<int, L...>) {
  if constexpr (N == 2) return v[0] + v[1];
  else {
    auto half = __builtin_shufflevector(v, v, L...) + __builtin_shufflevector(v, v, (L + N / 2)...);
    return folded<N / 2>(half, std::make_integer_sequence<int, N / 4>{});
  }
}

inline float sum(F v) { return folded<W>(v, std::make_integer_sequence<int, W / 2>{}); }

// The largest lane.
inline float greatest(F v) {
  float most = v[0];
  for (int l = 1; l < W; ++l) most = v[l] > most ? v[l] : most;
  return most;
}

// Adds the halves of each run of `2 * Half` lanes: `a`'s into the lower half of the run, `b`'s into the upper one.
template <int Half, int... L>
inline F fold(F a, F b, std::integer_sequence<int, L...>) {
  return __builtin_shufflevector(a, b, (L / Half % 2 * W + L / (2 * Half) * 2 * Half + L % Half)...) +
         __builtin_shufflevector(a, b, (L / Half % 2 * W + L / (2 * Half) * 2 * Half + L % Half + Half)...);
}

// Lane l is the sum of `v[l]`'s lanes.
template <int Half = W / 2>
inline F sums(const F* v) {
  constexpr auto lanes = std::make_integer_sequence<int, W>{};
  if constexpr (Half == 0) return *v;
  else {
    F next[Half];
    for (int i = 0; i < Half; ++i) next[i] = fold<Half>(v[i], v[i + Half], lanes);
    return sums<Half / 2>(next);
  }
}

// e^x to about 1 ulp (Cephes' expf); 0 below -87.
inline F exponential(F x) {
  const F magic = splat(12582912.0f);
  F clamped = x < splat(88.0f) ? x : splat(88.0f);
  clamped = larger(clamped, splat(-87.0f));
  F shifted = clamped * splat(1.44269504088896341f) + magic;
  F n = shifted - magic;
  F r = clamped - n * splat(0.693359375f) - n * splat(-2.12194440e-4f);
  F y = splat(1.9875691500e-4f);
  y = y * r + splat(1.3981999507e-3f);
  y = y * r + splat(8.3334519073e-3f);
  y = y * r + splat(4.1665795894e-2f);
  y = y * r + splat(1.6666665459e-1f);
  y = y * r + splat(5.0000001201e-1f);
  y = y * r * r + r + splat(1.0f);
  U power = ((U)shifted - (U)magic) << 23;
  F e = (F)((U)y + power);
  return x < splat(-87.0f) ? F{} : e;
}

// a / (1 + e^-x)
inline F sigmoid(F x, F a) { return a / (splat(1.0f) + exponential(-x)); }

// tanh(x / cap) * cap
inline F capped(F x, float cap) {
  const F size = (F)((U)x & 0x7fffffff), e = exponential(size * splat(-2 / cap));
  const F y = (splat(1.0f) - e) / (splat(1.0f) + e) * splat(cap);
  return x == x ? (F)((U)y | ((U)x & 0x80000000)) : x;
}

}  // namespace
}  // namespace offprint
