"""mlx-lm behind offprint.worker/1: its own loading, tokenizer, sampler and generation loop (docs/WORKER.md).

    engine:
      - {name: mlx-lm, command: [python3, adapters/mlx_lm.py]}

One file; needs Python 3.10 and `pip install mlx-lm` (on Linux also `mlx-cpu` or `mlx-cuda-13`).
"""

import json
import os
import sys
import time

# Whatever a library prints goes to stderr: stdout is the protocol's.
out = os.fdopen(os.dup(1), "w", encoding="utf-8")
os.dup2(2, 1)

import platform
from importlib.metadata import version

# This file has the name of the package that it imports.
sys.path.pop(0)

PROTOCOL = "offprint.worker/1"


def clock():
    """Nanoseconds of the clock that this machine's processes share."""
    return time.clock_gettime_ns(time.CLOCK_MONOTONIC)


class Refused(Exception):
    """A request that is not taken; the worker goes on."""


class MlxLm:
    def hello(self):
        return {
            "protocol": PROTOCOL,
            "name": "mlx-lm",
            "version": version("mlx-lm"),
            "libraries": {"mlx": version("mlx"), "python": platform.python_version(), "transformers": version("transformers")},
            "can": {
                "exact_length": True,
                "seed": True,
                "token_ids": True,
                "prompt_tokens": True,
                "context": True,
                "chat_template": True,
                "batch": 1,
                "peak_memory": True,
                "clock": "CLOCK_MONOTONIC",
            },
        }

    def load(self, place, threads):
        if threads is not None:
            raise Refused("mlx-lm has no setting for threads; take the factor `threads` out of the study")
        import mlx.core as mx
        from mlx.utils import tree_map
        from mlx_lm import load

        self.mx = mx
        start = clock()
        self.model, self.tokenizer = load(place)
        self.gpu = mx.default_device() == mx.gpu
        if not self.gpu:
            # MLX's CPU kernels are some thirty times slower in float16, which nobody would use: what is compared is the program
            # as its users run it where it runs well.
            cast = lambda p: p.astype(mx.float32) if mx.issubdtype(p.dtype, mx.floating) else p
            self.model.update(tree_map(cast, self.model.parameters()))
        mx.eval(self.model.parameters())
        device = "cpu" if not self.gpu else "metal" if mx.metal.is_available() else "cuda"
        return {"load_ns": clock() - start, "backend": f"mlx-lm-{device}" + ("" if self.gpu else "-float32")}

    def encode(self, text, special):
        bos = self.tokenizer.bos_token
        return self.tokenizer.encode(text, add_special_tokens=special and (bos is None or not text.startswith(bos)))

    def first(self, text, n):
        """The first n ids of a text that is repeated until it has as many."""
        ids, times = self.encode(text, True), 1
        while len(ids) < n:
            times *= 2
            ids = self.encode(text * times, True)
        return ids[:n]

    def prompt(self, request):
        if request["prompt_tokens"] is not None:
            return self.first(request["prompt"], request["prompt_tokens"])
        if request["chat_template"] is None:
            return self.encode(request["prompt"], True)
        told = {key: value for key, value in request["chat_template"].items() if key != "date"}
        message = [{"role": "user", "content": request["prompt"]}]
        return self.tokenizer.apply_chat_template(message, add_generation_prompt=True, tokenize=True, **told)

    def generate(self, request):
        from mlx_lm.generate import generate_step
        from mlx_lm.models.cache import make_prompt_cache
        from mlx_lm.sample_utils import make_sampler

        mx, n = self.mx, request["max_tokens"]
        if n < 1 or not request["prompt"]:
            raise Refused("expected a prompt and one token at least")
        if request["batch"] != 1:
            raise Refused("one request at a time")
        told = request["chat_template"] or {}
        if "date" in told:
            raise Refused("`date`: transformers' templates ask the machine what day it is")
        drawn = request["sampling"]
        # Filters of mlx-lm: top-p, min-p, top-k, then temperature.
        sampler = make_sampler(
            temp=drawn["temperature"], top_p=drawn["top_p"] or 0.0, min_p=drawn["min_p"] or 0.0, top_k=drawn["top_k"] or 0
        )
        cache = make_prompt_cache(self.model)
        context = self.first(request["context_text"], request["context"]) if request["context"] else []
        for at in range(0, len(context), 2048):
            self.model(mx.array(context[at : at + 2048])[None], cache=cache)
            mx.eval([c.state for c in cache])
        mx.random.seed(request["seed"])
        mx.clear_cache()
        mx.reset_peak_memory()

        start = clock()
        ids = self.prompt(request)
        if context and ids and ids[0] == self.tokenizer.bos_token_id:
            ids = ids[1:]
        ready = clock()
        tokens, times, finish = [], [], "length"
        eos = set(self.tokenizer.eos_token_ids)
        for token, _ in generate_step(mx.array(ids), self.model, max_tokens=n, sampler=sampler, prompt_cache=cache):
            times.append(clock() - ready)
            tokens.append(int(token))
            if request["stop_on_eos"] and tokens[-1] in eos:
                finish = "stop"
                break
        text = self.tokenizer.decode(tokens)
        end = clock()
        return {
            "n_prompt": len(ids),
            "tokens": tokens,
            "n_gen": len(tokens),
            "text": text,
            "finish": finish,
            "start_ns": start,
            "tokenize_ns": ready - start,
            "token_times_ns": times,
            "e2e_ns": end - start,
            "peak_memory_bytes": mx.get_peak_memory(),
        }


def serve(engine):
    def answer(kind, fields):
        out.write(json.dumps({kind: fields}) + "\n")
        out.flush()

    for line in sys.stdin:
        (kind, fields), = json.loads(line).items()
        number = fields.get("id") if isinstance(fields, dict) else None
        failed = lambda kind, error: answer("failed", {"id": number, "kind": kind, "message": str(error) or repr(error)})
        try:
            if kind == "hello":
                answer("hello", engine.hello())
            elif kind == "load":
                answer("loaded", engine.load(fields["place"], fields["threads"]))
            elif kind == "generate":
                answer("generated", {"id": number, **engine.generate(fields)})
            elif kind == "bye":
                return
            else:
                failed("unsupported", f"no message `{kind}`")
        except Refused as error:
            failed("refused", error)
        except Exception as error:
            failed("engine", error)


if __name__ == "__main__":
    serve(MlxLm())
