// Packed bits -> floats in their natural order.
#pragma once
#include "model.hpp"
#include "vector.hpp"

namespace offprint {
namespace {

inline size_t row_bytes(const Matrix& m) { return m.bits == 32 ? size_t(m.columns) * 4 : size_t(m.columns) * m.bits / 8; }

inline const uint8_t* row_of(const Matrix& m, int row) { return (const uint8_t*)m.weight + row * row_bytes(m); }

// Bytes of a scale, or of a bias.
inline int stored_bytes(const Matrix& m) { return m.stored == Stored::float32 ? 4 : 2; }

constexpr int kSpan = 64;  // groups whose scales and biases are unpacked at a time

// `n` numbers, at most kSpan, to floats. Some more may be read and written, but none from `end` on: there, zeros are.
template <typename S>
inline void widen(const S* p, int n, const S* end, float* to) {
  S last[kSpan];
  if (end - p < (n + W - 1) / W * W) p = (const S*)memcpy(memset(last, 0, sizeof last), p, n * sizeof(S));
  for (int i = 0; i < n; i += W) store(to + i, wide(p + i));
}

template <typename S>
inline int widen(const Matrix& m, int row, int from, int to, float* scales, float* biases) {
  const size_t groups = m.columns / m.group, place = row * groups + from / m.group, all = m.rows * groups;
  const int n = (to - from) / m.group < kSpan ? (to - from) / m.group : kSpan;
  const S *s = (const S*)m.scales, *b = (const S*)m.biases;
  widen(s + place, n, s + all, scales);
  widen(b + place, n, b + all, biases);
  return n;
}

// Scales and biases of a row's columns `from..to`, whole groups, or of the first that there is room for: how many groups.
inline int widen(const Matrix& m, int row, int from, int to, float* scales, float* biases) {
  switch (m.stored) {
    case Stored::float32: return widen<float>(m, row, from, to, scales, biases);
    case Stored::float16: return widen<Half>(m, row, from, to, scales, biases);
    default: return widen<Brain>(m, row, from, to, scales, biases);
  }
}

// The `W` values from column `k` on, which is a multiple of W where words hold whole values, else of 4. Values are a stream of
// bits from the lowest up, and four of them fit into the 32 bits that begin with their first byte; the last of a row are read
// with the bytes before them.
template <int B>
inline F unpack(const uint8_t* row, int k, int bytes) {
  U word, shifts;
  if constexpr (constexpr int P = 32 / B; 32 % B == 0) {
    constexpr int N = W > P ? W / P : 1;  // words, each in as many lanes as it has values
    const int first = P > W ? k % P : 0;
    for (int l = 0; l < W; ++l) shifts[l] = uint32_t((first + l) % P * B);
    word = (U)spread<N>((const float*)row + k / P);
    return floats((word >> shifts) & splat(uint32_t((1u << B) - 1)));
  }
  for (int q = 0; q < W / 4; ++q) {
    int bit = (k + 4 * q) * B, byte = bit >> 3, shift = bit & 7;
    int over = byte - (bytes - 4);
    if (over > 0) byte -= over, shift += 8 * over;
    uint32_t four;
    memcpy(&four, row + byte, 4);
    four >>= shift;
    for (int l = 0; l < 4; ++l) word[4 * q + l] = four;
  }
  for (int l = 0; l < W; ++l) shifts[l] = uint32_t(l % 4 * B);
  return floats((word >> shifts) & splat(uint32_t((1u << B) - 1)));
}

template <int B>
void dequantize_row(const Matrix& m, int row, int from, int to, float* out) {
  const uint8_t* packed = row_of(m, row);
  const int bytes = int(row_bytes(m));
  float scales[kSpan], biases[kSpan];
  for (int k = from; k < to;) {
    const int n = widen(m, row, k, to, scales, biases);
    for (int g = 0; g < n; ++g)
      for (const int end = k + m.group; k < end; k += W, out += W)
        store(out, unpack<B>(packed, k, bytes) * splat(scales[g]) + splat(biases[g]));
  }
}

// Asks for what `dequantize` of the same will read. In line by force: GCC 12 takes a function that only asks for one that
// does nothing, and drops the call.
inline __attribute__((always_inline)) void fetch(const Matrix& m, int row, int from, int to) {
  if (row >= m.rows) return;
  const uint8_t* words = row_of(m, row);
  for (size_t i = size_t(from) * m.bits / 8; i < size_t(to) * m.bits / 8; i += 64) __builtin_prefetch(words + i);
  const size_t place = (size_t(row) * (m.columns / m.group) + from / m.group) * stored_bytes(m);
  __builtin_prefetch((const uint8_t*)m.scales + place);
  __builtin_prefetch((const uint8_t*)m.biases + place);
}

// Columns `from..to` of a row; whole groups where the matrix is quantised.
inline void dequantize(const Matrix& m, int row, int from, int to, float* out) {
  switch (m.bits) {
    case 2: return dequantize_row<2>(m, row, from, to, out);
    case 3: return dequantize_row<3>(m, row, from, to, out);
    case 4: return dequantize_row<4>(m, row, from, to, out);
    case 5: return dequantize_row<5>(m, row, from, to, out);
    case 6: return dequantize_row<6>(m, row, from, to, out);
    case 8: return dequantize_row<8>(m, row, from, to, out);
    default: memcpy(out, row_of(m, row) + size_t(from) * 4, size_t(to - from) * 4);
  }
}

}  // namespace
}  // namespace offprint
