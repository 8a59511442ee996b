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
    &plain,
#if defined(__x86_64__)
    &avx512vnni16,  // behind one that is always usable: only who asks for it gets it
#endif
};

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
  std::vector<Experts> experts;  // as many as there may be: pointers point into it
  std::vector<Rope> ropes;
  std::vector<std::vector<float>> frequencies;
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
  // Null stays null.
  const float* floats(void* handle, size_t size, const char* what) {
    return !handle ? nullptr : static_cast<const float*>(keep(handle, mx::float32, size, what));
  }
};

struct Past {
  std::shared_ptr<Loaded> loaded;
  Cache cache;
  void *keys = nullptr, *values = nullptr;

  Past(std::shared_ptr<Loaded> of, int capacity) : loaded(std::move(of)) {
    const Model& m = loaded->model;
    cache.capacity = capacity;
    const size_t floats = m.keys() * capacity;
    cache.keys = take(floats, &keys);
    cache.values = take(floats, &values);
  }
  ~Past() {
    if (keys) give(keys);
    if (values) give(values);
  }
  Past(const Past&) = delete;
};

// The next positions of a sequence: as many as are named here, behind `offset`. What the past holds from there on is forgotten.
struct Part {
  std::shared_ptr<Past> past;
  int offset, count;
};

// Inputs: ids `[n]`, those of one sequence after the other's, and the tickets of the steps before, which order steps that have nothing
// else in common. Outputs: a ticket `[1]`, and (if asked for) logits `[1, n, vocabulary]`.
class Step : public mx::Primitive {
 public:
  Step(mx::Stream stream, std::vector<Part> parts) : Primitive(stream), parts_(std::move(parts)) {}

  void eval_cpu(const std::vector<mx::array>& inputs, std::vector<mx::array>& outputs) override {
    const auto& ids = inputs[0];
    if (!ids.flags().row_contiguous) throw std::invalid_argument("ids must lie one after the other");
    for (auto& out : outputs) out.set_data(mx::allocator::malloc(out.nbytes()));
    auto& encoder = mx::cpu::get_command_encoder(stream());
    for (const auto& input : inputs) encoder.set_input_array(input);
    for (auto& output : outputs) encoder.set_output_array(output);
    encoder.dispatch([parts = parts_, n = int(ids.size()), from = ids.data<uint32_t>(), ticket = outputs[0].data<uint32_t>(),
                      logits = outputs.size() > 1 ? outputs[1].data<float>() : nullptr] {
      Loaded& of = *parts[0].past->loaded;
      const uint32_t most = uint32_t(of.model.vocabulary);
      bool known = std::all_of(from, from + n, [&](uint32_t id) { return id < most; });
      for (const Part& part : parts) {
        const Cache& cache = part.past->cache;
        known = known && part.offset <= cache.length && part.offset + part.count <= cache.capacity;
      }
      *ticket = uint32_t(n);
      // Rust's side counts positions and checks ids; should it err, numbers that are none show it.
      if (!known) {
        if (logits) std::fill(logits, logits + size_t(n) * most, std::numeric_limits<float>::quiet_NaN());
        return;
      }
      for (const Part& part : parts) part.past->cache.length = part.offset;
      of.pool.begin();
      if (parts.size() == 1) {
        of.level->step(of.model, parts[0].past->cache, of.pool, kMemory, from, n, logits);
      } else {
        std::vector<Row> rows;
        for (const Part& part : parts)
          for (int i = 0; i < part.count; ++i) rows.push_back(Row{&part.past->cache, from[rows.size()], part.offset + i});
        of.level->rows(of.model, of.pool, kMemory, rows.data(), n, logits);
      }
      of.pool.end();
    });
  }

  void eval_gpu(const std::vector<mx::array>&, std::vector<mx::array>&) override {
    throw std::runtime_error("offprint's kernels run on the CPU only");
  }

