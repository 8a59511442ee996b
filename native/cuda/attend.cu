// One position's attention with what surrounds it: rotates the query and the new key, writes the new key and value into the
// cache, and mixes the values of the past and the new one. One block a query head; warps share the past between them.
// qkv: [(H + 2 K) D]; keys, values: [K, place[1], D], of which place[0] positions are written; frequencies: [D / 2], radians a position; out: [H D].
//
// The cache is written behind MLX's back. That is sound because a layer's cache has no other user: the next kernel that reads
// it belongs to the next token, which is computed from this one's.
constexpr int E = D / 32, WARPS = 32;
__shared__ float fresh[3 * D];  // query, key, value
__shared__ float best[WARPS], total[WARPS], mixed[WARPS * D];

const int head = blockIdx.x, kv = head / (H / K), lane = threadIdx.x % 32, warp = threadIdx.x / 32;
const int past = place[0];
const size_t row = (size_t)kv * place[1];

if (threadIdx.x < D) {
  const int i = threadIdx.x % (D / 2);
  const bool key = threadIdx.x >= D / 2;
  const T* from = qkv + (key ? H + kv : head) * D;
  const float a = static_cast<float>(from[i]), b = static_cast<float>(from[i + D / 2]);
  float sine, cosine;
  sincosf(SCALE * past * frequencies[i], &sine, &cosine);
  float* to = fresh + (key ? D : 0);
  to[i] = static_cast<float>(static_cast<T>(a * cosine - b * sine));
  to[i + D / 2] = static_cast<float>(static_cast<T>(a * sine + b * cosine));
} else if (threadIdx.x < 2 * D) {
  fresh[threadIdx.x + D] = static_cast<float>(qkv[(H + K + kv) * D + threadIdx.x - D]);
}
__syncthreads();
if (head % (H / K) == 0 && threadIdx.x < D) {
  const_cast<T*>(keys)[(row + past) * D + threadIdx.x] = static_cast<T>(fresh[D + threadIdx.x]);
  const_cast<T*>(values)[(row + past) * D + threadIdx.x] = static_cast<T>(fresh[2 * D + threadIdx.x]);
}

float query[E], sum[E], maximum = -INFINITY, weights = 0;
for (int e = 0; e < E; e++) {
  query[e] = fresh[lane * E + e] * rsqrtf((float)D);
  sum[e] = 0;
}
for (int position = warp; position <= past; position += WARPS) {
  const bool old = position < past;
  const size_t at = (row + position) * D + lane * E;
  float k[E], v[E], score = 0;
  for (int e = 0; e < E; e++) {
    k[e] = old ? static_cast<float>(keys[at + e]) : fresh[D + lane * E + e];
    v[e] = old ? static_cast<float>(values[at + e]) : fresh[2 * D + lane * E + e];
    score += query[e] * k[e];
  }
  for (int offset = 16; offset > 0; offset /= 2) {
    score += __shfl_xor_sync(0xffffffff, score, offset);
  }
  const float higher = fmaxf(maximum, score), shrink = __expf(maximum - higher), weight = __expf(score - higher);
  maximum = higher;
  weights = weights * shrink + weight;
  for (int e = 0; e < E; e++) {
    sum[e] = sum[e] * shrink + weight * v[e];
  }
}
if (lane == 0) {
  best[warp] = maximum;
  total[warp] = weights;
}
for (int e = 0; e < E; e++) {
  mixed[warp * D + lane * E + e] = sum[e];
}
__syncthreads();
if (threadIdx.x < D) {
  float highest = -INFINITY, all = 0, value = 0;
  for (int w = 0; w < WARPS; w++) {
    highest = fmaxf(highest, best[w]);
  }
  for (int w = 0; w < WARPS; w++) {
    // A warp without a position has weight 0: exp(-inf).
    const float share = __expf(best[w] - highest);
    all += total[w] * share;
    value += mixed[w * D + threadIdx.x] * share;
  }
  out[head * D + threadIdx.x] = static_cast<T>(value / all);
}
