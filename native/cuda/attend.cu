// One position's attention with what surrounds it: norms (NORMED) and rotates the query and the new key, writes the new key and value into the
// cache, and mixes the values of the past and the new one. A query head has gridDim.x / H blocks, and warps of all of them
// share the past.
// qkv: [(H + 2 K) D]; keys, values: [K, place[1], D], of which place[0] positions are written; frequencies: [D / 2], radians a
// position; q_norm, k_norm (NORMED): [D], of norms with EPS; partial: [16 H, D + 2], tickets: [H], zeros before and after; out: [H D].
//
// The cache is written behind MLX's back. That is sound because a layer's cache has no other user: the next kernel that reads
// it belongs to the next token, which is computed from this one's. So it is with `partial` and `tickets`, which all layers
// share: a layer's input is the result of the one before.
//
// Eight lanes share a position, so a warp has four at a time, and asks for several before it uses the first: a past is read at
// the memory's pace only if enough of it is on the way.
constexpr int WARPS = 16, LANES = 8, TOGETHER = 32 / LANES, EACH = D / LANES;
constexpr int V = D % 64 == 0 && sizeof(T) == 2 ? 8 : 4, PARTS = EACH / V;  // at most 16 bytes are read at once
constexpr int ROW = D * sizeof(T), AHEAD = ROW <= 128 ? 4 : ROW <= 256 ? 2 : 1, STRIDE = WARPS * TOGETHER;
struct alignas(V * sizeof(T)) Part {
  T of[V];
};
__shared__ float fresh[3 * D];  // query, key, value
__shared__ float best[WARPS], total[WARPS], mixed[WARPS * D];

const int splits = gridDim.x / H, head = blockIdx.x / splits, split = blockIdx.x % splits;
const int kv = head / (H / K), lane = threadIdx.x % LANES, warp = threadIdx.x / 32;
const int which = threadIdx.x % 32 / LANES;  // of the warp's positions
const int past = place[0];
const size_t row = (size_t)kv * place[1];

#ifdef NORMED
// Query and key are normed before they are rotated, each by a warp.
__shared__ float norms[2];
if (warp < 2) {
  const T* from = qkv + (warp ? H + kv : head) * D;
  float squares = 0;
  for (int i = threadIdx.x % 32; i < D; i += 32) {
    squares += static_cast<float>(from[i]) * static_cast<float>(from[i]);
  }
  for (int offset = 16; offset > 0; offset /= 2) {
    squares += __shfl_xor_sync(0xffffffff, squares, offset);
  }
  if (threadIdx.x % 32 == 0) {
    norms[warp] = rsqrtf(squares / D + EPS);
  }
}
__syncthreads();
#endif
if (threadIdx.x < D) {
  const int i = threadIdx.x % (D / 2);
  const bool key = threadIdx.x >= D / 2;
  const T* from = qkv + (key ? H + kv : head) * D;
  float a = static_cast<float>(from[i]), b = static_cast<float>(from[i + D / 2]);
#ifdef NORMED
  const T* weight = key ? k_norm : q_norm;
  a = static_cast<float>(static_cast<T>(a * norms[key] * static_cast<float>(weight[i])));
  b = static_cast<float>(static_cast<T>(b * norms[key] * static_cast<float>(weight[i + D / 2])));
#endif
  float sine, cosine;
  sincosf(SCALE * past * frequencies[i], &sine, &cosine);
  float* to = fresh + (key ? D : 0);
  to[i] = static_cast<float>(static_cast<T>(a * cosine - b * sine));
  to[i + D / 2] = static_cast<float>(static_cast<T>(a * sine + b * cosine));
} else if (threadIdx.x < 2 * D) {
  fresh[threadIdx.x + D] = static_cast<float>(qkv[(H + K + kv) * D + threadIdx.x - D]);
}
__syncthreads();
if (split == 0 && head % (H / K) == 0 && threadIdx.x < D) {
  const_cast<T*>(keys)[(row + past) * D + threadIdx.x] = static_cast<T>(fresh[D + threadIdx.x]);
  const_cast<T*>(values)[(row + past) * D + threadIdx.x] = static_cast<T>(fresh[2 * D + threadIdx.x]);
}

// Element `i` of a lane's share of a row.
auto element = [&](int i) { return (i / V * LANES + lane) * V + i % V; };
auto over_lanes = [](float x) {
  for (int offset = LANES / 2; offset > 0; offset /= 2) {
    x += __shfl_xor_sync(0xffffffff, x, offset);
  }
  return x;
};

// What has been seen: the largest score, the sum of the weights relative to it, and the values mixed by them.
float query[EACH], sum[EACH], score = 0;
for (int i = 0; i < EACH; i++) {
  query[i] = fresh[element(i)] * rsqrtf((float)D);
  score += query[i] * fresh[D + element(i)];
}
score = over_lanes(score);
const bool begins = split == 0 && warp == 0 && which == 0;
float maximum = begins ? score : -INFINITY, weights = begins ? 1 : 0;
for (int i = 0; i < EACH; i++) {
  sum[i] = begins ? fresh[2 * D + element(i)] : 0;
}

