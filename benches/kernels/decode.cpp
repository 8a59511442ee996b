// The kernels alone, without MLX, on random weights: `decode LEVEL THREADS SHAPE PROMPT TOKENS [FORMAT [SEQUENCES...]]` prints the
// tokens per second of a prompt, and of the median token after it; of so many sequences at once, each after such a prompt, the tokens
// per second of the median step, all numbers of sequences in turn. One process is one sample; `in-turn.sh` beside this file runs
// several programs in turn. FORMAT is that of all matrices but the embedding, which has 8 bits: 4 if it is not given.
#include <malloc.h>
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
extern __attribute__((weak)) const Level avx2, avx512, avx512vnni, avx512vnni16;
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

struct Kind {
  const char* name;
  Format format;
  int bits, group;
  Stored stored;
};
// Groups of 32, float16 scales: what SmolLM2's Q4_1 file becomes.
constexpr Kind kKinds[] = {
    {"2", Format::affine, 2, 32, Stored::float16},       {"3", Format::affine, 3, 32, Stored::float16},
    {"4", Format::affine, 4, 32, Stored::float16},       {"5", Format::affine, 5, 32, Stored::float16},
    {"6", Format::affine, 6, 32, Stored::float16},       {"8", Format::affine, 8, 32, Stored::float16},
    {"mxfp4", Format::mxfp4, 4, 32, Stored::e8m0},       {"mxfp8", Format::mxfp8, 8, 32, Stored::e8m0},
    {"nvfp4", Format::nvfp4, 4, 16, Stored::e4m3},       {"float32", Format::float32, 32, 0, Stored::float32},
    {"float16", Format::float16, 16, 0, Stored::float32}, {"bfloat16", Format::bfloat16, 16, 0, Stored::float32},
};

const Kind* kind(const std::string& name) {
  for (const Kind& kind : kKinds)
    if (kind.name == name) return &kind;
  return nullptr;
}

