// A matrix times one vector, or a few: weights are read once, as they are stored, and never unpacked.
//
// For 2, 4 and 8 bits: a register holds W consecutive words. Masking it with `(2^B - 1) << B i` leaves in each lane the
// i-th value of its word, times 2^(B i); the vector is stored with its elements in that order and divided by the same
// power of two, which is exact. So a register of values costs an AND, a conversion and an FMA, and one product more a word for
// the scales. Biases need no values at all: sum(s q x + b x) = s sum(q x) + b sum(x), where a group's sum(x) is known.
// 4 bits have another way where the processor has the instructions for it: fixed.hpp. 3, 5 and 6 bits do the same with the four
// values, at most 24 bits, that a few bytes hold, moved to a lane of their own; E2M1 with a table in place of mask and conversion.
// Other formats, and E2M1 where there is no such table, are read in their natural order.
//
// Of several vectors each has its own sums, added up in the order in which one vector's are: what a vector gives is to the bit what it
// gives alone. What they share is the reading and the taking apart of weights.
#pragma once
#include "bytes.hpp"

namespace offprint {
namespace {

// Registers are of lanes that hold so many values each.
constexpr int in_lane(int code) { return 32 % bits_of(code) ? 4 : 32 / bits_of(code); }
// Bytes of weights that a register of lanes is filled from; it may be by a load of some more.
constexpr int lane_bytes(int code) { return W * in_lane(code) * bits_of(code) / 8; }
constexpr int lane_reach(int code) { return 32 % bits_of(code) == 0 ? lane_bytes(code) : W == 4 ? lane_bytes(code) + 4 : 64; }

// A vector as the matrices of one phase want it.
constexpr int kKinds = 7;
struct Vector {
  const float* natural;
  float* ordered[kKinds];  // `[block][place in the lane][lane]`, or what `fix` makes of a block
  float* sums[3];          // of groups of 32, 64 and 128; zeros follow
};

inline int kind(int code) {
  switch (code) {
    case 2: return 0;
    case 4: return 1;
    case 8: return 2;
    case 3: return 3;
    case 5: return 4;
    case 6: return 5;
    case kE2M1Code: return W == 4 ? -1 : kFixed && !kBytes ? 1 : 6;
    default: return -1;
  }
}

inline int group_kind(int group) { return group == 32 ? 0 : group == 64 ? 1 : 2; }

// Whole blocks, of the longest: 16 lanes of 16 values.
inline size_t part_of(int columns) { return size_t(columns + 255) / 256 * 256; }
// Sums of groups, and a register of zeros.
inline size_t sums_of(int columns) { return (part_of(columns) / 32 + 31) / 16 * 16; }
// Floats of memory that a `Vector` of `columns` needs.
inline size_t vector_floats(int columns) { return part_of(columns) * kKinds + sums_of(columns) * 3; }

inline Vector vector_in(float* memory, int columns) {
  Vector v{};
  for (int i = 0; i < kKinds; ++i) {
    v.ordered[i] = memory, memory += part_of(columns);
    if (i < 3) v.sums[i] = memory, memory += sums_of(columns);
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

template <int C>
void order(const float* x, int columns, float* ordered) {
  constexpr int P = in_lane(C), B = bits_of(C);
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
      // The topmost value of a full lane is shifted down instead: a mask would leave the sign bit to the conversion.
      const float power = !is_affine(C) || (P * B == 32 && i == P - 1) ? 1.0f : 1.0f / float(1u << (B * i));
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
  bool wanted[kKinds] = {}, grouped[3] = {};
  for (const Matrix* m : {&matrices...}) {
    if (!packed(*m)) continue;
    if (const int of = in_bytes(*m) ? kind(m->bits) : kind(code_of(*m)); of >= 0) wanted[of] = true;
    if (m->format == Format::affine) grouped[group_kind(m->group)] = true;
  }
  if (wanted[0]) order<2>(x, columns, v.ordered[0]);
  if (wanted[1]) kBytes ? order_bytes<4>(x, columns, v.ordered[1]) : order<4>(x, columns, v.ordered[1]);
  if (wanted[2]) kBytes ? order_bytes<8>(x, columns, v.ordered[2]) : order<8>(x, columns, v.ordered[2]);
  if (wanted[3]) order<3>(x, columns, v.ordered[3]);
  if (wanted[4]) order<5>(x, columns, v.ordered[4]);
  if (wanted[5]) order<6>(x, columns, v.ordered[5]);
  if (wanted[6]) order<kE2M1Code>(x, columns, v.ordered[6]);
  for (int i = 0; i < 3; ++i)
    if (grouped[i]) sum_groups(x, columns, 32 << i, v.sums[i]);
}

#if defined(__AVX2__)
// Of 3, 5 and 6 bits: each 16 bytes of a register get those that begin with what its four lanes hold, `16 * B` bits on from those
// before, by whole words where it is one load. Then each lane gets the three that its `4 * B` bits are in.
template <int B>
constexpr int word_for(int l) { return (l / 4 * 2 * B >> 2) + l % 4; }
template <int B>
constexpr int bytes_for(int l) {
  const int first = (W == 16 ? l / 4 * 2 * B & 3 : 0) + (l % 4 * 4 * B >> 3);
  return int(uint32_t(first) | uint32_t(first + 1) << 8 | uint32_t(first + 2) << 16 | 0xff000000u);
}
#endif

// A register of lanes. Of 3, 5 and 6 bits, a lane's values begin with its lowest bit, and others may follow them.
template <int C>
inline U lanes(const uint8_t* p) {
  constexpr int B = bits_of(C);
  if constexpr (32 % B == 0) return load((const uint32_t*)p);
  U found, shifts;
#if defined(__AVX512F__)
  const __m512i words = _mm512_setr_epi32(
      word_for<B>(0), word_for<B>(1), word_for<B>(2), word_for<B>(3), word_for<B>(4), word_for<B>(5), word_for<B>(6), word_for<B>(7),
      word_for<B>(8), word_for<B>(9), word_for<B>(10), word_for<B>(11), word_for<B>(12), word_for<B>(13), word_for<B>(14), word_for<B>(15));
  const __m512i bytes = _mm512_setr_epi32(
      bytes_for<B>(0), bytes_for<B>(1), bytes_for<B>(2), bytes_for<B>(3), bytes_for<B>(4), bytes_for<B>(5), bytes_for<B>(6), bytes_for<B>(7),
      bytes_for<B>(8), bytes_for<B>(9), bytes_for<B>(10), bytes_for<B>(11), bytes_for<B>(12), bytes_for<B>(13), bytes_for<B>(14), bytes_for<B>(15));
  found = (U)_mm512_shuffle_epi8(_mm512_permutexvar_epi32(words, _mm512_loadu_si512(p)), bytes);
#elif defined(__AVX2__)
  const __m256i bytes = _mm256_setr_epi32(bytes_for<B>(0), bytes_for<B>(1), bytes_for<B>(2), bytes_for<B>(3), bytes_for<B>(4),
                                          bytes_for<B>(5), bytes_for<B>(6), bytes_for<B>(7));
  found = (U)_mm256_shuffle_epi8(_mm256_loadu2_m128i((const __m128i*)(p + 2 * B), (const __m128i*)p), bytes);
#else
  for (int l = 0; l < W; ++l) {
    uint32_t four;
    memcpy(&four, p + (l * 4 * B >> 3), 4);
    found[l] = four;
  }
#endif
  for (int l = 0; l < W; ++l) shifts[l] = uint32_t(l * 4 * B & 7);
  return B % 2 ? found >> shifts : found;
}

// The first `some` lanes, whose bytes are whole; nothing past them is touched, and the others are zero.
template <int C>
inline U lanes(const uint8_t* p, int some) {
  if constexpr (32 % bits_of(C) == 0) return load((const uint32_t*)p, some);
  uint8_t copy[64] = {};
  memcpy(copy, p, size_t(some) * 4 * bits_of(C) / 8);
  return lanes<C>(copy);
}

// What a row is a whole number of, by which it is counted: words, or bytes where lanes share words.
template <int C>
using Unit = std::conditional_t<32 % bits_of(C) == 0, uint32_t, uint8_t>;

// Where a matrix's rows lie in memory, from some row on.
template <int C, typename S>
struct Packed {
  const Unit<C> *units, *last;     // the last: behind the matrix
  const S *scales, *biases, *end;  // the end is the scales'
  int stride, groups;              // units and groups a row
};

// Vectors at a time: their products with four rows fill most of the registers.
constexpr int kTogether = W == 16 ? 4 : 2;

// A block of `R` rows: a register of lanes of each, or (not `Whole`) the first `some` of them, and nothing behind those is touched.
// `V` vectors, whose block begins at `x[v] + at`.
template <int R, int V, int C, int N, bool Whole>
inline __attribute__((always_inline)) void block(const Unit<C>* w, int stride, int some, const float (&scales)[R][kSpan],
                                                 int group, const float* const (&x)[V], size_t at, F (&acc)[V][R]) {
  constexpr int P = in_lane(C), B = bits_of(C);
  U packed[R];
#pragma GCC unroll 4
  for (int r = 0; r < R; ++r) {
    const uint8_t* from = (const uint8_t*)(w + size_t(r) * stride);
    packed[r] = Whole ? lanes<C>(from) : lanes<C>(from, some);
  }
  if constexpr (kFixed && B == 4) return fixed<R, V, N, C == kE2M1Code>(packed, x, at, scales, group, acc);
  F products[V][R] = {};
#pragma GCC unroll 16
  for (int i = 0; i < P; ++i) {
    F e[V];
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v) e[v] = load(x[v] + at + i * W);
    const U mask = splat(uint32_t(((1u << B) - 1) << (B * i)));
#pragma GCC unroll 4
    for (int r = 0; r < R; ++r) {
      F q;
#if defined(__AVX2__)
      if constexpr (C == kE2M1Code) q = e2m1(packed[r] >> (B * i));
      else
#endif
        q = floats(P * B == 32 && i == P - 1 ? packed[r] >> (32 - B) : packed[r] & mask);
#pragma GCC unroll 4
      for (int v = 0; v < V; ++v) products[v][r] = i == 0 ? q * e[v] : q * e[v] + products[v][r];
    }
  }
#pragma GCC unroll 4
  for (int r = 0; r < R; ++r) {
    const F scale = spread<N>(scales[r] + group);
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v) acc[v][r] = products[v][r] * scale + acc[v][r];
  }
}

template <int R, int V, int C, int G, typename S>
inline __attribute__((always_inline)) void rows(const Packed<C, S>& m, const float* const (&x)[V], const float* const (&sums)[V],
                                                float (&y)[V][R]) {
  constexpr int P = in_lane(C), columns = W * P, N = columns > G ? columns / G : 1;
  constexpr int unit = sizeof(Unit<C>), units = lane_bytes(C) / unit;
  constexpr bool exact = lane_bytes(C) == lane_reach(C);
  F acc[V][R], from_biases[V][R];
#pragma GCC unroll 4
  for (int v = 0; v < V; ++v)
#pragma GCC unroll 4
    for (int r = 0; r < R; ++r) acc[v][r] = from_biases[v][r] = F{};
  alignas(64) float scales[R][kSpan];
  size_t at = 0;  // of the block, in the vectors
  const int of_four = 4 * m.stride * unit, rows_ahead = (kAhead + of_four - 1) / of_four * 4;
  const Unit<C> *w = m.units, *ahead = m.units + size_t(rows_ahead) * m.stride;
  // From here on, loads of whole registers would reach past the matrix.
  const Unit<C>* edge = m.last - size_t(R - 1) * m.stride - lane_reach(C) / unit;
  for (int g = 0; g < m.groups; g += kSpan) {
    const int n = m.groups - g < kSpan ? m.groups - g : kSpan;
    for (int i = 0; i < R * n; i += 64 / int(sizeof(S))) {
      const size_t place = size_t(rows_ahead) * m.groups + R * g + i;
      __builtin_prefetch(m.scales + place);
      if constexpr (is_affine(C)) __builtin_prefetch(m.biases + place);
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
        s = (const S*)memcpy(last[0], s, n * sizeof(S));
        if constexpr (is_affine(C)) b = (const S*)memcpy(last[1], b, n * sizeof(S));
      }
      for (int i = 0; i < n; i += W) {
        store(scales[r] + i, wide(s + i));
        if constexpr (is_affine(C)) {
          const F bias = wide(b + i);
#pragma GCC unroll 4
          for (int v = 0; v < V; ++v) from_biases[v][r] = bias * load(sums[v] + g + i) + from_biases[v][r];
        }
      }
    }
    int k = 0;
    for (; k + columns <= n * G; k += columns, w += units, at += columns, ahead += R * units) {
      if (!exact && w > edge) break;
      for (int line = 0; line < R * units; line += 64 / unit) __builtin_prefetch(ahead + line);
      block<R, V, C, N, true>(w, m.stride, W, scales, k / G, x, at, acc);
    }
    if constexpr (exact) {
      if (k < n * G) block<R, V, C, N, false>(w, m.stride, (n * G - k) / P, scales, k / G, x, at, acc);
    } else {
      for (; k < n * G; k += columns, w += units, at += columns) {
        const int left = (n * G - k) / P;
        block<R, V, C, N, false>(w, m.stride, left < W ? left : W, scales, k / G, x, at, acc);
      }
    }
  }
  constexpr float unit_of = kFixed && C == kE2M1Code ? 0.5f : 1.0f;
  if constexpr (V * R == W) {  // as many sums as a register holds: all at once, each added up as `sum` does it
    F all[W];
#pragma GCC unroll 16
    for (int i = 0; i < W; ++i) all[i] = acc[i / R][i % R] + from_biases[i / R][i % R];
    store(&y[0][0], offprint::sums(all) * splat(unit_of));
    return;
  }
#pragma GCC unroll 4
  for (int v = 0; v < V; ++v)
#pragma GCC unroll 4
    for (int r = 0; r < R; ++r) y[v][r] = sum(acc[v][r] + from_biases[v][r]) * unit_of;
}

// Rows `from..to`, `R` at a time, then one: `some(row, y)` of `y[vector][row]`, then `put(vector, row, product)` for each.
template <int V, int R, typename F1, typename T>
inline __attribute__((always_inline)) void some_rows(int from, int to, const F1& some, const T& put) {
  float several[V][R], one[V][1];
  int row = from;
  for (; row + R <= to; row += R) {
    some(row, several);
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v)
#pragma GCC unroll 4
      for (int r = 0; r < R; ++r) put(v, row + r, several[v][r]);
  }
  for (; row < to; ++row) {
    some(row, one);
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v) put(v, row, one[v][0]);
  }
}

