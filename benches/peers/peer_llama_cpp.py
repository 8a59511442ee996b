"""llama.cpp behind the worker protocol: its C interface, a bare loop of decode and greedy sampling."""

import ctypes
import os
import sys
from pathlib import Path

import llama_cpp as c
import protocol


class LlamaCpp:
    def load(self, place):
        # Its log goes to stderr, line by line; only warnings and worse are wanted.
        self.log = c.llama_log_callback(lambda level, text, _: level in (3, 4) and sys.stderr.write(text.decode()))
        c.llama_log_set(self.log, None)
        c.llama_backend_init()
        model = c.llama_model_default_params()
        model.n_gpu_layers = 999 if sys.platform == "darwin" else 0
        self.model = c.llama_model_load_from_file(place.encode(), model)
        if not self.model:
            sys.exit(f"error: {place}: llama.cpp cannot load it")
        context = c.llama_context_default_params()
        context.n_ctx, context.n_batch = 2048, 2048
        context.n_threads = context.n_threads_batch = int(os.environ["PEER_THREADS"])
        self.context = c.llama_init_from_model(self.model, context)
        self.sampler = c.llama_sampler_init_greedy()

    def backend(self):
        return f"llama.cpp: {c.llama_print_system_info().decode().strip(' |')}"

    def generate(self, ids, n):
        c.llama_memory_clear(c.llama_get_memory(self.context), True)
        batch = (c.llama_token * len(ids))(*ids)
        for i in range(n):
            if c.llama_decode(self.context, c.llama_batch_get_one(batch, len(batch))):
                sys.exit("error: llama_decode failed")
            token = c.llama_sampler_sample(self.sampler, self.context, -1)
            yield token
            batch = (c.llama_token * 1)(token)


def quantize(source: Path, to: Path, kind: str):
    """Makes `to` from `source` in another weight format; the embedding, which is the head too, stays Q8_0."""
    options = c.llama_model_quantize_default_params()
    options.ftype = {"Q4_0": c.LLAMA_FTYPE_MOSTLY_Q4_0, "Q8_0": c.LLAMA_FTYPE_MOSTLY_Q8_0}[kind]
    options.allow_requantize = True
    options.token_embedding_type = options.output_tensor_type = 8  # GGML_TYPE_Q8_0
    beside = to.with_suffix(".tmp")
    if c.llama_model_quantize(str(source).encode(), str(beside).encode(), ctypes.byref(options)):
        sys.exit(f"error: {source}: llama.cpp cannot make {kind} of it")
    beside.rename(to)


if __name__ == "__main__":
    if sys.argv[1:2] == ["quantize"]:
        quantize(Path(sys.argv[2]), Path(sys.argv[3]), sys.argv[4])
    else:
        protocol.serve(LlamaCpp())
