// All kernels, compiled once for each instruction set. Nothing here has a name that the linker could give to another
// compilation: an older processor must never meet these instructions.
#include "decode.hpp"
#include "draw.hpp"
#include "prefill.hpp"

namespace offprint {
namespace {

// A prompt, or a part of one, of no more positions is computed as rows: a panel is computed whole whatever it holds.
constexpr int kFew = 8;

bool usable() {
#if defined(__AVX512VNNI__)
  if (!__builtin_cpu_supports("avx512vnni")) return false;
#endif
#if defined(__AVX512F__)
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
         __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c");
#elif defined(__AVX2__)
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c");
#else
  return true;
#endif
}

void rows(const Model& m, Pool& pool, const Memory& memory, const Row* rows, int n, float* logits) {
  for (int from = 0; from < n; from += kMostRows) {
    const int some = n - from < kMostRows ? n - from : kMostRows;
    decode(m, pool, memory, rows + from, some, logits ? logits + size_t(from) * m.vocabulary : nullptr);
  }
}

void step(const Model& m, Cache& cache, Pool& pool, const Memory& memory, const uint32_t* ids, int n, float* logits) {
  if (n <= kFew) {
    Row few[kFew];
    for (int t = 0; t < n; ++t) few[t] = Row{&cache, ids[t], cache.length + t};
    return decode(m, pool, memory, few, n, logits);
  }
  for (int from = 0; from < n; from += kSlice) {
    const int some = n - from < kSlice ? n - from : kSlice;
    prefill(m, cache, pool, memory, ids + from, some, logits ? logits + size_t(from) * m.vocabulary : nullptr);
  }
}

void matmul(const Matrix& m, Pool& pool, const Memory& memory, const float* x, int n, int together, float* y) {
  if (together) {
    together = together < kMostRows ? together : kMostRows;
    const size_t floats = Scratch::round(vector_floats(m.columns));
    Scratch scratch(memory, floats * together);
    Vector v[kMostRows];
    const Vector* in[kMostRows];
    float* out[kMostRows];
    for (int t = 0; t < together; ++t) v[t] = vector_in(scratch.take(floats), m.columns), in[t] = &v[t];
    for (int from = 0; from < n; from += together) {
      const int some = n - from < together ? n - from : together;
      for (int t = 0; t < some; ++t) {
        prepare(v[t], x + size_t(from + t) * m.columns, m.columns, m);
        out[t] = y + size_t(from + t) * m.rows;
      }
      shared_matvec(pool, m, {some, in}, false, out);
    }
    return;
  }
  const int count = (n + kLanes - 1) / kLanes;
  const size_t in = size_t(count) * m.columns * kLanes, out = size_t(count) * m.rows * kLanes;
  const size_t of_fixed = count * fixed_floats(m.columns);
  Scratch scratch(memory, in + out + of_fixed);
  float *from = scratch.take(in), *to = scratch.take(out);
  for (size_t i = 0; i < in; ++i) {
    const size_t p = i / kLanes / m.columns, k = i / kLanes % m.columns, t = p * kLanes + i % kLanes;
    from[i] = t < size_t(n) ? x[t * m.columns + k] : 0;
  }
  shared_gemm(pool, m, prepared(pool, from, m.columns, count, scratch.take(of_fixed), m), count, false, to);
  for (size_t t = 0; t < size_t(n); ++t)
    for (int r = 0; r < m.rows; ++r) y[t * m.rows + r] = to[(t / kLanes * m.rows + r) * kLanes + t % kLanes];
}

#define OFFPRINT_TEXT_(x) #x
#define OFFPRINT_TEXT(x) OFFPRINT_TEXT_(x)

}  // namespace

extern const Level OFFPRINT_LEVEL;
const Level OFFPRINT_LEVEL{OFFPRINT_TEXT(OFFPRINT_LEVEL), usable, step, rows, draw, matmul};

}  // namespace offprint
