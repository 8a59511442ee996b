// The step and the draw as MLX primitives, and the C interface that Rust calls. Arrays and streams come as mlx-c's handles,
// which are pointers to MLX's own objects.
#include <algorithm>
#include <cstring>
#include <exception>
#include <limits>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "mlx/allocator.h"
#include "mlx/array.h"
#include "mlx/backend/cpu/encoder.h"
#include "mlx/primitives.h"
#include "model.hpp"
#include "pool.hpp"

namespace mx = mlx::core;

namespace offprint {
namespace {

const Level* const kLevels[] = {
#if defined(__x86_64__)
    &avx512vnni, &avx512, &avx2,
#endif
    &plain};

const Level* level_of(const std::string& name) {
  for (const Level* level : kLevels)
    if (level->usable() && (name.empty() || name == level->name)) return level;
  return nullptr;
}

// More than it was asked for: 64 bytes to begin at a multiple of as many, and as many at the end, so that a read of whole
// registers stays inside.
float* take(size_t floats, void** handle) {
  size_t bytes = (floats + 32) * sizeof(float);
  auto buffer = mx::allocator::malloc(bytes);
  *handle = buffer.ptr();
  void* from = buffer.raw_ptr();
  return static_cast<float*>(std::align(64, bytes - 64, from, bytes));
}

void give(void* handle) { mx::allocator::free(mx::allocator::Buffer(handle)); }

constexpr Memory kMemory{take, give};

// A model, the arrays that its pointers point into, and the threads that work on it.
struct Loaded {
  Model model;
  std::vector<Layer> layers;
  std::vector<float> frequencies;
  std::vector<mx::array> arrays;
  const Level* level;
  Pool pool;

  Loaded(const Level* level, int threads) : level(level), pool(threads) {}

  const void* keep(void* handle, mx::Dtype dtype, size_t size, const char* what) {
    const auto& array = *static_cast<mx::array*>(handle);
    if (array.dtype() != dtype || array.size() != size || !array.flags().row_contiguous || !array.is_available())
      throw std::invalid_argument(std::string(what) + ": not an evaluated, contiguous array of the expected type and size");
    arrays.push_back(array);
    return array.data<void>();
  }
  const float* floats(void* handle, size_t size, const char* what) {
    return static_cast<const float*>(keep(handle, mx::float32, size, what));
  }
};

struct Past {
  std::shared_ptr<Loaded> loaded;
  Cache cache;
  void *keys = nullptr, *values = nullptr;

  Past(std::shared_ptr<Loaded> of, int capacity) : loaded(std::move(of)) {
    const Model& m = loaded->model;
    cache.capacity = capacity;
    const size_t floats = size_t(m.layers) * m.keys() * capacity;
    cache.keys = take(floats, &keys);
    cache.values = take(floats, &values);
  }
  ~Past() {
    if (keys) give(keys);
    if (values) give(values);
  }
  Past(const Past&) = delete;
};

// Inputs: ids `[n]`, and the ticket of the step before, which orders steps that have nothing else in common.
// Outputs: a ticket `[1]`, and (if asked for) logits `[1, n, vocabulary]`.
class Step : public mx::Primitive {
 public:
  Step(mx::Stream stream, std::shared_ptr<Past> past, int offset)
      : Primitive(stream), past_(std::move(past)), offset_(offset) {}

  void eval_cpu(const std::vector<mx::array>& inputs, std::vector<mx::array>& outputs) override {
    const auto& ids = inputs[0];
    if (!ids.flags().row_contiguous) throw std::invalid_argument("ids must lie one after the other");
    for (auto& out : outputs) out.set_data(mx::allocator::malloc(out.nbytes()));
    auto& encoder = mx::cpu::get_command_encoder(stream());
    for (const auto& input : inputs) encoder.set_input_array(input);
    for (auto& output : outputs) encoder.set_output_array(output);
    encoder.dispatch([past = past_, offset = offset_, n = int(ids.size()), from = ids.data<uint32_t>(),
                      ticket = outputs[0].data<uint32_t>(),
                      logits = outputs.size() > 1 ? outputs[1].data<float>() : nullptr] {
      Loaded& of = *past->loaded;
      const uint32_t most = uint32_t(of.model.vocabulary);
      const bool known = std::all_of(from, from + n, [&](uint32_t id) { return id < most; });
      // Rust's side counts positions and checks ids; should it err, numbers that are none show it.
      if (!known || past->cache.length != offset || offset + n > past->cache.capacity) {
        if (logits) std::fill(logits, logits + size_t(n) * most, std::numeric_limits<float>::quiet_NaN());
      } else {
        of.pool.begin();
        of.level->step(of.model, past->cache, of.pool, kMemory, from, n, logits);
        of.pool.end();
      }
      *ticket = uint32_t(offset + n);
    });
  }

  void eval_gpu(const std::vector<mx::array>&, std::vector<mx::array>&) override {
    throw std::runtime_error("offprint's kernels run on the CPU only");
  }

  const char* name() const override { return "OffprintStep"; }

