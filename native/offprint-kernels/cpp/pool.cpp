// A helper never waits for the caller with a lock, and the caller waits for a helper only while that has a chunk in hand.
#include "pool.hpp"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace offprint {
namespace {

// Spins before a helper lets others have the core, and turns of that before it sleeps: about 10 us, then 1 ms.
constexpr int kSpins = 500, kYields = 2000;
// A helper that keeps the caller waiting so long, and longer than some chunks of the caller's own, has lost its core to
// somebody else; for a while the caller works alone rather than be stalled again. That may be over in a moment, and being
// alone costs half of the speed: the while is short, unless helpers were back for no longer than four times the last one.
constexpr auto kStall = std::chrono::microseconds(300);
constexpr auto kAlone = std::chrono::milliseconds(5), kLongAlone = std::chrono::milliseconds(160);

inline void relax() {
#if defined(__x86_64__)
  _mm_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// A chunk of those that are left, from the front or from the back; -1: none is.
int take(std::atomic<uint64_t>& left, bool front) {
  uint64_t seen = left.load(std::memory_order_relaxed);
  for (;;) {
    const uint32_t first = uint32_t(seen), last = uint32_t(seen >> 32);
    if (first >= last) return -1;
    const uint64_t rest = front ? seen + 1 : seen - (uint64_t(1) << 32);
    if (left.compare_exchange_weak(seen, rest, std::memory_order_acq_rel, std::memory_order_relaxed))
      return int(front ? first : last - 1);
  }
}

}  // namespace

Pool::Pool(int threads) : threads_(threads), shares_(new Share[threads]), alone_for_(kAlone) {
  for (int worker = 1; worker < threads; ++worker) helpers_.emplace_back([this, worker] { help(worker); });
}

Pool::~Pool() {
  stop_.store(true);
  state_.fetch_add(2);
  state_.notify_all();
  for (auto& helper : helpers_) helper.join();
}

void Pool::begin() {
  alone_ = helpers_.empty() || Clock::now() < alone_until_;
  if (alone_) return;
  state_.fetch_add(1, std::memory_order_release);
  state_.notify_all();
}

void Pool::end() {
  if (state_.load(std::memory_order_relaxed) & 1) state_.fetch_add(1, std::memory_order_release);
  alone_ = true;
}

void Pool::run(int chunks, Task task, void* context) {
  // A prompt is one step, and a long one: being alone may end within it.
  if (alone_) begin();
  if (alone_ || chunks < 2) {
    for (int chunk = 0; chunk < chunks; ++chunk) task(context, chunk, 0);
    return;
  }
  task_ = task;
  context_ = context;
  given_ += uint32_t(chunks);
  const auto begun = Clock::now();
  // Neighbouring chunks to one thread: their data lies one after the other, so what it asks for in advance is its own.
  for (int worker = threads_ - 1; worker >= 0; --worker) {
    const uint64_t first = uint64_t(chunks) * worker / threads_, last = uint64_t(chunks) * (worker + 1) / threads_;
    shares_[worker].left.store(last << 32 | first, std::memory_order_release);
  }
  while (work(0)) {
  }
  if (!done()) wait(begun);
}

// Takes one chunk, if one is left: of this thread's own share the next, of another's the last. What was taken belongs to
// the phase whose task is read after it, even by a helper that comes late: that phase cannot end before it has reported.
bool Pool::work(int worker) {
  int chunk = take(shares_[worker].left, true);
  for (int i = 1; chunk < 0 && i < threads_; ++i) chunk = take(shares_[(worker + i) % threads_].left, false);
  if (chunk < 0) return false;
  task_(context_, chunk, worker);
  auto& count = shares_[worker].done;
  count.store(count.load(std::memory_order_relaxed) + 1, std::memory_order_release);
  return true;
}

bool Pool::done() const {
  uint32_t sum = 0;
  for (int worker = 0; worker < threads_; ++worker) sum += shares_[worker].done.load(std::memory_order_acquire);
  return sum == given_;
}

void Pool::wait(Clock::time_point begun) {
  auto from = Clock::now();
  // The phase so far is many chunks of ours: a helper's last one is late if it takes as long again.
  auto patience = from - begun > Clock::duration(kStall) ? from - begun : Clock::duration(kStall);
  bool stalled = false;
  while (!done()) {
    for (int i = 0; i < 32; ++i) relax();
    stalled = stalled || Clock::now() - from > patience;
    if (stalled) std::this_thread::yield();
  }
  if (!stalled) return;
  from = Clock::now();
  const bool again = from - alone_until_ < 4 * alone_for_;
  alone_for_ = !again ? kAlone : 2 * alone_for_ < kLongAlone ? 2 * alone_for_ : kLongAlone;
  alone_until_ = from + alone_for_;
  end();
}

void Pool::help(int worker) {
  while (!stop_.load(std::memory_order_relaxed)) {
    uint32_t state = state_.load(std::memory_order_acquire);
    int idle = 0;
    while (idle < kSpins + kYields && !stop_.load(std::memory_order_relaxed)) {
      if (work(worker)) {
        idle = 0;
        continue;
      }
      ++idle < kSpins ? relax() : std::this_thread::yield();
      // Within a step there is work soon; the caller may be at something that only one can do.
      if (idle == kSpins + kYields && (state_.load(std::memory_order_acquire) & 1)) idle = kSpins;
    }
    state = state_.load(std::memory_order_acquire);
    if (!(state & 1) && !stop_.load()) state_.wait(state);
  }
}

}  // namespace offprint
