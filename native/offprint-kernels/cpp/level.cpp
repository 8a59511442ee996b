// All kernels, compiled once for each instruction set. Nothing here has a name that the linker could give to another
// compilation: an older processor must never meet these instructions.
#include "decode.hpp"
#include "draw.hpp"
#include "prefill.hpp"

namespace offprint {
namespace {

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

void step(const Model& m, Cache& cache, Pool& pool, const Memory& memory, const uint32_t* ids, int n, float* logits) {
  if (n == 1) return decode(m, cache, pool, memory, *ids, logits);
  for (int from = 0; from < n; from += kSlice) {
    const int some = n - from < kSlice ? n - from : kSlice;
    prefill(m, cache, pool, memory, ids + from, some, logits ? logits + size_t(from) * m.vocabulary : nullptr);
  }
}

void matmul(const Matrix& m, Pool& pool, const Memory& memory, const float* x, int n, bool panels, float* y) {
  if (!panels) {
    Scratch scratch(memory, Scratch::round(vector_floats(m.columns)));
    Vector v = vector_in(scratch.take(vector_floats(m.columns)), m.columns);
    for (int t = 0; t < n; ++t) {
      prepare(v, x + size_t(t) * m.columns, m.columns, m);
      shared_matvec(pool, m, v, false, y + size_t(t) * m.rows);
    }
    return;
  }
  const int count = (n + kLanes - 1) / kLanes;
  const size_t in = size_t(count) * m.columns * kLanes, out = size_t(count) * m.rows * kLanes;
  Scratch scratch(memory, in + out);
  float *from = scratch.take(in), *to = scratch.take(out);
  for (size_t i = 0; i < in; ++i) {
    const size_t p = i / kLanes / m.columns, k = i / kLanes % m.columns, t = p * kLanes + i % kLanes;
    from[i] = t < size_t(n) ? x[t * m.columns + k] : 0;
  }
  shared_gemm(pool, m, from, count, false, to);
  for (size_t t = 0; t < size_t(n); ++t)
    for (int r = 0; r < m.rows; ++r) y[t * m.rows + r] = to[(t / kLanes * m.rows + r) * kLanes + t % kLanes];
}

#define OFFPRINT_TEXT_(x) #x
#define OFFPRINT_TEXT(x) OFFPRINT_TEXT_(x)

}  // namespace

extern const Level OFFPRINT_LEVEL;
const Level OFFPRINT_LEVEL{OFFPRINT_TEXT(OFFPRINT_LEVEL), usable, step, draw, matmul};

}  // namespace offprint