  const char* name() const override { return "OffprintStep"; }

 private:
  std::vector<Part> parts_;
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
  if (Format(h.format) < Format::float32 && !h.scales) throw std::invalid_argument("scales: missing");
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
  m.offset = of.floats(h.offset, size_t(h.rows), "bias");
  return m;
}

void expect(bool right, const char* what) {
  if (!right) throw std::invalid_argument(what);
}

Matrix matrix(Loaded& of, const MatrixHandle& h, int rows, int columns, const char* what) {
  expect(h.weight && h.rows == rows && h.columns == columns, what);
  return matrix(of, h);
}

struct PartHandle {
  void *past, *ticket;
  int32_t offset, count;
};

struct RopeHandle {
  int32_t dims;
  bool interleaved;
  float scale, gain;
  const float* frequencies;
};

struct ShapeHandle {
  int32_t hidden, heads, vocabulary, layers;
  float epsilon, embedding_scale, residual_scale, logit_scale, logit_cap;
  bool layer_norm;
  const RopeHandle* ropes;
  int32_t rope_count;
};

struct ExpertsHandle {
  MatrixHandle router;
  int32_t count, top;
  bool softmax_first, renormalise, sigmoid;
  float scale;
  void* bias;
  MatrixHandle gate, up, down, shared_gate, shared_up, shared_down, shared_weight;
};

struct LayerHandle {
  MatrixHandle q, k, v, o;
  int32_t heads, kv_heads, head_dim;
  float score_scale, score_cap;
  int32_t window, rope;
  float query_gain_beta, query_gain_positions;
  void *sinks, *q_norm, *k_norm;
  int32_t norm_span;
  void *input_norm, *attention_out_norm, *feed_norm, *feed_out_norm;
  bool parallel;
  int32_t activation;
  MatrixHandle gate, up, down;
  const ExpertsHandle* experts;
  int32_t kernel;
  void *const* taps, *taps_offset;
};

Experts experts_of(Loaded& of, const ExpertsHandle& h, int hidden) {
  Experts e;
  e.count = h.count, e.top = h.top, e.softmax_first = h.softmax_first, e.renormalise = h.renormalise;
  e.sigmoid = h.sigmoid, e.scale = h.scale;
  expect(!e.sigmoid || e.count <= kMostExperts, "experts: more than there are kernels for");
  expect(e.count > 0 && e.top > 0 && e.top <= e.count && e.top <= kMostTop, "experts: a number without kernels");
  expect(h.gate.rows % e.count == 0, "experts: rows are no whole experts");
  const int inner = h.gate.rows / e.count;
  e.bias = of.floats(h.bias, size_t(e.count), "experts' bias");
  e.router = matrix(of, h.router, e.count, hidden, "router");
  e.gate = matrix(of, h.gate, h.gate.rows, hidden, "experts' gate");
  e.up = matrix(of, h.up, h.gate.rows, hidden, "experts' up");
  e.down = matrix(of, h.down, e.count * hidden, inner, "experts' down");
  if (h.shared_gate.weight) {
    e.shared_gate = matrix(of, h.shared_gate, h.shared_gate.rows, hidden, "shared gate");
    e.shared_up = matrix(of, h.shared_up, h.shared_gate.rows, hidden, "shared up");
    e.shared_down = matrix(of, h.shared_down, hidden, h.shared_gate.rows, "shared down");
    if (h.shared_weight.weight) e.shared_weight = matrix(of, h.shared_weight, 1, hidden, "shared weight");
  } else {
    e.shared_gate.rows = 0;
  }
  return e;
}

