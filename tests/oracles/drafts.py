"""What tests/run/drafts.rs holds tables and verdicts against: drafts, from the rows alone, by nobody's code of the program.

    python3 tests/oracles/drafts.py RUNS_JSONL    -> {"runs": {run: {metric: value}}, "same": {level: [equal, pairs]}} as JSON

Rounds are found again from the token times: tokens of one time are of one round.
"""

import itertools
import json
import sys

rows = [json.loads(line) for line in open(sys.argv[1], encoding="utf-8")]
rows = [row for row in rows if row["phase"] == "measured" and row["outcome"] == "ok"]


def metrics(row):
    times = row["token_times_ns"]
    bursts = [len(list(group)) for _, group in itertools.groupby(times)]
    if len(times) == 1:
        return {}
    out = {"decode": (len(times) - 1) / ((times[-1] - times[0]) / 1e9)}
    if row["factors"]["draft"] != "none":
        assert bursts[0] == 1, bursts
        kept = sum(burst - 1 for burst in bursts[1:])
        out["tokens_a_round"] = sum(bursts[1:]) / len(bursts[1:])
        proposed = sum(row["rounds"]["proposed"])
        if proposed:
            out["acceptance"] = kept / proposed
        rounds = row["rounds"]
        proposing = sum(rounds["draft_ns"])
        out["drafting"] = proposing / (proposing + sum(rounds["verify_ns"]))
    return out


def cell(row):
    return json.dumps([{k: v for k, v in row["factors"].items() if k != "draft"}, row["repeat"]], sort_keys=True)


plain = {cell(row): row["output_sha256"] for row in rows if row["factors"]["draft"] == "none"}
same = {}
for row in rows:
    if (level := row["factors"]["draft"]) != "none":
        counts = same.setdefault(level, [0, 0])
        counts[0] += row["output_sha256"] == plain[cell(row)]
        counts[1] += 1
print(json.dumps({"runs": {row["run"]: metrics(row) for row in rows}, "same": same}))
