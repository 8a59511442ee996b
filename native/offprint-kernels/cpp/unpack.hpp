// Packed bits -> floats in their natural order.
#pragma once
#include "model.hpp"
#include "vector.hpp"

namespace offprint {
namespace {

inline size_t row_bytes(const Matrix& m) { return size_t(m.columns) * m.bits / 8; }

inline const uint8_t* row_of(const Matrix& m, int row) { return (const uint8_t*)m.weight + row * row_bytes(m); }

inline bool packed(const Matrix& m) { return m.format < Format::float32; }

// What a kernel is made for: affine bits, or bits and a mark.
constexpr int kE2M1Code = 16 + 4, kE4M3Code = 16 + 8;
constexpr int bits_of(int code) { return code & 15; }
constexpr bool is_affine(int code) { return code < 16; }

inline int code_of(const Matrix& m) {
  switch (m.format) {
    case Format::mxfp4: case Format::nvfp4: return kE2M1Code;
    case Format::mxfp8: return kE4M3Code;
    default: return m.bits;
  }
}

// Bytes of a row's scales, and biases where there are some.
inline size_t scale_bytes(const Matrix& m) {
  if (!packed(m)) return 0;
  const int bytes = m.stored == Stored::float32 ? 4 : m.stored <= Stored::bfloat16 ? 2 : 1;
  return size_t(m.columns) / m.group * bytes * (m.biases ? 2 : 1);
}

constexpr int kSpan = 64;  // groups whose scales and biases are unpacked at a time

// Rows are short, and the processor's own guess of what is read next ends with each: kernels for vectors ask for so many bytes in
// advance, or the next whole fours of rows.
constexpr int kAhead = 8 * 1024;

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
  if (b) widen(b + place, n, b + all, biases);
  return n;
}

// Scales and biases of a row's columns `from..to`, whole groups, or of the first that there is room for: how many groups.
inline int widen(const Matrix& m, int row, int from, int to, float* scales, float* biases) {
  switch (m.stored) {
    case Stored::float32: return widen<float>(m, row, from, to, scales, biases);
    case Stored::float16: return widen<Half>(m, row, from, to, scales, biases);
    case Stored::bfloat16: return widen<Brain>(m, row, from, to, scales, biases);
    case Stored::e8m0: return widen<E8M0>(m, row, from, to, scales, biases);
    default: return widen<E4M3>(m, row, from, to, scales, biases);
  }
}

// The `W` values from column `k` on, which is a multiple of W where words hold whole values, else of 4. Values are a stream of
// bits from the lowest up, and four of them fit into the 32 bits that begin with their first byte; the last of a row are read
// with the bytes before them.
//
// Here, each in the lowest bits of its lane, with whatever above them.
template <int B>
inline U lowest(const uint8_t* row, int k, int bytes) {
  U word, shifts;
  if constexpr (constexpr int P = 32 / B; 32 % B == 0) {
    constexpr int N = W > P ? W / P : 1;  // words, each in as many lanes as it has values
    const int first = P > W ? k % P : 0;
    for (int l = 0; l < W; ++l) shifts[l] = uint32_t((first + l) % P * B);
    word = (U)spread<N>((const float*)row + k / P);
    return word >> shifts;
  }
#if defined(__AVX2__)
  // Each lane gets the two bytes that its value is in.
  if (const uint8_t* p = row + size_t(k) * B / 8; p + 16 <= row + bytes) {
    for (int l = 0; l < W; ++l) {
      const uint32_t byte = uint32_t(l) * B >> 3;
      shifts[l] = uint32_t(l) * B & 7, word[l] = byte | (byte + 1) << 8 | 0xffff0000;
    }
#if defined(__AVX512F__)
    return (U)_mm512_shuffle_epi8(_mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i*)p)), (__m512i)word) >> shifts;
#else
    return (U)_mm256_shuffle_epi8(_mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i*)p)), (__m256i)word) >> shifts;
#endif
  }
#endif
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
  return word >> shifts;
}