// Calls `put(vector, row, product)` for rows `from..to`.
template <int V, int C, int G, typename S, typename T>
void words(const Matrix& m, const Vector* const (&vectors)[V], int from, int to, const T& put) {
  const int groups = m.columns / G, stride = int(row_bytes(m) / sizeof(Unit<C>));
  const float *x[V], *sums[V];
  constexpr bool bytes = kBytes && (C == 4 || C == 8 || (C == kE2M1Code && G == 32));
  for (int v = 0; v < V; ++v) x[v] = vectors[v]->ordered[bytes ? kind(bits_of(C)) : kind(C)], sums[v] = vectors[v]->sums[group_kind(G)];
  if constexpr (bytes) return byte_rows<V, C, G, S>(m, x, sums, from, to, put);
  const S *scales = (const S*)m.scales, *biases = (const S*)m.biases, *end = scales + size_t(m.rows) * groups;
  const auto *w = (const Unit<C>*)m.weight, *last = w + size_t(m.rows) * stride;
  // In whole numbers two rows with four vectors fill the registers.
  constexpr int together = kFixed && bits_of(C) == 4 && V == 4 ? 2 : 4;
  some_rows<V, together>(from, to, [&]<int R>(int row, float (&y)[V][R]) __attribute__((always_inline)) {
    const size_t place = size_t(row) * groups;
    rows<R, V, C, G>(Packed<C, S>{w + size_t(row) * stride, last, scales + place, biases + place, end, stride, groups}, x, sums, y);
  }, put);
}