Layer layer_of(Loaded& of, const LayerHandle& h) {
  const int hidden = of.model.hidden;
  Layer l;
  l.heads = h.heads, l.kv_heads = h.kv_heads, l.head_dim = h.head_dim;
  expect(l.heads > 0 && l.kv_heads > 0 && l.head_dim > 0 && l.heads % l.kv_heads == 0, "heads: a number without kernels");
  l.q = matrix(of, h.q, l.queries(), hidden, "q");
  l.kernel = h.kernel;
  if (l.kernel) {
    expect(l.kernel > 0 && l.kernel <= kMostTaps, "convolution: a number of positions without kernels");
    expect(l.heads == 3 && l.kv_heads == 1 && l.head_dim == hidden, "convolution: its channels are not the state's");
    for (int i = 0; i < l.kernel; ++i) l.taps[i] = of.floats(h.taps[i], size_t(hidden), "taps");
    l.taps_offset = of.floats(h.taps_offset, size_t(hidden), "taps' bias");
  } else {
    l.k = matrix(of, h.k, l.keys(), hidden, "k");
    l.v = matrix(of, h.v, l.keys(), hidden, "v");
  }
  l.o = matrix(of, h.o, hidden, l.kernel ? hidden : l.queries(), "o");
  l.score_scale = h.score_scale, l.score_cap = h.score_cap, l.window = h.window, l.rope = h.rope;
  l.query_gain_beta = h.query_gain_beta, l.query_gain_positions = h.query_gain_positions;
  expect(l.rope >= -1 && l.rope < of.model.ropes, "rope: no such one");
  expect(l.rope < 0 || of.model.rope[l.rope].dims <= l.head_dim, "rope: more dimensions than a head has");
  l.sinks = of.floats(h.sinks, size_t(l.heads), "sinks");
  l.norm_heads = h.norm_span == l.head_dim;
  expect(l.norm_heads || (!h.q_norm && !h.k_norm) || h.norm_span == l.queries(), "norm_span: neither a head nor all");
  l.q_norm = of.floats(h.q_norm, size_t(l.norm_heads ? l.head_dim : l.queries()), "q_norm");
  l.k_norm = of.floats(h.k_norm, size_t(l.norm_heads ? l.head_dim : l.keys()), "k_norm");
  l.input_norm = of.floats(h.input_norm, size_t(hidden), "input_norm");
  l.attention_out_norm = of.floats(h.attention_out_norm, size_t(hidden), "attention_out_norm");
  l.feed_norm = of.floats(h.feed_norm, size_t(hidden), "feed_norm");
  l.feed_out_norm = of.floats(h.feed_out_norm, size_t(hidden), "feed_out_norm");
  l.parallel = h.parallel;
  // The second branch reads the first one's input, which must still be there.
  expect(!l.parallel || l.input_norm, "parallel branches without a norm before them");
  expect(h.activation >= 0 && h.activation <= 2, "activation: no such one");
  l.activation = Activation(h.activation);
  if (h.experts) {
    of.experts.push_back(experts_of(of, *h.experts, hidden));
    l.experts = &of.experts.back();
  } else {
    l.gate = matrix(of, h.gate, h.gate.rows, hidden, "gate");
    l.up = matrix(of, h.up, h.gate.rows, hidden, "up");
    l.down = matrix(of, h.down, hidden, h.gate.rows, "down");
  }
  return l;
}

}  // namespace
}  // namespace offprint

using namespace offprint;