Matrix matrix(int rows, int columns, const Kind& kind) {
  Matrix m;
  m.rows = rows, m.columns = columns, m.bits = kind.bits, m.group = kind.group, m.format = kind.format, m.stored = kind.stored;
  const size_t words = size_t(rows) * columns * kind.bits / 32;
  auto* weight = memory<uint32_t>(words);
  for (size_t i = 0; i < words; ++i) weight[i] = uint32_t(random_word() >> 16);
  // Signs and a few bits of numbers whose size is between 1/64 and 1/32.
  if (kind.format == Format::float32)
    for (size_t i = 0; i < words; ++i) weight[i] = (weight[i] & 0x807fffff) | 121 << 23;
  if (kind.format == Format::float16)
    for (size_t i = 0; i < words; ++i) weight[i] = (weight[i] & 0x83ff83ff) | 0x24002400;
  if (kind.format == Format::bfloat16)
    for (size_t i = 0; i < words; ++i) weight[i] = (weight[i] & 0x807f807f) | 0x3c803c80;
  m.weight = weight;
  if (!kind.group) return m;
  const size_t groups = size_t(rows) * columns / kind.group;
  if (kind.stored == Stored::float16) {
    auto *scales = memory<uint16_t>(groups), *biases = memory<uint16_t>(groups);
    const float middle = float((1 << kind.bits) - 1) / 2, scale = 2 / std::sqrt(float(columns)) / middle;
    std::fill(scales, scales + groups, half(scale));
    std::fill(biases, biases + groups, half(-scale * middle));
    m.scales = scales, m.biases = biases;
  } else {
    auto* scales = memory<uint8_t>(groups);
    std::fill(scales, scales + groups, uint8_t(kind.stored == Stored::e8m0 ? (kind.bits == 8 ? 114 : 120) : 0x08));
    m.scales = scales;
  }
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
  const Kind* of = kind(count >= 7 ? arguments[6] : "4");
  if (count >= 6) {
    for (const Level* l : {&avx512vnni16, &avx512vnni, &avx512, &avx2, &plain})
      if (!level && l && l->usable() && (l->name == std::string(arguments[1]) || arguments[1] == std::string("best"))) level = l;
    for (const Shape& s : kShapes)
      if (s.name == std::string(arguments[3])) shape = &s;
  }
  const int threads = level ? std::atoi(arguments[2]) : 0, prompt = level ? std::atoi(arguments[4]) : 0,
            tokens = level ? std::atoi(arguments[5]) : 0;
  if (!level || !shape || !of || threads < 1 || prompt < 1 || tokens < 1) {
    std::fprintf(stderr, "usage: decode LEVEL THREADS (135m | 1b | 8b-layers) PROMPT TOKENS [FORMAT [SEQUENCES...]]; LEVEL: plain, or what this processor has of avx2, avx512, avx512vnni, avx512vnni16, or the best; FORMAT: 2, 3, 4, 5, 6, 8, mxfp4, mxfp8, nvfp4, float32, float16, bfloat16\n");
    return 2;
  }

  // A step's memory is kept for the next one, as MLX's allocator keeps it.
  mallopt(M_MMAP_THRESHOLD, 32 << 20), mallopt(M_TRIM_THRESHOLD, 1 << 30);
  Model m;
  const int dim = shape->hidden / shape->heads;
  m.hidden = shape->hidden, m.layers = shape->layers, m.vocabulary = shape->vocabulary, m.epsilon = 1e-5f;
  std::vector<float> frequencies;
  for (int i = 0; i < dim / 2; ++i) frequencies.push_back(std::pow(1e5f, -2.0f * i / dim));
  const Rope rope{dim, false, 1, 1, frequencies.data()};
  m.rope = &rope, m.ropes = 1;
  m.norm = ones(m.hidden);
  m.embedding = m.head = matrix(m.vocabulary, m.hidden, *kind("8"));
  std::vector<Layer> layers(m.layers);
  for (Layer& l : layers) {
    l.heads = shape->heads, l.kv_heads = shape->kv_heads, l.head_dim = dim, l.rope = 0;
    l.score_scale = 1 / std::sqrt(float(dim));
    l.before = size_t(&l - layers.data()) * l.keys();
    l.q = matrix(l.queries(), m.hidden, *of), l.k = matrix(l.keys(), m.hidden, *of), l.v = matrix(l.keys(), m.hidden, *of);
    l.o = matrix(m.hidden, l.queries(), *of), l.down = matrix(m.hidden, shape->inner, *of);
    l.gate = matrix(shape->inner, m.hidden, *of), l.up = matrix(shape->inner, m.hidden, *of);
    l.input_norm = ones(m.hidden), l.feed_norm = ones(m.hidden);
  }
  m.layer = layers.data();
  Cache cache;
  cache.capacity = prompt + tokens + 1;
  cache.keys = memory<float>(m.keys() * cache.capacity);
  cache.values = memory<float>(m.keys() * cache.capacity);

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
  auto median = [](std::vector<double>& of) {
    std::sort(of.begin(), of.end());
    return of[of.size() / 2];
  };
  std::printf("%.1f %.2f", prompt / first, 1 / median(times));

  // Sequences share nothing but weights; each begins as a copy of the first one's prompt.
  std::vector<int> numbers;
  for (int i = 7; i < count; ++i) numbers.push_back(std::max(1, std::atoi(arguments[i])));
  const int most = numbers.empty() ? 0 : *std::max_element(numbers.begin(), numbers.end());
  std::vector<Cache> caches(most, cache);
  const size_t floats = m.keys() * cache.capacity;
  for (Cache& c : caches) {
    c.keys = memory<float>(floats), c.values = memory<float>(floats);
    memcpy(c.keys, cache.keys, floats * sizeof(float)), memcpy(c.values, cache.values, floats * sizeof(float));
  }
  float* all = memory<float>(size_t(m.vocabulary) * std::max(most, 1) + 16);
  std::vector<std::vector<double>> of_steps(numbers.size());
  for (int i = 0; i < tokens; ++i)
    for (size_t j = 0; j < numbers.size(); ++j) {
      std::vector<Row> rows;
      for (int t = 0; t < numbers[j]; ++t) rows.push_back(Row{&caches[t], ids[(t + i) % prompt], prompt + i});
      const auto from = Clock::now();
      pool.begin();
      level->rows(m, pool, scratch, rows.data(), int(rows.size()), all);
      pool.end();
      of_steps[j].push_back(seconds(Clock::now() - from));
    }
  for (size_t j = 0; j < numbers.size(); ++j) std::printf(" %d:%.2f", numbers[j], numbers[j] / median(of_steps[j]));
  std::printf("\n");
}