 private:
  std::shared_ptr<Past> past_;
  int offset_;
};

// Input: logits `[n]`. Output: a token `[1]`.
class Draw : public mx::Primitive {
 public:
  Draw(mx::Stream stream, const Level* level, float temperature, uint64_t key)
      : Primitive(stream), level_(level), temperature_(temperature), key_(key) {}

  void eval_cpu(const std::vector<mx::array>& inputs, std::vector<mx::array>& outputs) override {
    const auto& logits = inputs[0];
    if (!logits.flags().row_contiguous) throw std::invalid_argument("logits must lie one after the other");
    outputs[0].set_data(mx::allocator::malloc(outputs[0].nbytes()));
    auto& encoder = mx::cpu::get_command_encoder(stream());
    encoder.set_input_array(logits);
    encoder.set_output_array(outputs[0]);
    encoder.dispatch([level = level_, temperature = temperature_, key = key_, n = int(logits.size()),
                      from = logits.data<float>(), token = outputs[0].data<uint32_t>()] {
      *token = uint32_t(level->draw(from, n, temperature, key, kMemory));
    });
  }

  void eval_gpu(const std::vector<mx::array>&, std::vector<mx::array>&) override {
    throw std::runtime_error("offprint's kernels run on the CPU only");
  }

  const char* name() const override { return "OffprintDraw"; }

 private:
  const Level* level_;
  float temperature_;
  uint64_t key_;
};

void say(const char* what, char* error, size_t room) {
  std::strncpy(error, what, room - 1);
  error[room - 1] = 0;
}

// What C sees of a matrix; see `src/lib.rs`.
struct MatrixHandle {
  void *weight, *scales, *biases, *offset;
  int32_t rows, columns, bits, group, format;
};

bool one_of(int n, std::initializer_list<int> known) { return std::find(known.begin(), known.end(), n) != known.end(); }

// A format's bits and group, as far as there are kernels.
bool known(const MatrixHandle& h) {
  switch (Format(h.format)) {
    case Format::affine: return one_of(h.bits, {2, 3, 4, 5, 6, 8}) && one_of(h.group, {32, 64, 128}) && h.biases;
    case Format::mxfp4: return h.bits == 4 && h.group == 32 && !h.biases;
    case Format::mxfp8: return h.bits == 8 && h.group == 32 && !h.biases;
    case Format::nvfp4: return h.bits == 4 && h.group == 16 && !h.biases;
    case Format::float32: return h.bits == 32;
    case Format::float16: case Format::bfloat16: return h.bits == 16;
  }
  return false;
}

Matrix matrix(Loaded& of, const MatrixHandle& h) {
  if (!known(h)) throw std::invalid_argument("a format without kernels");
  Matrix m;
  m.rows = h.rows, m.columns = h.columns, m.bits = h.bits, m.group = h.group, m.format = Format(h.format);
  const size_t size = size_t(h.rows) * h.columns;
  if (m.format >= Format::float32) {
    const mx::Dtype dtype = m.format == Format::float32 ? mx::float32 : m.format == Format::float16 ? mx::float16 : mx::bfloat16;
    m.weight = of.keep(h.weight, dtype, size, "weight");
  } else {
    if (h.columns % h.group) throw std::invalid_argument("columns are no whole groups");
    m.weight = of.keep(h.weight, mx::uint32, size * h.bits / 32, "weight");
    mx::Dtype expected = mx::uint8;
    if (m.format == Format::affine) {
      const mx::Dtype stored = static_cast<mx::array*>(h.scales)->dtype();
      m.stored = stored == mx::float16 ? Stored::float16 : stored == mx::bfloat16 ? Stored::bfloat16 : Stored::float32;
      expected = m.stored == Stored::float32 ? mx::float32 : stored;
      m.biases = of.keep(h.biases, expected, size / h.group, "biases");
    } else {
      m.stored = m.format == Format::nvfp4 ? Stored::e4m3 : Stored::e8m0;
    }
    m.scales = of.keep(h.scales, expected, size / h.group, "scales");
  }
  if (h.offset) m.offset = of.floats(h.offset, size_t(h.rows), "bias");
  return m;
}

}  // namespace
}  // namespace offprint

using namespace offprint;