const int stride = splits * STRIDE;
for (int from = (split * WARPS + warp) * TOGETHER; from < past; from += stride * AHEAD) {
  Part k[AHEAD][PARTS], v[AHEAD][PARTS];
#pragma unroll
  for (int a = 0; a < AHEAD; a++) {
    const size_t at = (row + min(from + a * stride + which, past - 1)) * D;
#pragma unroll
    for (int p = 0; p < PARTS; p++) {
      k[a][p] = *reinterpret_cast<const Part*>(keys + at + element(p * V));
      v[a][p] = *reinterpret_cast<const Part*>(values + at + element(p * V));
    }
  }
  float scores[AHEAD], higher = maximum;
#pragma unroll
  for (int a = 0; a < AHEAD; a++) {
    score = 0;
#pragma unroll
    for (int i = 0; i < EACH; i++) {
      score += query[i] * static_cast<float>(k[a][i / V].of[i % V]);
    }
    score = over_lanes(score);
    scores[a] = from + a * stride + which < past ? score : -INFINITY;
    higher = fmaxf(higher, scores[a]);
  }
  // Lanes that have seen nothing yet: exp(-inf) is 0, but inf - inf is no number.
  const float against = higher == -INFINITY ? 0 : higher, shrink = __expf(maximum - against);
  maximum = higher;
  weights *= shrink;
#pragma unroll
  for (int i = 0; i < EACH; i++) {
    sum[i] *= shrink;
  }
#pragma unroll
  for (int a = 0; a < AHEAD; a++) {
    const float weight = __expf(scores[a] - against);
    weights += weight;
#pragma unroll
    for (int i = 0; i < EACH; i++) {
      sum[i] += weight * static_cast<float>(v[a][i / V].of[i % V]);
    }
  }
}

for (int offset = LANES; offset < 32; offset *= 2) {
  const float other = __shfl_xor_sync(0xffffffff, maximum, offset), higher = fmaxf(maximum, other);
  const float against = higher == -INFINITY ? 0 : higher;
  const float mine = __expf(maximum - against), theirs = __expf(other - against);
  maximum = higher;
  weights = weights * mine + __shfl_xor_sync(0xffffffff, weights, offset) * theirs;
#pragma unroll
  for (int i = 0; i < EACH; i++) {
    sum[i] = sum[i] * mine + __shfl_xor_sync(0xffffffff, sum[i], offset) * theirs;
  }
}
if (which == 0) {
  if (lane == 0) {
    best[warp] = maximum;
    total[warp] = weights;
  }
  for (int i = 0; i < EACH; i++) {
    mixed[warp * D + element(i)] = sum[i];
  }
}
__syncthreads();

// Of the `n` parts in shared memory together, each relative to its own largest score.
float highest, all, value;
auto put_together = [&](int n) {
  highest = -INFINITY, all = 0, value = 0;
  for (int i = 0; i < n; i++) {
    highest = fmaxf(highest, best[i]);
  }
  const float against = highest == -INFINITY ? 0 : highest;
  for (int i = 0; i < n; i++) {
    const float share = __expf(best[i] - against);
    all += total[i] * share;
    value += mixed[i * D + threadIdx.x] * share;
  }
};
if (threadIdx.x < D) {
  put_together(WARPS);
}
if (splits > 1) {
  // The head's last block puts all of them together.
  __shared__ bool last;
  float* parts = const_cast<float*>(partial) + (size_t)head * splits * (D + 2);
  float* mine = parts + split * (D + 2);
  if (threadIdx.x < D) {
    mine[threadIdx.x] = value;
  }
  if (threadIdx.x == 0) {
    mine[D] = highest;
    mine[D + 1] = all;
  }
  __threadfence();
  __syncthreads();
  if (threadIdx.x == 0) {
    last = atomicAdd(const_cast<int*>(tickets) + head, 1) == splits - 1;
  }
  __syncthreads();
  if (!last) {
    return;
  }
  __threadfence();
  if (threadIdx.x == 0) {
    const_cast<int*>(tickets)[head] = 0;
  }
  // Past the cache of this multiprocessor, which may hold an older layer's. There are no more splits than warps.
  for (int i = 0; i < splits && threadIdx.x < D; i++) {
    mixed[i * D + threadIdx.x] = __ldcg(parts + i * (D + 2) + threadIdx.x);
  }
  if (threadIdx.x < splits) {
    best[threadIdx.x] = __ldcg(parts + threadIdx.x * (D + 2) + D);
    total[threadIdx.x] = __ldcg(parts + threadIdx.x * (D + 2) + D + 1);
  }
  __syncthreads();
  if (threadIdx.x < D) {
    put_together(splits);
  }
}
if (threadIdx.x < D) {
  out[head * D + threadIdx.x] = static_cast<T>(value / all);
}
