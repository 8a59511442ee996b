"""What tests/http/load.rs holds claims against: the metrics of runs of several requests, from the rows alone, by nobody's code of the program.

    python3 tests/oracles/load.py RUNS_JSONL    -> {run: {metric: value}} as JSON

Only Python's own library. Times in seconds, rates a second, as docs/LOAD.md defines them; what is an integral there is one here, over a list
of all moments at which anything begins or ends.
"""

import json
import sys


def fmean(values):
    values = list(values)
    return sum(values) / len(values)


def quantile(values, share):
    """Hyndman and Fan's definition 8."""
    values = sorted(values)
    place = (len(values) + 1 / 3) * share + 1 / 3
    below = min(max(int(place), 1), len(values) - 1)
    return values[below - 1] + (place - below) * (values[below] - values[below - 1])


def metrics(row):
    load, s = row["load"], 1e-9
    first, past = load["ramp"], load["ramp"] + load["requests"]
    everything = sorted(row["requests"], key=lambda request: request["number"])
    counted = everything[first:past]
    well = [request for request in counted if request["outcome"] == "ok"]
    start = counted[0]["due_ns"]
    stop = everything[past]["due_ns"] if past < len(everything) else max(r["sent_ns"] + r["finish_ns"] for r in counted)
    span = (stop - start) * s
    # A window without a request after it has its last moment, too.
    inside = (lambda t: start <= t < stop) if past < len(everything) else (lambda t: start <= t <= stop)

    def chunks(request):
        at, out = request["sent_ns"], []
        for step in request["steps_ns"]:
            at += step
            out.append(at)
        return out

    def last(request):
        return chunks(request)[-1] if len(request["steps_ns"]) == request["n_gen"] else request["sent_ns"] + request["finish_ns"]

    firsts = [request.get("chunk_tokens", [1])[0] for request in well]
    ttft = [(chunks(request)[0] - request["due_ns"]) * s for request in well]
    e2e = [(request["sent_ns"] + request["finish_ns"] - request["due_ns"]) * s for request in well]
    gap = [
        (last(request) - chunks(request)[0]) * s / (request["n_gen"] - k) for request, k in zip(well, firsts) if request["n_gen"] > k
    ]
    tokens = 0.0
    for request in everything:
        if request["outcome"] != "ok":
            continue
        share = [request["n_gen"] / len(request["steps_ns"])] * len(request["steps_ns"])
        for at, n in zip(chunks(request), request.get("chunk_tokens", share)):
            tokens += n if inside(at) else 0
    spans = [(r["due_ns"], r["sent_ns"] + (r.get("done_ns") or r.get("finish_ns") or 0)) for r in everything]
    moments = sorted({start, stop, *(t for span_ in spans for t in span_ if start < t < stop)})
    area = sum((b - a) * sum(due <= a and end >= b for due, end in spans) for a, b in zip(moments, moments[1:]))
    under_way = [sum(due <= t < end for due, end in spans) for t in (start, stop)]
    out = {
        "request_rate": sum(r["outcome"] == "ok" and inside(r["sent_ns"] + r["finish_ns"]) for r in everything) / span,
        "output_rate": tokens / span,
        "in_flight": area * s / span,
        "rejected": sum(r["outcome"] == "rejected" for r in counted) / len(counted),
        "ttft_from_text": fmean(ttft),
        "ttft_from_sent": fmean(r["steps_ns"][0] * s for r in well),
        "warm_latency": fmean(e2e),
        "decode": sum(r["n_gen"] - k for r, k in zip(well, firsts)) / sum((last(r) - chunks(r)[0]) * s for r in well),
        "throughput": fmean(r["n_gen"] for r in well) / fmean(e2e),
    }
    if load.get("per_second"):
        out["backlog"] = (under_way[1] - under_way[0]) / len(counted)
    if steps := row.get("steps"):
        full = [
            (now, ns)
            for before, now, ns in zip(steps["active"], steps["active"][1:], steps["step_ns"][1:])
            if before == now == load["at_once"]
        ]
        if full:
            out["full_rate"] = sum(n for n, _ in full) / (sum(ns for _, ns in full) * s)
    for name, values in [("ttft", ttft), ("e2e", e2e), ("gap", gap)]:
        for share, least in [(50, 40), (90, 200), (95, 400), (99, 2000)]:
            if len(values) >= least:
                out[f"{name}_p{share}"] = quantile(values, share / 100)
    if limits := load.get("goodput"):
        good = [
            t <= limits.get("ttft_s", 1e9) and e <= limits.get("e2e_s", 1e9) and g * limits.get("decode_tok_s", 0) <= 1
            for t, e, g in zip(ttft, e2e, gap)
        ]
        out["goodput"] = sum(good) / span
    return out


if __name__ == "__main__":
    rows = [json.loads(line) for line in open(sys.argv[1])]
    print(json.dumps({row["run"]: metrics(row) for row in rows if row["phase"] == "measured" and row["outcome"] == "ok"}))
