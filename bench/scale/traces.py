#!/usr/bin/env python3
"""Where the ranks of several GPUs spend what they lose against one, from the traces of bench/scale/traces.

usage: traces.py rows COUNT LENGTH IDS     rows of random tokens, as data.format=tokenized reads them
       traces.py table GPU0 GPU1 RUN ...   runs of one GPU each, then runs of which rank 0 is on the first
                                           of these GPUs and rank 1 on the second
"""
import collections, gzip, json, pathlib, random, re, statistics, sys

WHOLE = "forward and backward"
ORDER = ["step", "longer", "begun", "compute", "gaps", "exchange", "offload", "host"]
Span = collections.namedtuple("Span", "lane name step begin end")


def kind(name):
    return re.sub(r" \d+$", "", name)


def spans_of_ranks(run):
    """In milliseconds, by rank, in the order in which they begin."""
    ranks = collections.defaultdict(list)
    for file in sorted(run.glob("profile/trace.json*"))[:1]:
        with (gzip.open if file.suffix == ".gz" else open)(file, "rt") as text:
            events = sorted((e for e in json.load(text) if e["ph"] == "X"), key=lambda e: (e["ts"], -e["dur"]))
        for e in events:
            begin, end = e["ts"] / 1e3, (e["ts"] + e["dur"]) / 1e3
            ranks[e["pid"]].append(Span(kind(e["cat"]), e["name"], e["args"]["step"], begin, end))
    return ranks


def covered(spans):
    """The stretches in which there is any of them, each once."""
    merged = []
    for s in spans:
        if not merged or s.begin > merged[-1][1]:
            merged.append([s.begin, s.end])
        merged[-1][1] = max(merged[-1][1], s.end)
    return merged


def common(span, stretches):
    return sum(max(0, min(span.end, end) - max(span.begin, begin)) for begin, end in stretches)


def gaps(work, wholes):
    """Stretches of the compute lane without work, with the names before and behind."""
    marks = [Span(None, name, w.step, at, at) for w in wholes for name, at in (("begin", w.begin), ("end", w.end))]
    last = None
    for s in sorted(work + marks, key=lambda s: (s.begin, s.end)):
        if last and s.begin > last.end:
            yield Span("gap", f"{last.name} > {s.name}", last.step, last.end, s.begin)
        if not last or s.end >= last.end:
            last = s


def before_others(spans, others):
    """The collectives, each with how long it had begun when the last of the other ranks began with it."""
    mine, *theirs = [collections.defaultdict(list) for _ in (spans, *others)]
    for rank, calls in zip((spans, *others), (mine, *theirs)):
        for s in rank:
            if s.lane == "exchange" and s.name.startswith(("all_", "reduce_")):
                calls[s.name, s.step].append(s)
    for key, calls in mine.items():
        if theirs and all(len(their[key]) == len(calls) for their in theirs):
            for s, *same in zip(calls, *(their[key] for their in theirs)):
                yield s, max(0, min(s.end, max(other.begin for other in same)) - s.begin)


