/* How fast this machine reads memory: `bandwidth THREADS` prints bytes a second, the best of ten passes over 1 GiB.
 * Each thread sums a part of its own; a part is much larger than a cache. In huge pages where the system has them, as the weights are. */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

typedef uint64_t V __attribute__((vector_size(32)));
enum { PASSES = 10, MOST = 256 };
static const size_t count = (1u << 30) / sizeof(V);

struct part {
  const V *from, *to;
  uint64_t sum;
};

static void *read_part(void *argument) {
  struct part *part = argument;
  V a = {0}, b = {0}, c = {0}, d = {0};
  for (const V *p = part->from; p < part->to; p += 4) {
    a ^= p[0], b ^= p[1], c ^= p[2], d ^= p[3];
    __builtin_prefetch(p + 64);
  }
  a ^= b ^ c ^ d;
  part->sum = a[0] ^ a[1] ^ a[2] ^ a[3];
  return NULL;
}

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + t.tv_nsec / 1e9;
}

int main(int n, char **arguments) {
  int threads = n > 1 ? atoi(arguments[1]) : 1;
  if (threads < 1 || threads > MOST) return 2;
  V *memory = aligned_alloc(2 << 20, count * sizeof(V));
  if (!memory) return 2;
#ifdef MADV_HUGEPAGE
  madvise(memory, count * sizeof(V), MADV_HUGEPAGE);
#endif
  memset(memory, 1, count * sizeof(V)); /* pages that were never written share one page of zeros */
  double best = 0;
  uint64_t sum = 0;
  for (int pass = 0; pass < PASSES; ++pass) {
    struct part parts[MOST];
    pthread_t workers[MOST];
    double start = now();
    for (int i = 0; i < threads; ++i) {
      size_t each = count / threads / 4 * 4;
      parts[i] = (struct part){memory + i * each, memory + (i + 1) * each, 0};
      pthread_create(&workers[i], NULL, read_part, &parts[i]);
    }
    for (int i = 0; i < threads; ++i) pthread_join(workers[i], NULL), sum ^= parts[i].sum;
    double rate = (count / threads / 4 * 4) * threads * sizeof(V) / (now() - start);
    if (rate > best) best = rate;
  }
  printf("%.0f\n", best);
  return sum == 42; /* the sum must be wanted, or nothing is read */
}
