// A matrix times one vector: weights are read once, as they are stored, and never unpacked.
//
// For 2, 4 and 8 bits: a register holds W consecutive words. Masking it with `(2^B - 1) << B i` leaves in each lane the
// i-th value of its word, times 2^(B i); the vector is stored with its elements in that order and divided by the same
// power of two, which is exact. So a register of values costs an AND, a conversion and an FMA, and one product more a word for
// the scales. Biases need no values at all: sum(s q x + b x) = s sum(q x) + b sum(x), where a group's sum(x) is known.
// 4 bits have another way where the processor has the instructions for it: fixed.hpp.
#pragma once
#include "fixed.hpp"

namespace offprint {
namespace {

// A vector as the matrices of one phase want it.
struct Vector {
  const float* natural;
  float* ordered[3];  // for 2, 4 and 8 bits: `[block][place in the word][lane]`, or what `fix` makes of a block
  float* sums[3];     // of groups of 32, 64 and 128; zeros follow
};

inline int kind(int bits) { return bits == 2 ? 0 : bits == 4 ? 1 : bits == 8 ? 2 : -1; }

inline int group_kind(int group) { return group == 32 ? 0 : group == 64 ? 1 : 2; }

// Whole blocks, of the longest: 16 lanes of 16 values.
inline size_t part_of(int columns) { return size_t(columns + 255) / 256 * 256; }
// Sums of groups, and a register of zeros.
inline size_t sums_of(int columns) { return (part_of(columns) / 32 + 31) / 16 * 16; }
// Floats of memory that a `Vector` of `columns` needs.
inline size_t vector_floats(int columns) { return (part_of(columns) + sums_of(columns)) * 3; }

inline Vector vector_in(float* memory, int columns) {
  Vector v{};
  for (int i = 0; i < 3; ++i) {
    v.ordered[i] = memory, memory += part_of(columns);
    v.sums[i] = memory, memory += sums_of(columns);
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
void order(const float* x, int columns, float* ordered) {
  constexpr int P = 32 / B;
  float last[W * P] = {};  // what is left of a block, and zeros
  for (int from = 0; from < columns; from += W * P, x += W * P, ordered += W * P) {
    if (columns - from < W * P) x = (const float*)memcpy(last, x, (columns - from) * sizeof(float));
    F given[P], dealt[P];
    for (int i = 0; i < P; ++i) given[i] = load(x + i * W);
    deal<P>(given, dealt, 1, std::make_integer_sequence<int, W>{});
    if constexpr (kFixed && B == 4) {
      fix(dealt, ordered);
      continue;
    }
    for (int i = 0; i < P; ++i) {
      // The topmost value is shifted down instead: a mask would leave the sign bit to the conversion.
      const float power = i == P - 1 ? 1.0f : 1.0f / float(1u << (B * i));
      store(ordered + i * W, dealt[i] * splat(power));
    }
  }
}

inline void sum_groups(const float* x, int columns, int group, float* sums) {
  for (int k = 0; k < columns; k += group) {
    F total{};
    for (int i = 0; i < group; i += W) total = total + load(x + k + i);
    *sums++ = sum(total);
  }
  store(sums, F{});
}

// Makes `v` hold `x` for these matrices.
template <typename... M>
void prepare(Vector& v, const float* x, int columns, const M&... matrices) {
  v.natural = x;
  bool wanted[3] = {}, grouped[3] = {};
  for (const Matrix* m : {&matrices...})
    if (kind(m->bits) >= 0) wanted[kind(m->bits)] = grouped[group_kind(m->group)] = true;
  if (wanted[0]) order<2>(x, columns, v.ordered[0]);
  if (wanted[1]) order<4>(x, columns, v.ordered[1]);
  if (wanted[2]) order<8>(x, columns, v.ordered[2]);
  for (int i = 0; i < 3; ++i)
    if (grouped[i]) sum_groups(x, columns, 32 << i, v.sums[i]);
}

// One row's product, its columns in their natural order.
template <int B>
F stream(const Matrix& m, int row, const float* x) {
  const uint8_t* packed = row_of(m, row);
  const int bytes = int(row_bytes(m));
  float scales[kSpan], biases[kSpan];
  F acc{};
  for (int k = 0; k < m.columns;) {
    const int n = widen(m, row, k, m.columns, scales, biases);
    for (int g = 0; g < n; ++g) {
      F products{}, total{};
      for (const int end = k + m.group; k < end; k += W) {
        F v = load(x + k);
        products = products + unpack<B>(packed, k, bytes) * v;
        total = total + v;
      }
      acc = acc + products * splat(scales[g]) + total * splat(biases[g]);
    }
  }
  return acc;
}

// Where a matrix's rows, packed by words, lie in memory, from some row on.
template <typename S>
struct Packed {
  const uint32_t* words;
  const S *scales, *biases, *end;  // the end is the scales'
  int stride, groups;              // words and groups a row
};

// A block of `R` rows: W words of each, or the last `some` of them.
template <int R, int B, int N>
inline __attribute__((always_inline)) void block(const uint32_t* w, int stride, int some, const float (&scales)[R][kSpan],
                                                 int group, const float* x, F (&acc)[R]) {
  constexpr int P = 32 / B;
  U packed[R];
#pragma GCC unroll 4
  for (int r = 0; r < R; ++r) {
    const uint32_t* from = w + size_t(r) * stride;
    packed[r] = some == W ? load(from) : load(from, some);
  }
  if constexpr (kFixed && B == 4) return fixed<R, N>(packed, x, scales, group, acc);
  F products[R] = {};
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
#pragma GCC unroll 4
  for (int r = 0; r < R; ++r) acc[r] = products[r] * spread<N>(scales[r] + group) + acc[r];
}

// Rows are short, and the processor's own guess of what is read next ends with each: so many bytes are asked for in
// advance, or the next whole fours of rows.
constexpr int kAhead = 8 * 1024;

template <int R, int B, int G, typename S>
inline __attribute__((always_inline)) void rows(const Packed<S>& m, const float* x, const float* sums, float* y) {
  constexpr int P = 32 / B, columns = W * P, N = columns > G ? columns / G : 1;
  F acc[R], from_biases[R];
#pragma GCC unroll 4
  for (int r = 0; r < R; ++r) acc[r] = from_biases[r] = F{};
  alignas(64) float scales[R][kSpan];
  const int of_four = 4 * m.stride * 4, rows_ahead = (kAhead + of_four - 1) / of_four * 4;
  const uint32_t *w = m.words, *ahead = m.words + size_t(rows_ahead) * m.stride;
  for (int g = 0; g < m.groups; g += kSpan) {
    const int n = m.groups - g < kSpan ? m.groups - g : kSpan;
    for (int i = 0; i < R * n; i += 64 / int(sizeof(S))) {
      const size_t place = size_t(rows_ahead) * m.groups + R * g + i;
      __builtin_prefetch(m.scales + place);
      __builtin_prefetch(m.biases + place);
    }
    // Whole registers are read, but nothing behind the last scale: there, from a copy.
    const bool inside = m.end - m.scales >= ptrdiff_t(R - 1) * m.groups + g + (n + W - 1) / W * W;
#pragma GCC unroll 4
    for (int r = 0; r < R; ++r) {
      const size_t place = size_t(r) * m.groups + g;
      const S *s = m.scales + place, *b = m.biases + place;
      S last[2][kSpan];
      if (!inside) {
        memset(last, 0, sizeof last);
        s = (const S*)memcpy(last[0], s, n * sizeof(S)), b = (const S*)memcpy(last[1], b, n * sizeof(S));
      }
      for (int i = 0; i < n; i += W) {
        store(scales[r] + i, wide(s + i));
        from_biases[r] = wide(b + i) * load(sums + g + i) + from_biases[r];
      }
    }
    int k = 0;
    for (; k + columns <= n * G; k += columns, w += W, x += columns, ahead += R * W) {
      for (int line = 0; line < R * W; line += 16) __builtin_prefetch(ahead + line);
      block<R, B, N>(w, m.stride, W, scales, k / G, x, acc);
    }
    if (k < n * G) block<R, B, N>(w, m.stride, (n * G - k) / P, scales, k / G, x, acc);
  }
#pragma GCC unroll 4
  for (int r = 0; r < R; ++r) y[r] = sum(acc[r] + from_biases[r]);
}

// Calls `put(row, product)` for rows `from..to`.
template <int B, int G, typename S, typename T>
void words(const Matrix& m, const Vector& v, int from, int to, const T& put) {
  const int groups = m.columns / G, stride = m.columns * B / 32;
  const float *x = v.ordered[kind(B)], *sums = v.sums[group_kind(G)];
  const S *scales = (const S*)m.scales, *biases = (const S*)m.biases, *end = scales + size_t(m.rows) * groups;
  const uint32_t* w = (const uint32_t*)m.weight;
  auto at = [&](size_t row) { return Packed<S>{w + row * stride, scales + row * groups, biases + row * groups, end, stride, groups}; };
  float y[4];
  int row = from;
  for (; row + 4 <= to; row += 4) {
    rows<4, B, G>(at(row), x, sums, y);
    for (int r = 0; r < 4; ++r) put(row + r, y[r]);
  }
  for (; row < to; ++row) rows<1, B, G>(at(row), x, sums, y), put(row, *y);
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

template <typename S, typename T>
void words_of(const Matrix& m, const Vector& v, int from, int to, const T& put) {
  switch (m.bits * 1000 + m.group) {
    case 2032: return words<2, 32, S>(m, v, from, to, put);
    case 2064: return words<2, 64, S>(m, v, from, to, put);
    case 2128: return words<2, 128, S>(m, v, from, to, put);
    case 4032: return words<4, 32, S>(m, v, from, to, put);
    case 4064: return words<4, 64, S>(m, v, from, to, put);
    case 4128: return words<4, 128, S>(m, v, from, to, put);
    case 8032: return words<8, 32, S>(m, v, from, to, put);
    case 8064: return words<8, 64, S>(m, v, from, to, put);
    case 8128: return words<8, 128, S>(m, v, from, to, put);
  }
}

// Rows `from..to` of `matrix @ x`, set or (`add`) added to `y[row]`.
inline void matvec(const Matrix& m, const Vector& v, int from, int to, bool add, float* y) {
  if (!add)
    for (int row = from; row < to; ++row) y[row] = 0;
  if (m.offset)
    for (int row = from; row < to; ++row) y[row] += m.offset[row];
  auto put = [&](int row, float product) { y[row] += product; };
  if (kind(m.bits) >= 0) {
    switch (m.stored) {
      case Stored::float32: return words_of<float>(m, v, from, to, put);
      case Stored::float16: return words_of<Half>(m, v, from, to, put);
      case Stored::bfloat16: return words_of<Brain>(m, v, from, to, put);
    }
  }
  int row = from;
  if (m.bits == 32) {
    float out[4];
    for (; row + 4 <= to; row += 4) {
      numbers<4>(m, row, v.natural, out);
      for (int r = 0; r < 4; ++r) put(row + r, out[r]);
    }
    for (; row < to; ++row) numbers<1>(m, row, v.natural, out), put(row, *out);
  }
  switch (m.bits) {
    case 3:
      for (; row < to; ++row) put(row, sum(stream<3>(m, row, v.natural)));
      break;
    case 5:
      for (; row < to; ++row) put(row, sum(stream<5>(m, row, v.natural)));
      break;
    case 6:
      for (; row < to; ++row) put(row, sum(stream<6>(m, row, v.natural)));
      break;
  }
}

}  // namespace
}  // namespace offprint
