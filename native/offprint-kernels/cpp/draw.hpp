// The next token from logits: the largest, or the one that MLX's `random::categorical` draws from `[1, n]` with the same key.
// That makes weights e^(logit - largest), adds them up one after the other in float32, and takes the token in whose weight a
// share u of the sum lies. The tail of a vocabulary weighs less than a float32 sum is off, so the token is the same only if
// every rounding is: the weights by MLX's polynomial, the sums by `Sum`.
#pragma once
#include "vector.hpp"
#include "work.hpp"

namespace offprint {
namespace {

constexpr int kBlock = 64;

// The first word of Threefry2x32, 20 rounds, at counter zero (Salmon, Moraes, Dror & Shaw 2011).
inline uint32_t threefry(uint64_t seed) {
  const uint32_t first = uint32_t(seed >> 32), second = uint32_t(seed);
  const uint32_t key[] = {first, second, first ^ second ^ 0x1BD11BDA};
  constexpr int turns[2][4] = {{13, 15, 26, 6}, {17, 29, 16, 24}};
  uint32_t a = key[0], b = key[1];
  for (uint32_t group = 0; group < 5; ++group) {
    for (int turn : turns[group % 2]) {
      a += b;
      b = (b << turn | b >> (32 - turn)) ^ a;
    }
    a += key[(group + 1) % 3], b += key[(group + 2) % 3] + group + 1;
  }
  return a;
}

// Of `kBlock` floats the largest; a NaN is none.
inline float largest(const float* p) {
  F most[4];
  for (F& m : most) m = splat(-__builtin_inff());
  for (int i = 0; i < kBlock; i += 4 * W)
    for (int j = 0; j < 4; ++j) most[j] = larger(load(p + i + j * W), most[j]);
  return greatest(larger(larger(most[0], most[1]), larger(most[2], most[3])));
}

// Where the largest of `n` floats is, the first of equals.
inline int place_of_largest(const float* p, int n) {
  float most = -__builtin_inff();
  int from = 0, i = 0;
  for (; i + kBlock <= n; i += kBlock) {
    const float here = largest(p + i);
    if (here > most) most = here, from = i;
  }
  for (; i < n; ++i)
    if (p[i] > most) most = p[i], from = i;
  for (i = from; i < n; ++i)
    if (p[i] == most) return i;
  return 0;
}

// The weights of the logits in blocks; those behind the last are zero.
struct Weights {
  const float* logits;
  int n;
  float scale, top;

  void block(int from, F (&weights)[kBlock / W]) const {
    float padded[kBlock];
    const float* p = logits + from;
    if (from + kBlock > n) {
      for (int i = 0; i < kBlock; ++i) padded[i] = from + i < n ? p[i] : __builtin_nanf("");
      p = padded;
    }
    for (int j = 0; j < kBlock / W; ++j) weights[j] = weight(rounded(load(p + j * W) * splat(scale)));
  }

 private:
  F weight(F scaled) const {
    if (__builtin_isinf(top)) return scaled == splat(top) ? splat(1.0f) : F{};
    // 2^(whole + part), the polynomial is Cephes'.
    const F x = larger(scaled - splat(top), splat(-89.0f));
    const F y = rounded(x * splat(1.442695f)), shifted = y + splat(0.5f);
    I whole = __builtin_convertvector(shifted, I);
    whole += __builtin_convertvector(whole, F) > shifted;
    const F part = y - __builtin_convertvector(whole, F);
    F e = splat(1.535336188319500e-4f);
    e = fused(e, part, splat(1.339887440266574e-3f));
    e = fused(e, part, splat(9.618437357674640e-3f));
    e = fused(e, part, splat(5.550332471162809e-2f));
    e = fused(e, part, splat(2.402264791363012e-1f));
    e = fused(e, part, splat(6.931472028550421e-1f));
    e = fused(e, part, splat(1.0f));
    e = rounded(e * (F)((whole + 127) << 23));
    return x < splat(-88.0f) ? F{} : e;
  }
};

// A sum of floats, none below zero, rounded after each as if they were added one by one. As long as it stays below the next
// power of two, each is in effect rounded to the distance of its neighbours, and multiples of that add up in any order. A
// float in the middle between two multiples goes to the even sum, so those are added one by one.
struct Sum {
  float value = 0;

  void add(const F (&some)[kBlock / W]) {
    F all{};
    for (F x : some) {
      const F multiple = (x + splat(power_)) - splat(power_), off = x - multiple;
      all += (off == splat(middle_)) | (off == splat(-middle_)) ? splat(__builtin_inff()) : multiple;
    }
    const float more = sum(all);
    if (more == 0 || value + more < 2 * power_) {
      value += more;
      return;
    }
    for (F x : some)
      for (int l = 0; l < W; ++l) value += x[l];
    const uint32_t exponent = __builtin_bit_cast(uint32_t, value) & 0xff800000;
    power_ = __builtin_bit_cast(float, exponent), middle_ = power_ * 0x1p-24f;
  }

 private:
  float power_ = 0;  // of two, the largest up to the value
  float middle_ = 1;
};

// `temperature` 0: the largest.
inline int draw(const float* logits, int n, float temperature, uint64_t key, const Memory& memory) {
  const int likeliest = place_of_largest(logits, n);
  if (temperature == 0) return likeliest;
  const float scale = 1 / temperature;
  const Weights weights{logits, n, scale, logits[likeliest] * scale};
  const int blocks = (n + kBlock - 1) / kBlock;
  Scratch scratch(memory, Scratch::round(blocks));
  float* before = scratch.take(blocks);
  F some[kBlock / W];
  Sum sum;
  for (int b = 0; b < blocks; ++b) {
    before[b] = sum.value;
    weights.block(b * kBlock, some);
    sum.add(some);
  }
  const float u = float(threefry(key)) * 0x1p-32f, most = 1 - 0x1p-24f;
  const float share = (u < most ? u : most) * sum.value;
  int b = blocks - 1;
  while (b > 0 && before[b] > share) --b;
  weights.block(b * kBlock, some);
  const int from = b * kBlock, last = (from + kBlock < n ? from + kBlock : n) - 1;
  float so_far = before[b];
  for (int i = from; i < last; ++i) {
    so_far += some[(i - from) / W][(i - from) % W];
    if (so_far > share) return i;
  }
  return last;
}

}  // namespace
}  // namespace offprint
