// A few threads that share the chunks of one phase after another, and sleep between steps.
#pragma once
#include <atomic>
#include <chrono>
#include <cstdint>
#include <thread>
#include <vector>

namespace offprint {

class Pool {
 public:
  using Task = void (*)(void* context, int chunk, int worker);

  // `threads` in all, the caller's among them.
  explicit Pool(int threads);
  ~Pool();
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  int threads() const;

  // A step begins: helpers wake, unless one of them was seen to lack a core a moment ago. It ends: they may sleep.
  void begin();
  void end();

  // Calls `task` for each chunk below `chunks`, on this thread and on helpers that are awake. Returns when all are done.
  void run(int chunks, Task task, void* context);

 private:
  using Clock = std::chrono::steady_clock;
  void help(int worker);
  bool work(int worker);
  void wait(int chunks, Clock::time_point begun);

  std::vector<std::thread> helpers_;
  bool alone_ = true;
  Clock::time_point alone_until_{};
  Clock::duration alone_for_;
  Task task_ = nullptr;
  void* context_ = nullptr;
  // Each on its own cache line: the first is written by all, the second is polled.
  alignas(64) std::atomic<uint64_t> ticket_{0};  // chunks << 32 | next chunk
  alignas(64) std::atomic<int> done_{0};
  alignas(64) std::atomic<uint32_t> state_{0};  // odd: a step is on; even: sleep
  std::atomic<bool> stop_{false};
};

}  // namespace offprint
