// Phases on the pool, and memory for a step.
#pragma once
#include "model.hpp"
#include "pool.hpp"

namespace offprint {
namespace {

// Calls `f(chunk, worker)` for each chunk. By pointer: no std template that the linker might share with older machines.
template <typename T>
void share(Pool& pool, int chunks, const T& f) {
  pool.run(chunks, [](void* context, int chunk, int worker) { (*static_cast<const T*>(context))(chunk, worker); },
           const_cast<void*>(static_cast<const void*>(&f)));
}

// Floats that live as long as this.
struct Scratch {
  Scratch(const Memory& memory, size_t floats) : memory_(memory) {
    next_ = memory.take(floats, &handle_);
  }
  ~Scratch() { memory_.give(handle_); }
  Scratch(const Scratch&) = delete;

  float* take(size_t floats) {
    float* mine = next_;
    next_ += round(floats);
    return mine;
  }
  static size_t round(size_t floats) { return (floats + 15) / 16 * 16; }

 private:
  const Memory& memory_;
  void* handle_ = nullptr;
  float* next_ = nullptr;
};

}  // namespace
}  // namespace offprint
