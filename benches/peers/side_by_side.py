"""Several results of this bench in one table: every engine's rates, our ratios alone, or the bandwidth that decoding reaches."""

import table

RATES = {"decode": table.decode, "prefill": table.prefill}
NAMES = {"decode": "decode after {}, tok/s", "prefill": "prefill of {}, tok/s"}


def write(to, what, *names):
    """`what` is decode, prefill or both after the first prompt counted. A block a result; the last row of one with mlx-lm sets our most threads beside its one."""
    loaded = [table.load(name) for name in names]
    cases = sorted({case for about, _ in loaded for case in table.counted_cases(about)})
    columns = [(what, case) for case in cases] if what != "both" else [(kind, cases[0]) for kind in ("prefill", "decode")]
    heads = [cell for kind, case in columns for cell in (NAMES[kind].format(case), "ours : it")]
    lines = ["| measured | threads | engine | rounds | " + " | ".join(heads) + " |"]
    lines += ["|:--|--:|:--|--:|" + "--:|:--|" * len(columns)]
    for name, (about, rows) in zip(names, loaded):
        where = link(to, name, about)
        for key in table.contenders(rows):
            mine = (key[0], "offprint")
            cells = [where, str(key[0]), named(key[1]), str(len({row["round"] for row in rows if of(row) == key}))]
            for kind, case in columns:
                theirs = table.values(rows, key, case, RATES[kind])
                same = "" if key == mine else table.ratio(table.values(rows, mine, case, RATES[kind]), theirs)
                cells += [f"{table.median(theirs):.1f}", same] if theirs else ["", ""]
            lines.append(row_of(cells))
            where = ""
        most = max(threads for threads, _ in table.contenders(rows))
        if (1, "mlx-lm") in table.contenders(rows) and most > 1:
            cells = ["", f"{most} : 1", "offprint : mlx-lm", ""]
            for kind, case in columns:
                both = (table.values(rows, key, case, RATES[kind]) for key in ((most, "offprint"), (1, "mlx-lm")))
                cells += ["", table.ratio(*both)]
            lines.append(row_of(cells))
    return lines


def summary(to, *names):
    """Our rates on the most threads, and their ratios to everyone's: to one thread of what has only one."""
    loaded = [(name, *table.load(name)) for name in names]
    peers = sorted({name for _, _, rows in loaded for _, name in table.contenders(rows)} - {"offprint"}, key=table.order)
    heads = [f"ours : {named(peer)}" for peer in peers]
    lines = ["| measured | rate | offprint, tok/s | " + " | ".join(heads) + " |", "|:--|:--|--:|" + ":--|" * len(peers)]
    for name, about, rows in loaded:
        where, case = link(to, name, about), table.counted_cases(about)[0]
        most = max(threads for threads, _ in table.contenders(rows))
        for kind in ("decode", "prefill"):
            rate = lambda threads, who: table.values(rows, (threads, who), case, RATES[kind])
            ours = rate(most, "offprint")
            ratios = [table.ratio(ours, rate(most, peer) or rate(1, peer)) for peer in peers]
            lines.append(row_of([where, kind, f"{table.median(ours):.0f}", *ratios]))
            where = ""
    return lines


def bandwidth(to, *names):
    lines = ["| measured | threads | read by a loop, GB/s | weights by our decoding, GB/s | ours : the loop |", "|:--|--:|--:|--:|:--|"]
    for name in names:
        about, rows = table.load(name)
        where = link(to, name, about)
        for cells in table.bandwidth(about, rows, table.counted_cases(about)[0]):
            lines.append(row_of([where, *cells]))
            where = ""
    return lines


def link(to, name, about):
    return f"[{table.label(about)}]({to(table.RESULTS / f'{name}.md')})"


def of(row):
    return row["threads"], row["contender"]


def named(contender):
    return {"llama.cpp Q4_1": "llama.cpp Q4_1 (our weights)", "mlx-lm": "mlx-lm (float32)"}.get(contender, contender)


def row_of(cells):
    return "| " + " | ".join(cells) + " |"
