// out = silu(gate) * up; both: [rows, 2 I] holds gate and up of a row side by side, out: [rows, I]. One thread a value; the
// last block may have threads without one.
const long element = (long)blockIdx.x * blockDim.x + threadIdx.x, row = element / I, column = element % I;
if (row < both_shape[1]) {
  const float gate = static_cast<float>(both[row * 2 * I + column]);
  const float up = static_cast<float>(both[row * 2 * I + I + column]);
  const float activated = static_cast<float>(static_cast<T>(gate / (1.0f + expf(-gate))));
  out[element] = static_cast<T>(activated * up);
}
