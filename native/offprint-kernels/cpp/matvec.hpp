// A matrix times one vector: weights are read once, as they are stored, and never unpacked.
//
// For 2, 4 and 8 bits: a register holds W consecutive words. Masking it with `(2^B - 1) << B i` leaves in each lane the
// i-th value of its word, times 2^(B i); the vector is stored with its elements in that order and divided by the same
// power of two, which is exact. So a register of values costs an AND, a conversion and an FMA. Scales and biases are
// applied once a word: sum(s q x + b x) = s sum(q x) + b sum(x).
#pragma once
#include "unpack.hpp"

namespace offprint {
namespace {

// A vector as the matrices of one phase want it.
struct Vector {
  const float* natural;
  float* ordered[3];  // for 2, 4 and 8 bits: `[block][place in the word][lane]`
  float* sums[3];     // ... and the sum of each word's elements
};

inline int kind(int bits) { return bits == 2 ? 0 : bits == 4 ? 1 : bits == 8 ? 2 : -1; }

// Whole blocks, of the longest: 16 lanes of 16 values.
inline size_t part_of(int columns) { return size_t(columns + 255) / 256 * 256; }
// Floats of memory that a `Vector` of `columns` needs.
inline size_t vector_floats(int columns) { return part_of(columns) * 6; }

inline Vector vector_in(float* memory, int columns) {
  Vector v{};
  const size_t part = part_of(columns);
  for (int i = 0; i < 3; ++i) {
    v.ordered[i] = memory, memory += part;
    v.sums[i] = memory, memory += part;
  }
  return v;
}

// `P` registers that hold `W * P` numbers one after the other -> every P-th of them, from the first, the second, ... on.
template <int P, int... L>
inline void deal(const F* from, F* to, int step, std::integer_sequence<int, L...> lanes) {
  if constexpr (P == 1) *to = *from;
  else {
    F even[P / 2], odd[P / 2];
    for (int i = 0; i < P / 2; ++i) {
      even[i] = __builtin_shufflevector(from[2 * i], from[2 * i + 1], (2 * L)...);
      odd[i] = __builtin_shufflevector(from[2 * i], from[2 * i + 1], (2 * L + 1)...);
    }
    deal<P / 2>(even, to, 2 * step, lanes);
    deal<P / 2>(odd, to + step, 2 * step, lanes);
  }
}

template <int B>
void order(const float* x, int columns, float* ordered, float* sums) {
  constexpr int P = 32 / B;
  float last[W * P] = {};  // what is left of a block, and zeros
  for (int from = 0; from < columns; from += W * P, x += W * P, ordered += W * P, sums += W) {
    if (columns - from < W * P) x = (const float*)memcpy(last, x, (columns - from) * sizeof(float));
    F given[P], dealt[P], total{};
    for (int i = 0; i < P; ++i) given[i] = load(x + i * W);
    deal<P>(given, dealt, 1, std::make_integer_sequence<int, W>{});
    for (int i = 0; i < P; ++i) {
      total = total + dealt[i];
      // The topmost value is shifted down instead: a mask would leave the sign bit to the conversion.
      const float power = i == P - 1 ? 1.0f : 1.0f / float(1u << (B * i));
      store(ordered + i * W, dealt[i] * splat(power));
    }
    store(sums, total);
  }
}

// Makes `v` hold `x` for these matrices.
template <typename... M>
void prepare(Vector& v, const float* x, int columns, const M&... matrices) {
  v.natural = x;
  bool wanted[3] = {};
  for (int bits : {matrices.bits...})
    if (kind(bits) >= 0) wanted[kind(bits)] = true;
  if (wanted[0]) order<2>(x, columns, v.ordered[0], v.sums[0]);
  if (wanted[1]) order<4>(x, columns, v.ordered[1], v.sums[1]);
  if (wanted[2]) order<8>(x, columns, v.ordered[2], v.sums[2]);
}

// Columns from `from` on, of one row, in their natural order.
template <int B>
F stream(const Matrix& m, int row, int from, const float* x) {
  const uint8_t* packed = row_of(m, row);
  const int bytes = int(row_bytes(m)), groups = m.columns / m.group;
  F acc{};
  for (int k = from; k < m.columns;) {
    const int g = k / m.group, end = (g + 1) * m.group;
    F products{}, total{};
    for (; k < end; k += W) {
      F v = load(x + k);
      products = products + unpack<B>(packed, k, bytes) * v;
      total = total + v;
    }
    const size_t place = size_t(row) * groups + g;
    acc = acc + products * splat(stored_number(m, m.scales, place)) + total * splat(stored_number(m, m.biases, place));
  }
  return acc;
}

// Rows whose data is asked for in advance: rows are short, and the processor's own guess ends with each.
constexpr int kAhead = 8;

// A block of `R` rows: W words of each, or the last `some` of them, with their scales and biases.
template <int R, int B, int N, typename S>
inline __attribute__((always_inline)) void block(const uint32_t* w, int stride, int some, const S* scales,
                                                 const S* biases, int groups, int some_groups, const float* x,
                                                 const float* sums, F (&acc)[R]) {
  constexpr int P = 32 / B;
  U packed[R];
  F products[R] = {};
#pragma GCC unroll 4
  for (int r = 0; r < R; ++r) {
    const uint32_t* from = w + size_t(r) * stride;
    packed[r] = some == W ? load(from) : load(from, some);
  }
#pragma GCC unroll 16
  for (int i = 0; i < P; ++i) {
    const F e = load(x + i * W);
    const U mask = splat(uint32_t(((1u << B) - 1) << (B * i)));
#pragma GCC unroll 4
    for (int r = 0; r < R; ++r) {
      const U q = i == P - 1 ? packed[r] >> (32 - B) : packed[r] & mask;
      products[r] = i == 0 ? floats(q) * e : floats(q) * e + products[r];
    }
  }
  const F total = load(sums);
#pragma GCC unroll 4
  for (int r = 0; r < R; ++r) {
    acc[r] = products[r] * spread<N>(scales + size_t(r) * groups, some_groups) + acc[r];
    acc[r] = total * spread<N>(biases + size_t(r) * groups, some_groups) + acc[r];
  }
}

template <int R, int B, int G, typename S>
inline void words(const Matrix& m, int row, const Vector& v, float* y) {
  constexpr int P = 32 / B, columns = W * P, N = columns > G ? columns / G : 1;
  const int groups = m.columns / G, stride = m.columns / P, whole = m.columns / columns;
  const uint32_t* w = (const uint32_t*)row_of(m, row);
  const S *scales = (const S*)m.scales + size_t(row) * groups, *biases = (const S*)m.biases + size_t(row) * groups;
  const float *x = v.ordered[kind(B)], *sums = v.sums[kind(B)];
  F acc[R] = {};
  for (int b = 0; b < whole; ++b, x += columns, sums += W) {
    for (int line = 0; line < R * W; line += 16) __builtin_prefetch(w + size_t(kAhead) * stride + b * R * W + line);
    const int g = b * columns / G, ahead = kAhead * groups + b * R * columns / G;
    __builtin_prefetch(scales + ahead);
    __builtin_prefetch(biases + ahead);
    block<R, B, N>(w + b * W, stride, W, scales + g, biases + g, groups, N, x, sums, acc);
  }
  if (const int from = whole * columns, rest = m.columns - from; rest) {
    // Less than a block is left only where a block holds several groups.
    if constexpr (kMasks && N > 1)
      block<R, B, N>(w + whole * W, stride, rest / P, scales + from / G, biases + from / G, groups, rest / G, x, sums, acc);
    else
      for (int r = 0; r < R; ++r) acc[r] = acc[r] + stream<B>(m, row + r, from, v.natural);
  }
  for (int r = 0; r < R; ++r) y[r] = sum(acc[r]);
}

template <int R>
inline void numbers(const Matrix& m, int row, const float* x, float* y) {
  const float* w = (const float*)row_of(m, row);
  const size_t stride = m.columns;
  F acc[R] = {};
  int k = 0;
  for (; k + W <= m.columns; k += W) {
    const F e = load(x + k);
#pragma GCC unroll 4
    for (int r = 0; r < R; ++r) acc[r] = load(w + r * stride + k) * e + acc[r];
  }
  for (int r = 0; r < R; ++r) y[r] = sum(acc[r]);
  for (; k < m.columns; ++k)
    for (int r = 0; r < R; ++r) y[r] += w[r * stride + k] * x[k];
}

template <int R, typename S>
inline void words_of(const Matrix& m, int row, const Vector& v, float* y) {
  switch (m.bits * 1000 + m.group) {
    case 2032: return words<R, 2, 32, S>(m, row, v, y);
    case 2064: return words<R, 2, 64, S>(m, row, v, y);
    case 2128: return words<R, 2, 128, S>(m, row, v, y);
    case 4032: return words<R, 4, 32, S>(m, row, v, y);
    case 4064: return words<R, 4, 64, S>(m, row, v, y);
    case 4128: return words<R, 4, 128, S>(m, row, v, y);
    case 8032: return words<R, 8, 32, S>(m, row, v, y);
    case 8064: return words<R, 8, 64, S>(m, row, v, y);
    case 8128: return words<R, 8, 128, S>(m, row, v, y);
  }
}

template <int R>
inline void some_rows(const Matrix& m, int row, const Vector& v, float* y) {
  if (kind(m.bits) >= 0) {
    switch (m.stored) {
      case Stored::float32: return words_of<R, float>(m, row, v, y);
      case Stored::float16: return words_of<R, Half>(m, row, v, y);
      case Stored::bfloat16: return words_of<R, Brain>(m, row, v, y);
    }
  }
  for (int r = 0; r < R; ++r) {
    if (m.bits == 3) y[r] = sum(stream<3>(m, row + r, 0, v.natural));
    if (m.bits == 6) y[r] = sum(stream<6>(m, row + r, 0, v.natural));
  }
  if (m.bits == 32) numbers<R>(m, row, v.natural, y);
}

// Rows `from..to` of `matrix @ x`, set or (`add`) added to `y[row]`.
inline void matvec(const Matrix& m, const Vector& v, int from, int to, bool add, float* y) {
  for (int row = from; row < to;) {
    float out[4];
    const int some = to - row >= 4 ? 4 : 1;
    if (some == 4) some_rows<4>(m, row, v, out);
    else some_rows<1>(m, row, v, out);
    for (int r = 0; r < some; ++r, ++row) y[row] = out[r] + (m.offset ? m.offset[row] : 0) + (add ? y[row] : 0);
  }
}

}  // namespace
}  // namespace offprint