#if defined(__AVX2__)
// Of the lowest four bits of a lane.
inline F e2m1(U q) {
#if defined(__AVX512F__)
  return (F)_mm512_permutexvar_ps((__m512i)q, _mm512_load_ps(kE2M1));
#else
  return (F)((U)_mm256_permutevar8x32_ps(_mm256_load_ps(kE2M1), (__m256i)q) ^ (q << 28 & 0x80000000));
#endif
}
#else
// Both numbers of a byte.
struct E2M1Pairs {
  float of[256][2];
  constexpr E2M1Pairs() : of{} {
    for (int i = 0; i < 256; ++i) of[i][0] = kE2M1[i & 15], of[i][1] = kE2M1[i >> 4];
  }
};
constexpr E2M1Pairs kE2M1Pairs;
#endif

// The same as numbers, without scale and bias.
template <int C>
inline F unpack(const uint8_t* row, int k, int bytes) {
  if constexpr (is_affine(C)) return floats(lowest<C>(row, k, bytes) & splat(uint32_t((1u << C) - 1)));
  else if constexpr (C == kE4M3Code) return wide((const E4M3*)row + k);
  else {
#if defined(__AVX2__)
    return e2m1(lowest<4>(row, k, bytes));
#else
    float v[W];
    for (int l = 0; l < W; l += 2) memcpy(v + l, kE2M1Pairs.of[row[(k + l) / 2]], 8);
    return load(v);
#endif
  }
}

template <int C>
void dequantize_row(const Matrix& m, int row, int from, int to, float* out) {
  const uint8_t* packed = row_of(m, row);
  const int bytes = int(row_bytes(m));
  float scales[kSpan], biases[kSpan];
  for (int k = from; k < to;) {
    const int n = widen(m, row, k, to, scales, biases);
    for (int g = 0; g < n; ++g)
      for (const int end = k + m.group; k < end; k += W, out += W) {
        const F scaled = unpack<C>(packed, k, bytes) * splat(scales[g]);
        // Rounded twice, as MLX does.
        store(out, is_affine(C) ? rounded(scaled) + splat(biases[g]) : scaled);
      }
  }
}

template <typename S>
void widen_row(const Matrix& m, int row, int from, int to, float* out) {
  const S* p = (const S*)row_of(m, row);
  for (; from + W <= to; from += W, out += W) store(out, wide(p + from));
  if (from == to) return;
  S last[W] = {};
  float numbers[W];
  memcpy(last, p + from, (to - from) * sizeof(S));
  store(numbers, wide(last));
  memcpy(out, numbers, (to - from) * sizeof(float));
}

// Asks for what `dequantize` of the same will read. In line by force: GCC 12 takes a function that only asks for one that
// does nothing, and drops the call.
inline __attribute__((always_inline)) void fetch(const Matrix& m, int row, int from, int to) {
  if (row >= m.rows) return;
  const uint8_t* words = row_of(m, row);
  for (size_t i = size_t(from) * m.bits / 8; i < size_t(to) * m.bits / 8; i += 64) __builtin_prefetch(words + i);
  if (!packed(m)) return;
  const size_t of_row = scale_bytes(m) / (m.biases ? 2 : 1), place = row * of_row + of_row * from / m.columns;
  __builtin_prefetch((const uint8_t*)m.scales + place);
  if (m.biases) __builtin_prefetch((const uint8_t*)m.biases + place);
}

// Columns `from..to` of a row; whole groups where the matrix is packed. To the bit what MLX's `dequantize` gives in float32.
inline void dequantize(const Matrix& m, int row, int from, int to, float* out) {
  switch (m.format) {
    case Format::float32: memcpy(out, row_of(m, row) + size_t(from) * 4, size_t(to - from) * 4); return;
    case Format::float16: return widen_row<Half>(m, row, from, to, out);
    case Format::bfloat16: return widen_row<Brain>(m, row, from, to, out);
    default: break;
  }
  switch (code_of(m)) {
    case 2: return dequantize_row<2>(m, row, from, to, out);
    case 3: return dequantize_row<3>(m, row, from, to, out);
    case 4: return dequantize_row<4>(m, row, from, to, out);
    case 5: return dequantize_row<5>(m, row, from, to, out);
    case 6: return dequantize_row<6>(m, row, from, to, out);
    case 8: return dequantize_row<8>(m, row, from, to, out);
    case kE2M1Code: return dequantize_row<kE2M1Code>(m, row, from, to, out);
    case kE4M3Code: return dequantize_row<kE4M3Code>(m, row, from, to, out);
  }
}

}  // namespace
}  // namespace offprint
