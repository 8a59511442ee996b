"""The committed executions of a study, and claims of a paper that set two of them, or two engines, side by side."""

import json
import statistics
import zipfile
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import table

ROOT = Path(__file__).parent.parent.parent


@dataclass
class Execution:
    """One folder under results/: `seconds` from where the first run began to load to the last one's last token."""

    folder: Path
    day: str
    chip: str
    kernels: str
    runs: int
    seconds: float
    decode: dict  # tok/s by engine: each run's, in order


def of(names):
    """Those that a document names, `STUDY/STARTED`: what else a checkout has measured under results/ is its own."""
    return [read(ROOT / "results" / name) for name in names]


def read(folder):
    environment = json.loads((folder / "environment.json").read_text("utf-8"))
    rows = [json.loads(line) for line in (folder / "runs.jsonl").read_text("utf-8").splitlines()]
    measured = [row for row in rows if row["phase"] == "measured" and row["outcome"] == "ok"]
    at = lambda row: datetime.fromisoformat(row["started_at"].replace("Z", "+00:00")).timestamp()
    # A row begins when its generation does; what was loaded for the first one was loaded just before.
    seconds = at(measured[-1]) + measured[-1]["e2e_ns"] / 1e9 - (at(rows[0]) - measured[0]["load_ns"] / 1e9)
    decode = {}
    for row in measured:
        decode.setdefault(row["engine"], []).append(table.decode(row))
    # Before our kernels there was no such entry: all was MLX's own.
    kernels = environment["libraries"].get("kernels", "MLX's own").split(", GLIBC")[0]
    day = environment["captured_at"][:10]
    return Execution(folder, day, chip(environment), kernels, len(measured), seconds, decode)


def chip(environment):
    """The processor's name and what tells it from others of that name, which older records lack."""
    name = environment["chip"]["value"].replace("(R)", "").replace(" Processor", "")
    told = environment.get("processor", {}).get("value") or {}
    numbers = [f"{field} {told[field]}" for field in ("family", "model", "stepping") if field in told]
    return f"{name} ({', '.join([*filter(None, [told.get('name')]), *numbers]) or 'generation not recorded'})"


def write(to, *names):
    lines = ["| execution | chip | kernels | runs | all of it, s | engine | decode, tok/s: mean (sd of runs) |"]
    lines += ["|:--|:--|:--|--:|--:|:--|--:|"]
    for name, one in zip(names, of(names)):
        where = f"| [{name}]({to(one.folder)}) | {one.chip} | {one.kernels} | {one.runs} | {one.seconds:.1f} |"
        for engine, rates in sorted(one.decode.items(), reverse=True):
            lines.append(f"{where} {engine} | {statistics.mean(rates):.1f} ({statistics.stdev(rates):.1f}) |")
            where = "| | | | | |"
    return lines


def claims(to, source, here, there, *ids):
    """Each id's values on both sides and their ratio, as the paper in the bundle `source` prints them."""
    with zipfile.ZipFile(ROOT / source) as archive:
        member = next(name for name in archive.namelist() if name.endswith("/paper/claims.json"))
        found = json.loads(archive.read(member))["claims"]
    text = lambda name: found[name]["text"]
    lines = [f"| | {here} | {there} | ratio (90 % interval) | verdict |", "|:--|--:|--:|:--|:--|"]
    for name in ids:
        ratio = f"{text(f'{name}.change')} ({text(f'{name}.change.low')} to {text(f'{name}.change.high')})"
        label = f"{text(f'{name}.label')}, {text(f'{name}.unit')}"
        lines.append(f"| {label} | {text(f'{name}.here')} | {text(f'{name}.there')} | {ratio} | {text(f'{name}.verdict')} |")
    return lines


def engines(to, folder, *metrics):
    """Each engine of the paper in `folder`: its means, and the ratios to the first, as the paper prints them."""
    found = json.loads((ROOT / folder / "claims.json").read_text("utf-8"))
    text = lambda name: found["claims"].get(name, {}).get("text", "–")
    names = [name.split(".")[1] for name in found["claims"] if name.startswith("by_engine.") and name.endswith(".backend")]
    first = next(name for name in names if f"vs.engine.{name}.decode.ratio" not in found["claims"])
    names.sort(key=lambda name: (name != first, name))
    lines = ["| engine | backend |" + "".join(f" {metric}, {unit(found, first, metric)} | : {first} |" for metric in metrics)]
    lines.append("|:--|:--|" + "--:|:--|" * len(metrics))
    for name in names:
        cells = ""
        for metric in metrics:
            of = f"vs.engine.{name}.{metric}.ratio"
            known = of in found["claims"]
            ratio = f"{text(of)} ({text(f'{of}.low')} to {text(f'{of}.high')})" if known else "1" if name == first else "–"
            cells += f" {text(f'by_engine.{name}.{metric}.mean')} | {ratio} |"
        lines.append(f"| {name} | {text(f'by_engine.{name}.backend')} |{cells}")
    return lines


def unit(found, engine, metric):
    return found["claims"][f"by_engine.{engine}.{metric}.mean"]["unit"]
