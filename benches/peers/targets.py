"""What we set out to reach, and whether the committed samples show it.

`met` is yes when the whole 95 % interval of every ratio in the row reaches the target, no when that of one lies wholly below it,
and inconclusive otherwise."""

from dataclasses import dataclass
from typing import Callable

import executions
import side_by_side
import table

AVX512 = ["2026-11-26-intel-avx512", "2026-11-26-amd-epyc-avx512"]
AVX2 = ["2026-11-26-amd-epyc"]


def to(contender, what, threads=None):
    """Our rate to a contender's on as many threads, or on `threads`."""

    def of(about, rows, mine, case):
        theirs = (threads or mine, contender)
        return table.interval(table.values(rows, (mine, "offprint"), case, what), table.values(rows, theirs, case, what))

    return of


def to_the_best(about, rows, mine, case):
    """Prefill to that format of llama.cpp which comes nearest to ours."""
    formats = sorted({name for _, name in table.contenders(rows) if name.startswith("llama.cpp")})
    return min((to(name, table.prefill)(about, rows, mine, case) for name in formats), key=lambda of: of[0])


@dataclass
class Target:
    says: str
    least: float
    of: Callable
    names: list
    threads: tuple = (2, 1)
    cases: tuple = (128, 512)


TARGETS = [
    Target("decode ≥ 2 × llama.cpp on the same weights (Q4_1), where AVX-512 is", 2, to("llama.cpp Q4_1", table.decode), AVX512),
    Target("decode ≥ 1 × the same, where AVX2 is all there is", 1, to("llama.cpp Q4_1", table.decode), AVX2),
    Target("decode on two threads ≥ 20 × mlx-lm, which has one", 20, to("mlx-lm", table.decode, 1), AVX512 + AVX2, (2,)),
    Target("decoding reads weights at ≥ 0.85 × a loop's rate", 0.85, table.to_the_loop, AVX512 + AVX2, cases=(128,)),
    Target("prefill ≥ 1 × llama.cpp's best format", 1, to_the_best, AVX512 + AVX2),
]


def met(least, intervals):
    if any(high is not None and high < least for _, _, high in intervals):
        return "**no**"
    return "yes" if all(low is not None and low >= least for _, low, _ in intervals) else "inconclusive"


def write(to_file):
    lines = ["| target | measured | threads | prompt of 128 | prompt of 512 | met |", "|:--|:--|--:|:--|:--|:--|"]
    for target in TARGETS:
        says = target.says
        for name in target.names:
            about, rows = table.load(name)
            where = side_by_side.link(to_file, name, about)
            for threads in target.threads:
                found = [target.of(about, rows, threads, case) for case in target.cases]
                cells = [table.said(of) for of in found] + [""] * (2 - len(found))
                lines.append(f"| {says} | {where} | {threads} | {' | '.join(cells)} | {met(target.least, found)} |")
                says = where = ""
    return lines


# What Offprint itself costs. Only the first has committed samples.
STUDY_SECONDS = 120
UNKEPT = [
    ("a clean build with an empty registry takes at most 15 minutes", "#building"),
    ("`offprint verify` of the committed bundle takes less than 0.5 s", "#verifying-and-bundling"),
    ("`offprint verify` of a million runs takes at most 60 s and 2 GB", "#verifying-and-bundling"),
]


def own(to_file, *names):
    """The study of 54 runs by our kernels: each execution that is named; and the targets whose samples were not kept."""
    lines = ["| target | measured | result | met |", "|:--|:--|--:|:--|"]
    says = f"the 54 runs of `config/smollm2.yaml` on two cores take less than {STUDY_SECONDS} s"
    for of in executions.of(names):
        verdict = "yes" if of.seconds < STUDY_SECONDS else "**no**"
        where = f"[{of.day}, {of.chip}, {of.kernels}]({to_file(of.folder)})"
        lines.append(f"| {says} | {where} | {of.seconds:.1f} s | {verdict} |")
        says = ""
    for says, anchor in UNKEPT:
        lines.append(f"| {says} | samples not kept: [log]({to_file(table.DOCUMENTS / 'log.md')}{anchor}) | | not shown |")
    return lines
