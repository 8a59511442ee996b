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

// The scale or bias at a place.
inline float stored_number(const Matrix& m, const void* p, size_t place) {
  switch (m.stored) {
    case Stored::float32: return ((const float*)p)[place];
    case Stored::float16: return number(((const Half*)p)[place]);
    default: return number(((const Brain*)p)[place]);
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
  const int bytes = int(row_bytes(m)), groups = m.columns / m.group;
  for (int k = from; k < to;) {
    const int g = k / m.group, end = (g + 1) * m.group < to ? (g + 1) * m.group : to;
    const size_t place = size_t(row) * groups + g;
    const F scale = splat(stored_number(m, m.scales, place)), bias = splat(stored_number(m, m.biases, place));
    for (; k < end; k += W) store(out + k - from, unpack<B>(packed, k, bytes) * scale + bias);
  }
}

// Columns `from..to` of a row; both are multiples of 16 where the matrix is quantised.
inline void dequantize(const Matrix& m, int row, int from, int to, float* out) {
  switch (m.bits) {
    case 2: return dequantize_row<2>(m, row, from, to, out);
    case 3: return dequantize_row<3>(m, row, from, to, out);
    case 4: return dequantize_row<4>(m, row, from, to, out);
    case 6: return dequantize_row<6>(m, row, from, to, out);
    case 8: return dequantize_row<8>(m, row, from, to, out);
    default: memcpy(out, row_of(m, row) + size_t(from) * 4, size_t(to - from) * 4);
  }
}

}  // namespace
}  // namespace offprint