class Rank:
    """The rows of a rank: milliseconds a step, from the begin of the first profiled one to that of the last."""

    def __init__(self, run, rank, ranks, alone=None):
        self.label, spans = f"{run.name} {rank}" if len(ranks) > 1 else run.name, ranks[rank]
        wholes = [s for s in spans if (s.lane, s.name) == ("compute", WHOLE)]
        if len(wholes) < 2:
            sys.exit(f"{run}: a trace of {len(wholes)} steps of rank {rank}, and two are needed at least")
        first, end, self.steps = wholes[0].begin, wholes[-1].begin, len(wholes) - 1
        inside = [s._replace(begin=max(s.begin, first), end=min(s.end, end)) for s in spans if s.end > first and s.begin < end]
        work = [s for s in inside if s.lane == "compute" and s.name != WHOLE]
        exchange = [s for s in inside if s.lane == "exchange"]
        computing, exchanging = covered(work), covered(exchange)
        self.rows, self.layers = collections.defaultdict(float), collections.defaultdict(float)
        self.add("step", end - first)
        if rank == 0:  # the trace is written beside the first step behind the profiled ones
            steps = map(json.loads, (run / "metrics.jsonl").read_text().splitlines())
            later = [m["step_ms"] for m in steps if "step_ms" in m and m["step"] > wholes[-1].step + 1]
            self.rows["step, behind the profile (median)"] = statistics.median(later or [float("nan")])
        for s in work:
            self.add(f"compute  {kind(s.name)}", s.end - s.begin)
            self.layers[s.name] += (s.end - s.begin) / self.steps
            if alone:
                how = "with" if common(s, exchanging) else "without"
                self.add(f"longer than alone, {how} exchange beside", s.end - s.begin - alone.layers[s.name])
                late = [x.end for x in exchange if x.begin < s.begin < x.end and "reduce" not in x.name]
                self.add("begun before a gather's end, by", min(max(late, default=s.begin), s.end) - s.begin)
        self.gaps = [g for g in gaps(work, wholes) if first <= g.begin < end]
        for g in self.gaps:
            for name in "all", " > ".join(map(kind, g.name.split(" > "))):
                self.add(f"gaps  {name}", g.end - g.begin)
        for s in exchange + [Span("exchange", "any of them", 0, *stretch) for stretch in exchanging]:
            beside = common(s, computing)
            for how, millis in ("", s.end - s.begin), (", beside compute", beside), (", in gaps", s.end - s.begin - beside):
                self.add(f"exchange  {kind(s.name)}{how}", millis)
        for s, waited in before_others(spans, [ranks[r] for r in ranks if r != rank]):
            if first <= s.begin < end:
                self.add(f"exchange  {s.name}, until the other rank begins", waited)
        for s in inside:  # on the host's lane layers and head lie within what is counted anyway
            if s.lane == "offload" or s.lane == "host" and kind(s.name) == s.name != "head":
                self.add(f"{s.lane}  {kind(s.name)}", s.end - s.begin)

    def add(self, row, millis):
        self.rows[row] += millis / self.steps


def cell(rank, base, row):
    less = f"{rank.rows[row] - base.rows[row]:+.2f}" if base and row in rank.rows and row in base.rows else ""
    return (f"{rank.rows[row]:10.2f}" if row in rank.rows else " " * 10) + (f"{less:>10}" if base else "")


def table(runs):
    traces = list(map(spans_of_ranks, runs))
    alone = {gpu: Rank(runs[gpu], 0, traces[gpu]) for gpu in (0, 1) if traces[gpu]}
    columns = [(rank, alone.get(0) if gpu else None) for gpu, rank in alone.items()]
    columns += [(Rank(run, r, ranks, alone.get(r)), alone.get(r)) for run, ranks in zip(runs[2:], traces[2:]) for r in sorted(ranks)]
    rows = {row: ORDER.index(re.match(r"\w+", row)[0]) for rank, _ in columns for row in rank.rows}
    widest = max(map(len, rows), default=0)
    print(" " * widest + "".join(f"{rank.label:>10}" + (f"{'- ' + base.label:>10}" if base else "") for rank, base in columns))
    for row in sorted(rows, key=lambda row: (rows[row], row if row.startswith("exchange") else "")):
        print(f"{row:{widest}}" + "".join(cell(rank, base, row) for rank, base in columns))
    for rank, base in columns:
        longest = sorted(rank.gaps, key=lambda g: g.begin - g.end)[:4]
        print(f"{rank.label}, longest gaps: " + "; ".join(f"{g.end - g.begin:.2f} {g.name} (step {g.step})" for g in longest))
        if base:
            grown = sorted(((rank.layers[n] - base.layers[n], n) for n in rank.layers.keys() & base.layers.keys()), reverse=True)
            print(f"{rank.label}, most above {base.label}: " + "; ".join(f"{more:+.2f} {name}" for more, name in grown[:4]))
    return bool(columns)


def main(command=None, *args):
    if command == "rows" and len(args) == 3:
        drawn, (count, length, ids) = random.Random(1), map(int, args)
        print(*(json.dumps({"input_ids": drawn.choices(range(ids), k=length), "prompt_length": 1}) for _ in range(count)), sep="\n")
    elif command == "table" and len(args) >= 2:
        sys.exit(not table(list(map(pathlib.Path, args))))
    else:
        sys.exit(__doc__)


main(*sys.argv[1:])