// Numbers that are no packed ones.
template <int R, int V, typename S>
inline void numbers(const Matrix& m, int row, const Vector* const (&x)[V], float (&y)[V][R]) {
  const S* w = (const S*)row_of(m, row);
  const size_t stride = m.columns;
  // As in `rows`, a share of the lines for each register.
  const size_t of_four = 4 * stride * sizeof(S), ahead = (kAhead + of_four - 1) / of_four * of_four;
  F acc[V][R] = {};
  int k = 0;
  for (; k + W <= m.columns; k += W) {
    F e[V];
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v) e[v] = load(x[v]->natural + k);
    if (R * W * int(sizeof(S)) >= 64 || k % (64 / int(sizeof(S)) / R) == 0)
      for (int line = 0; line < R * W * int(sizeof(S)); line += 64)
        __builtin_prefetch((const uint8_t*)w + ahead + k * R * sizeof(S) + line);
#pragma GCC unroll 4
    for (int r = 0; r < R; ++r) {
      const F number = wide(w + r * stride + k);
#pragma GCC unroll 4
      for (int v = 0; v < V; ++v) acc[v][r] = number * e[v] + acc[v][r];
    }
  }
  const int left = m.columns - k;
  for (int v = 0; v < V; ++v) {
    for (int r = 0; r < R; ++r) y[v][r] = sum(acc[v][r]);
    if (!left) continue;
    S last[W] = {};
    float e[W] = {};
    memcpy(e, x[v]->natural + k, left * sizeof(float));
    for (int r = 0; r < R; ++r) {
      memcpy(last, w + r * stride + k, left * sizeof(S));
      y[v][r] += sum(wide(last) * load(e));
    }
  }
}

