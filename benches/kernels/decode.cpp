// The kernels alone, without MLX, on random weights: `decode LEVEL THREADS SHAPE PROMPT TOKENS` prints the tokens per second of
// a prompt, and of the median token after it. One process is one sample; `in-turn.sh` beside this file runs several programs in turn.
#include <sys/mman.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "model.hpp"
#include "pool.hpp"

// Null where a revision has no such level.
namespace offprint {
extern __attribute__((weak)) const Level avx2, avx512, avx512vnni;
}

using namespace offprint;
using Clock = std::chrono::steady_clock;

namespace {

uint64_t state = 20251125;

uint64_t random_word() {
  state ^= state << 13, state ^= state >> 7, state ^= state << 17;
  return state;
}

// In huge pages where the system has them, as the program's weights are; never given back.
template <typename T>
T* memory(size_t count) {
  const size_t huge = size_t(2) << 20, bytes = (count * sizeof(T) + huge) / huge * huge;
  void* of = aligned_alloc(huge, bytes);
  if (!of) std::fprintf(stderr, "out of memory\n"), std::exit(2);
#ifdef MADV_HUGEPAGE
  madvise(of, bytes, MADV_HUGEPAGE);
#endif
  return static_cast<T*>(memset(of, 0, bytes));
}

float* take(size_t floats, void** handle) {
  *handle = std::aligned_alloc(64, (floats + 31) / 16 * 16 * sizeof(float));
  return static_cast<float*>(*handle);
}

uint16_t half(float x) {  // of a normal number that has a float16
  uint32_t bits;
  memcpy(&bits, &x, 4);
  return uint16_t((bits >> 16 & 0x8000) | (((bits >> 23 & 255) - 112) << 10) | (bits >> 13 & 1023));
}

// Groups of 32, float16 scales: what SmolLM2's Q4_1 file becomes.
Matrix matrix(int rows, int columns, int bits) {
  Matrix m;
  m.rows = rows, m.columns = columns, m.bits = bits, m.group = 32, m.stored = Stored::float16;
  const size_t words = size_t(rows) * columns * bits / 32, groups = size_t(rows) * columns / 32;
  auto* weight = memory<uint32_t>(words);
  for (size_t i = 0; i < words; ++i) weight[i] = uint32_t(random_word() >> 16);
  auto *scales = memory<uint16_t>(groups), *biases = memory<uint16_t>(groups);
  const float middle = float((1 << bits) - 1) / 2, scale = 2 / std::sqrt(float(columns)) / middle;
  std::fill(scales, scales + groups, half(scale));
  std::fill(biases, biases + groups, half(-scale * middle));
  m.weight = weight, m.scales = scales, m.biases = biases;
  return m;
}

float* ones(int n) {
  float* of = memory<float>(n);
  std::fill(of, of + n, 1.0f);
  return of;
}

double seconds(Clock::duration d) { return std::chrono::duration<double>(d).count(); }

struct Shape {
  const char* name;
  int hidden, inner, layers, heads, kv_heads, vocabulary;
};
constexpr Shape kShapes[] = {
    {"135m", 576, 1536, 30, 9, 3, 49152},         // SmolLM2-135M
    {"1b", 2048, 8192, 16, 32, 8, 128256},        // Llama-3.2-1B
    {"8b-layers", 4096, 14336, 4, 32, 8, 49152},  // four layers of Llama-3.1-8B
};

}  // namespace

int main(int count, char** arguments) {
  const Level* level = nullptr;
  const Shape* shape = nullptr;
  if (count == 6) {
    for (const Level* l : {&avx512vnni, &avx512, &avx2, &plain})
      if (!level && l && l->usable() && (l->name == std::string(arguments[1]) || arguments[1] == std::string("best"))) level = l;
    for (const Shape& s : kShapes)
      if (s.name == std::string(arguments[3])) shape = &s;
  }
  const int threads = count == 6 ? std::atoi(arguments[2]) : 0, prompt = count == 6 ? std::atoi(arguments[4]) : 0,
            tokens = count == 6 ? std::atoi(arguments[5]) : 0;
  if (!level || !shape || threads < 1 || prompt < 1 || tokens < 1) {
    std::fprintf(stderr, "usage: decode LEVEL THREADS (135m | 1b | 8b-layers) PROMPT TOKENS; LEVEL: plain, or what this processor has of avx2, avx512, avx512vnni, or the best\n");
    return 2;
  }

  Model m;
  m.hidden = shape->hidden, m.inner = shape->inner, m.layers = shape->layers, m.heads = shape->heads;
  m.kv_heads = shape->kv_heads, m.head_dim = m.hidden / m.heads, m.vocabulary = shape->vocabulary, m.epsilon = 1e-5f;
  std::vector<float> frequencies;
  for (int i = 0; i < m.head_dim / 2; ++i) frequencies.push_back(std::pow(1e5f, -2.0f * i / m.head_dim));
  m.frequencies = frequencies.data();
  m.norm = ones(m.hidden);
  m.embedding = m.head = matrix(m.vocabulary, m.hidden, 8);
  std::vector<Layer> layers(m.layers);
  for (Layer& l : layers) {
    l.q = matrix(m.queries(), m.hidden, 4), l.k = matrix(m.keys(), m.hidden, 4), l.v = matrix(m.keys(), m.hidden, 4);
    l.o = matrix(m.hidden, m.queries(), 4), l.down = matrix(m.hidden, m.inner, 4);
    l.gate = matrix(m.inner, m.hidden, 4), l.up = matrix(m.inner, m.hidden, 4);
    l.input_norm = ones(m.hidden), l.post_norm = ones(m.hidden);
  }
  m.layer = layers.data();
  Cache cache;
  cache.capacity = prompt + tokens + 1;
  cache.keys = memory<float>(size_t(m.layers) * m.keys() * cache.capacity);
  cache.values = memory<float>(size_t(m.layers) * m.keys() * cache.capacity);

  Pool pool(threads);
  const Memory scratch{take, std::free};
  std::vector<uint32_t> ids;
  for (int i = 0; i < prompt; ++i) ids.push_back(uint32_t(random_word() % m.vocabulary));
  float* logits = memory<float>(size_t(m.vocabulary) + 16);
  auto step = [&](const uint32_t* of, int n, float* to) {
    const auto from = Clock::now();
    pool.begin();
    level->step(m, cache, pool, scratch, of, n, to);
    pool.end();
    return seconds(Clock::now() - from);
  };
  for (int i = 0; i < 3; ++i) cache.length = 0, step(ids.data(), 1, logits);  // memory and threads are warm
  cache.length = 0;
  const double first = step(ids.data(), prompt, nullptr);
  std::vector<double> times;
  for (int i = 0; i < tokens; ++i) {
    const uint32_t id = uint32_t(std::max_element(logits, logits + m.vocabulary) - logits);
    times.push_back(step(&id, 1, logits));
  }
  std::sort(times.begin(), times.end());
  std::printf("%.1f %.2f\n", prompt / first, 1 / times[times.size() / 2]);
}
