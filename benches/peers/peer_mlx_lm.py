"""mlx-lm behind the worker protocol: its own `generate_step`, greedy."""

import contextlib

import mlx.core as mx
import protocol
from mlx.utils import tree_map
from mlx_lm import load
from mlx_lm.generate import generate_step, wired_limit


class MlxLm:
    def load(self, place):
        self.model, _ = load(place)
        if not self.gpu():
            # Its CPU kernels are some thirty times slower in the checkpoint's float16; Offprint's engine casts likewise.
            cast = lambda p: p.astype(mx.float32) if mx.issubdtype(p.dtype, mx.floating) else p
            self.model.update(tree_map(cast, self.model.parameters()))
        mx.eval(self.model.parameters())

    def gpu(self):
        return mx.default_device() == mx.gpu

    def device(self):
        if not self.gpu():
            return "CPU, one thread, float32"
        return "Metal" if mx.metal.is_available() else "CUDA"

    def backend(self):
        return f"mlx-lm on MLX {mx.__version__}, {self.device()}"

    def generate(self, ids, n):
        with wired_limit(self.model) if self.gpu() else contextlib.nullcontext():
            for token, _ in generate_step(mx.array(ids), self.model, max_tokens=n):
                yield int(token)


if __name__ == "__main__":
    protocol.serve(MlxLm())