// Packed numbers in their natural order, without biases.
template <int R, int V, int C>
inline void decoded(const Matrix& m, int row, const Vector* const (&x)[V], float (&y)[V][R]) {
  const int bytes = int(row_bytes(m));
  const uint8_t* w = row_of(m, row);
  const size_t of_four = 4 * size_t(bytes), ahead = (kAhead + of_four - 1) / of_four * of_four;
  alignas(64) float scales[R][kSpan];
  F acc[V][R] = {};
  for (int k = 0; k < m.columns;) {
    int n = 0;
    for (int r = 0; r < R; ++r) n = widen(m, row + r, k, m.columns, scales[r], nullptr);
    for (int g = 0; g < n; ++g) {
      F products[V][R] = {};
      for (int i = 0; i < R * m.group * bits_of(C) / 8; i += 64) __builtin_prefetch(w + ahead + R * (k * bits_of(C) / 8) + i);
      for (const int end = k + m.group; k < end; k += W) {
        F e[V];
#pragma GCC unroll 4
        for (int v = 0; v < V; ++v) e[v] = load(x[v]->natural + k);
#pragma GCC unroll 4
        for (int r = 0; r < R; ++r) {
          const F number = unpack<C>(w + size_t(r) * bytes, k, bytes);
#pragma GCC unroll 4
          for (int v = 0; v < V; ++v) products[v][r] = number * e[v] + products[v][r];
        }
      }
#pragma GCC unroll 4
      for (int v = 0; v < V; ++v)
#pragma GCC unroll 4
        for (int r = 0; r < R; ++r) acc[v][r] = products[v][r] * splat(scales[r][g]) + acc[v][r];
    }
  }
  for (int v = 0; v < V; ++v)
    for (int r = 0; r < R; ++r) y[v][r] = sum(acc[v][r]);
}