extern "C" {

struct OffprintShape {
  int32_t hidden, inner, heads, kv_heads, head_dim, vocabulary, layers;
  float epsilon, rope_scale;
  const float* frequencies;
};

// The name of the best level that is usable here, or of `wanted` if that is; else null.
const char* offprint_level(const char* wanted) {
  const Level* level = level_of(wanted);
  return level ? level->name : nullptr;
}

// `linears`: q, k, v, o, gate, up, down of each layer; `norms`: two of each layer, then the last.
void* offprint_model(const char* level, int32_t threads, const OffprintShape* shape, const MatrixHandle* embedding,
                     const MatrixHandle* head, const MatrixHandle* linears, void* const* norms, char* error, size_t room) {
  try {
    const Level* chosen = level_of(level);
    if (!chosen) throw std::invalid_argument("this processor lacks the instructions");
    auto of = std::make_shared<Loaded>(chosen, threads);
    Model& m = of->model;
    m.hidden = shape->hidden, m.inner = shape->inner, m.heads = shape->heads, m.kv_heads = shape->kv_heads;
    m.head_dim = shape->head_dim, m.vocabulary = shape->vocabulary, m.layers = shape->layers;
    m.epsilon = shape->epsilon, m.rope_scale = shape->rope_scale;
    of->frequencies.assign(shape->frequencies, shape->frequencies + m.head_dim / 2);
    m.frequencies = of->frequencies.data();
    m.embedding = matrix(*of, *embedding);
    m.head = matrix(*of, *head);
    for (int i = 0; i < m.layers; ++i, linears += 7, norms += 2) {
      Layer layer;
      Matrix* parts[] = {&layer.q, &layer.k, &layer.v, &layer.o, &layer.gate, &layer.up, &layer.down};
      for (int part = 0; part < 7; ++part) *parts[part] = matrix(*of, linears[part]);
      layer.input_norm = of->floats(norms[0], m.hidden, "input_layernorm");
      layer.post_norm = of->floats(norms[1], m.hidden, "post_attention_layernorm");
      of->layers.push_back(layer);
    }
    m.layer = of->layers.data();
    m.norm = of->floats(norms[0], m.hidden, "norm");
    return new std::shared_ptr<Loaded>(std::move(of));
  } catch (const std::exception& e) {
    say(e.what(), error, room);
    return nullptr;
  }
}

void offprint_model_free(void* model) { delete static_cast<std::shared_ptr<Loaded>*>(model); }

void* offprint_past(void* model, int32_t capacity, char* error, size_t room) {
  try {
    return new std::shared_ptr<Past>(std::make_shared<Past>(*static_cast<std::shared_ptr<Loaded>*>(model), capacity));
  } catch (const std::exception& e) {
    say(e.what(), error, room);
    return nullptr;
  }
}

void offprint_past_free(void* past) { delete static_cast<std::shared_ptr<Past>*>(past); }

// Adds a step to the graph. `ticket` may be null; `out` becomes the new ticket and, if `logits`, the logits.
bool offprint_step(void* past, void* ids, void* ticket, void* stream, int32_t offset, bool logits, void** out, char* error,
                   size_t room) {
  try {
    const auto& of = *static_cast<std::shared_ptr<Past>*>(past);
    std::vector<mx::array> inputs{*static_cast<mx::array*>(ids)};
    if (inputs[0].dtype() != mx::uint32 || inputs[0].ndim() != 1)
      throw std::invalid_argument("ids must be a vector of unsigned 32-bit integers");
    if (ticket) inputs.push_back(*static_cast<mx::array*>(ticket));
    const int n = int(inputs[0].size());
    std::vector<mx::Shape> shapes{{1}};
    std::vector<mx::Dtype> dtypes{mx::uint32};
    if (logits) shapes.push_back({1, n, of->loaded->model.vocabulary}), dtypes.push_back(mx::float32);
    auto step = std::make_shared<Step>(*static_cast<mx::Stream*>(stream), of, offset);
    auto arrays = mx::array::make_arrays(shapes, dtypes, step, inputs);
    for (size_t i = 0; i < arrays.size(); ++i) out[i] = new mx::array(std::move(arrays[i]));
    return true;
  } catch (const std::exception& e) {
    say(e.what(), error, room);
    return false;
  }
}

// Adds a draw to the graph: of logits `[n]` to a token `[1]`.
void* offprint_draw(const char* level, void* logits, void* stream, float temperature, uint64_t key, char* error,
                    size_t room) {
  try {
    const Level* chosen = level_of(level);
    if (!chosen) throw std::invalid_argument("this processor lacks the instructions");
    const auto& from = *static_cast<mx::array*>(logits);
    if (from.dtype() != mx::float32 || from.ndim() != 1 || from.size() == 0)
      throw std::invalid_argument("logits must be a vector of 32-bit floats");
    auto draw = std::make_shared<Draw>(*static_cast<mx::Stream*>(stream), chosen, temperature, key);
    return new mx::array({1}, mx::uint32, std::move(draw), {from});
  } catch (const std::exception& e) {
    say(e.what(), error, room);
    return nullptr;
  }
}

// One product on plain memory, for tests: `x` `[n, columns]`, `y` `[n, rows]`.
bool offprint_matmul(const char* level, int32_t threads, const void* weight, const void* scales, const void* biases,
                     int32_t format, int32_t stored, int32_t rows, int32_t columns, int32_t bits, int32_t group, const float* x,
                     int32_t n, bool panels, float* y) {
  const Level* chosen = level_of(level);
  if (!chosen) return false;
  Matrix m;
  m.weight = weight, m.scales = scales, m.biases = biases, m.format = Format(format), m.stored = Stored(stored);
  m.rows = rows, m.columns = columns, m.bits = bits, m.group = group;
  Pool pool(threads);
  pool.begin();
  chosen->matmul(m, pool, kMemory, x, n, panels, y);
  pool.end();
  return true;
}

}  // extern "C"
