// Vectors of the width that this compilation is for, in the compilers' own notation: one source for every instruction set.
#pragma once
#include <cstdint>
#include <cstring>
#include <utility>

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
inline F larger(F a, F b) { return a > b ? a : b; }

template <int N>
struct Part {
  typedef float T __attribute__((vector_size(N * 4)));
};

// `a` in the lanes below `From`, `b` in the others.
template <int From, int... L>
inline F blend(F a, F b, std::integer_sequence<int, L...>) {
  return __builtin_shufflevector(a, b, (L < From ? L : W + L)...);
}

// Lane l holds `p[l * N / W]`.
template <int N, int Next = 1>
inline F spread(const float* p, F so_far) {
  if constexpr (Next >= N) return so_far;
  else {
    so_far = blend<Next * W / N>(so_far, splat(p[Next]), std::make_integer_sequence<int, W>{});
    return spread<N, Next + 1>(p, so_far);
  }
}

template <int N>
inline F spread(const float* p) { return spread<N>(p, splat(*p)); }

template <int N, int... L>
inline float folded(typename Part<N>::T v, std::integer_sequence<int, L...>) {
  if constexpr (N == 2) return v[0] + v[1];
  else {
    auto half = __builtin_shufflevector(v, v, L...) + __builtin_shufflevector(v, v, (L + N / 2)...);
    return folded<N / 2>(half, std::make_integer_sequence<int, N / 4>{});
  }
}

inline float sum(F v) { return folded<W>(v, std::make_integer_sequence<int, W / 2>{}); }

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

inline F silu(F x) { return x / (splat(1.0f) + exponential(-x)); }

}  // namespace
}  // namespace offprint