template <int V, typename S, typename T>
void words_of(const Matrix& m, const Vector* const (&v)[V], int from, int to, const T& put) {
  switch (m.bits * 1000 + m.group) {
    case 2032: return words<V, 2, 32, S>(m, v, from, to, put);
    case 2064: return words<V, 2, 64, S>(m, v, from, to, put);
    case 2128: return words<V, 2, 128, S>(m, v, from, to, put);
    case 3032: return words<V, 3, 32, S>(m, v, from, to, put);
    case 3064: return words<V, 3, 64, S>(m, v, from, to, put);
    case 3128: return words<V, 3, 128, S>(m, v, from, to, put);
    case 4032: return words<V, 4, 32, S>(m, v, from, to, put);
    case 4064: return words<V, 4, 64, S>(m, v, from, to, put);
    case 4128: return words<V, 4, 128, S>(m, v, from, to, put);
    case 5032: return words<V, 5, 32, S>(m, v, from, to, put);
    case 5064: return words<V, 5, 64, S>(m, v, from, to, put);
    case 5128: return words<V, 5, 128, S>(m, v, from, to, put);
    case 6032: return words<V, 6, 32, S>(m, v, from, to, put);
    case 6064: return words<V, 6, 64, S>(m, v, from, to, put);
    case 6128: return words<V, 6, 128, S>(m, v, from, to, put);
    case 8032: return words<V, 8, 32, S>(m, v, from, to, put);
    case 8064: return words<V, 8, 64, S>(m, v, from, to, put);
    case 8128: return words<V, 8, 128, S>(m, v, from, to, put);
  }
}

