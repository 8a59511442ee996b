// h = x + delta, y = h / rms(h) * weight; one block a row. x, delta: [rows, D]; weight: [D].
// Rounded where MLX's own add and rms_norm round: the sum to T, the normalised value to T.
__shared__ float partial[32];
const int row = blockIdx.x;
x += (size_t)row * D;
delta += (size_t)row * D;
h += (size_t)row * D;
y += (size_t)row * D;

float sum = 0;
for (int i = threadIdx.x; i < D; i += blockDim.x) {
  T value = static_cast<T>(static_cast<float>(x[i]) + static_cast<float>(delta[i]));
  h[i] = value;
  float f = static_cast<float>(value);
  sum += f * f;
}
for (int offset = 16; offset > 0; offset /= 2) {
  sum += __shfl_xor_sync(0xffffffff, sum, offset);
}
if (threadIdx.x % 32 == 0) {
  partial[threadIdx.x / 32] = sum;
}
__syncthreads();
sum = 0;
for (int warp = 0; warp < blockDim.x / 32; warp++) {
  sum += partial[warp];
}
const float scale = rsqrtf(sum / D + EPS);
for (int i = threadIdx.x; i < D; i += blockDim.x) {
  T normal = static_cast<T>(static_cast<float>(h[i]) * scale);
  y[i] = static_cast<T>(static_cast<float>(weight[i]) * static_cast<float>(normal));
}
