// A few threads that share the chunks of one phase after another, and sleep between steps.
#pragma once
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
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

  int threads() const { return threads_; }

  // A step begins: helpers wake, unless one of them was seen to lack a core a moment ago. It ends: they may sleep.
  void begin();
  void end();

  // Calls `task` for each chunk below `chunks`, on this thread and on helpers that are awake. Returns when all are done.
  void run(int chunks, Task task, void* context);

 private:
  using Clock = std::chrono::steady_clock;

  // What a thread still has to do of a phase, and how many chunks it has done ever: on a cache line of its own, since only a
  // thread that ran out of work looks at another's.
  struct alignas(64) Share {
    std::atomic<uint64_t> left{0};  // last << 32 | first
    std::atomic<uint32_t> done{0};
  };

  void help(int worker);
  bool work(int worker);
  bool done() const;
  void wait(Clock::time_point begun);

  const int threads_;
  std::unique_ptr<Share[]> shares_;
  std::vector<std::thread> helpers_;
  uint32_t given_ = 0;  // chunks, ever
  bool alone_ = true;
  Clock::time_point alone_until_{};
  Clock::duration alone_for_;
  Task task_ = nullptr;
  void* context_ = nullptr;
  alignas(64) std::atomic<uint32_t> state_{0};  // odd: a step is on; even: sleep
  std::atomic<bool> stop_{false};
};

}  // namespace offprint