// Rows `from..to` of `matrix @ x` for `V` vectors, set or (`add`) added to `y[vector][row]`.
template <int V>
inline void matvecs(const Matrix& m, const Vector* const (&x)[V], int from, int to, bool add, float* const (&y)[V]) {
  for (float* of : y) {
    if (!add) memset(of + from, 0, (to - from) * sizeof(float));
    if (m.offset)
      for (int row = from; row < to; ++row) of[row] += m.offset[row];
  }
  auto put = [&](int v, int row, float product) { y[v][row] += product; };
  auto numbers_of = [&]<typename S>(S) {
    some_rows<V, 4>(from, to, [&]<int R>(int row, float (&out)[V][R]) { numbers<R, V, S>(m, row, x, out); }, put);
  };
  auto decoded_of = [&]<int C>() {
    some_rows<V, 4>(from, to, [&]<int R>(int row, float (&out)[V][R]) { decoded<R, V, C>(m, row, x, out); }, put);
  };
  switch (m.format) {
    case Format::float32: return numbers_of(float{});
    case Format::float16: return numbers_of(Half{});
    case Format::bfloat16: return numbers_of(Brain{});
    case Format::mxfp8: return decoded_of.template operator()<kE4M3Code>();
    case Format::mxfp4:
      if constexpr (W == 4) return decoded_of.template operator()<kE2M1Code>();
      else return words<V, kE2M1Code, 32, E8M0>(m, x, from, to, put);
    case Format::nvfp4:
      if constexpr (W == 4) return decoded_of.template operator()<kE2M1Code>();
      else return words<V, kE2M1Code, 16, E4M3>(m, x, from, to, put);
    case Format::affine: break;
  }
  switch (m.stored) {
    case Stored::float32: return words_of<V, float>(m, x, from, to, put);
    case Stored::float16: return words_of<V, Half>(m, x, from, to, put);
    default: return words_of<V, Brain>(m, x, from, to, put);
  }
}

// The same for any number of vectors.
inline void matvec(const Matrix& m, const Vector* const* x, int n, int from, int to, bool add, float* const* y) {
  for (; n >= kTogether && kTogether > 2; n -= kTogether, x += kTogether, y += kTogether)
    matvecs<kTogether>(m, *(const Vector* const(*)[kTogether])x, from, to, add, *(float* const(*)[kTogether])y);
  for (; n >= 2; n -= 2, x += 2, y += 2) matvecs<2>(m, *(const Vector* const(*)[2])x, from, to, add, *(float* const(*)[2])y);
  if (n) matvecs<1>(m, *(const Vector* const(*)[1])x, from, to, add, *(float* const(*)[1])y);
}

}  // namespace
}  // namespace offprint