extern "C" {

// The name of the best level that is usable here, or of `wanted` if that is; else null.
const char* offprint_level(const char* wanted) {
  const Level* level = level_of(wanted);
  return level ? level->name : nullptr;
}

void* offprint_model(const char* level, int32_t threads, const ShapeHandle* shape, const MatrixHandle* embedding,
                     const MatrixHandle* head, const LayerHandle* layers, void* norm, char* error, size_t room) {
  try {
    const Level* chosen = level_of(level);
    if (!chosen) throw std::invalid_argument("this processor lacks the instructions");
    auto of = std::make_shared<Loaded>(chosen, threads);
    Model& m = of->model;
    m.hidden = shape->hidden, m.vocabulary = shape->vocabulary, m.layers = shape->layers, m.epsilon = shape->epsilon;
    m.embedding_scale = shape->embedding_scale, m.residual_scale = shape->residual_scale, m.logit_scale = shape->logit_scale;
    m.logit_cap = shape->logit_cap, m.layer_norm = shape->layer_norm, m.ropes = shape->rope_count;
    for (int i = 0; i < m.ropes; ++i) {
      const RopeHandle& h = shape->ropes[i];
      expect(h.dims > 0 && h.dims % 2 == 0, "rope: dimensions are no pairs");
      of->frequencies.emplace_back(h.frequencies, h.frequencies + h.dims / 2);
      of->ropes.push_back(Rope{h.dims, h.interleaved, h.scale, h.gain, of->frequencies.back().data()});
    }
    m.rope = of->ropes.data();
    m.embedding = matrix(*of, *embedding, m.vocabulary, m.hidden, "embedding");
    m.head = matrix(*of, *head, m.vocabulary, m.hidden, "head");
    of->layers.reserve(m.layers), of->experts.reserve(m.layers);
    for (int i = 0; i < m.layers; ++i) {
      Layer layer = layer_of(*of, layers[i]);
      if (i) layer.before = of->layers.back().before + of->layers.back().keys();
      of->layers.push_back(layer);
    }
    m.layer = of->layers.data();
    if (!norm) throw std::invalid_argument("norm: missing");
    m.norm = of->floats(norm, size_t(m.hidden), "norm");
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

// Adds a step to the graph. `out` becomes the new ticket and, if `logits`, the logits.
bool offprint_step(const PartHandle* parts, int32_t count, void* ids, void* stream, bool logits, void** out, char* error, size_t room) {
  try {
    std::vector<mx::array> inputs{*static_cast<mx::array*>(ids)};
    if (inputs[0].dtype() != mx::uint32 || inputs[0].ndim() != 1)
      throw std::invalid_argument("ids must be a vector of unsigned 32-bit integers");
    const int n = int(inputs[0].size());
    std::vector<Part> of;
    int64_t positions = 0;
    for (const PartHandle* part = parts; part != parts + count; ++part) {
      const auto& past = *static_cast<std::shared_ptr<Past>*>(part->past);
      for (const Part& other : of) {
        expect(other.past != past, "a past in one step twice");
        expect(other.past->loaded == past->loaded, "pasts of several models");
      }
      expect(part->count > 0, "a past without an id");
      of.push_back(Part{past, part->offset, part->count});
      positions += part->count;
      if (part->ticket) inputs.push_back(*static_cast<mx::array*>(part->ticket));
    }
    expect(!of.empty() && positions == n, "ids: not as many as the pasts are to grow by");
    std::vector<mx::Shape> shapes{{1}};
    std::vector<mx::Dtype> dtypes{mx::uint32};
    if (logits) shapes.push_back({1, n, of[0].past->loaded->model.vocabulary}), dtypes.push_back(mx::float32);
    auto step = std::make_shared<Step>(*static_cast<mx::Stream*>(stream), std::move(of));
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

// Products on plain memory, for tests: `x` `[n, columns]`, `y` `[n, rows]`.
bool offprint_matmul(const char* level, int32_t threads, const void* weight, const void* scales, const void* biases,
                     int32_t format, int32_t stored, int32_t rows, int32_t columns, int32_t bits, int32_t group, const float* x,
                     int32_t n, int32_t together, float* y) {
  const Level* chosen = level_of(level);
  if (!chosen) return false;
  Matrix m;
  m.weight = weight, m.scales = scales, m.biases = biases, m.format = Format(format), m.stored = Stored(stored);
  m.rows = rows, m.columns = columns, m.bits = bits, m.group = group;
  Pool pool(threads);
  pool.begin();
  chosen->matmul(m, pool, kMemory, x, n, together, y);
  pool.end();
  return true;
}

}  // extern "C"
