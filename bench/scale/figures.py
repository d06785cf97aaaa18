#!/usr/bin/env python3
"""What the scripts of this folder measured, beside what `plan` says of the same settings.

usage: figures.py kept PLAN                       activations.checkpoint of a plan: none, layer, a number
       figures.py row ROWS NAME GPUS GOAL PLAN    one more row, without a measurement
       figures.py result ROWS ... PLAN LOG        the same with TrainingBenchmark's last line in LOG
       figures.py run ROWS ... PLAN RUN WARMUP    the same with the steps of a run behind the first
                                                  WARMUP, and what its GPUs held (RUN.memory)
       figures.py table ROWS                      the rows, measured beside predicted
       figures.py markdown ROWS                   the predictions alone
       figures.py held MEMORY GB                  whether no GPU ever held more than that, by nvidia-smi
       figures.py slower RATE GBIT                the slower of what tc is told and GBIT, as `plan` takes it
       figures.py crossed PLAN BYTES STEPS GPUS   BYTES over a link in so many steps, beside the plan's of a
                                                  node of so many GPUs
       figures.py losses METRICS OTHER            whether two runs of the same batches have the same losses
PLAN is what `plan` printed. GOAL: linear:0.95 (of as many times one GPU), all:1850 (tokens/s of all
GPUs), gpu:2650 (of each), or - for none.
"""
import json, pathlib, re, statistics, sys

# equal but for the order in which ranks are summed; later steps train on what came of it
FIRST_STEP, ANY_STEP = 1e-6, 2e-2


def number(pattern, text):
    found = re.search(pattern, text)
    return float(found.group(1).replace(",", "")) if found else None


def network(text):
    """What a step brings a GPU from other nodes: the last of the columns, where it has a number."""
    head = re.search(r"^ +from host +to host +NVLink +network$", text, re.M)
    row = re.search(r"^all  .*$", text[head.end():], re.M) if head else None
    column = row and row[0][len(head[0]) - 11:].strip()
    return float(column) if column else 0.0


def plan(file):
    text = pathlib.Path(file).read_text()
    found = {
        "gpu_gb": number(r"\nGPU: ([\d.]+) of", text),
        "host_gb": number(r"\nHost, \d+ GPUs: ([\d.]+)", text),
        "tokens_per_second": number(r"\nSpeed on \S.*?: about ([\d,]+) tokens/s", text),
        "network_gb": network(text),
        "binds": (re.search(r"what binds: (.*)", text) or [None, "no estimate"])[1],
        "kept": (re.search(r"\nWith .*activations\.checkpoint=(\w+)", text) or [None, None])[1],
        "refusal": (re.search(r"\nanneal: (.*)", "\n" + text) or [None, None])[1],
    }
    if found["gpu_gb"] is None:
        sys.exit(f"{file} is no plan: {text.strip().splitlines()[-1:]}")
    return found


def metrics(file):
    lines = map(json.loads, pathlib.Path(file).read_text().splitlines())
    return [m for m in lines if "loss" in m]


def last_result(log):
    lines = [l for l in pathlib.Path(log).read_text().splitlines() if l.startswith("RESULT ")]
    line = json.loads(lines[-1].removeprefix("RESULT "))
    return {"tokens_per_second": line["tokens_per_second"], "peak_gb": line["peak_gb"], "loss": line["last_loss"]}


def most_held(file):
    """In GB, of what nvidia-smi said every second of every GPU."""
    mib = re.findall(r"^\d+, (\d+)$", file.read_text(), re.M) if file.exists() else []
    return max(map(float, mib)) * 2**20 / 1e9 if mib else None


def steps_of(run, warmup):
    steps = metrics(pathlib.Path(run) / "metrics.jsonl")
    measured = steps[int(warmup):]
    if not measured:
        sys.exit(f"{run} has {len(steps)} steps, and the first {warmup} do not count")
    seconds = sum(m["tokens"] / m["tokens_per_second"] for m in measured)
    return {
        "tokens_per_second": sum(m["tokens"] for m in measured) / seconds,
        "median": statistics.median(m["tokens_per_second"] for m in measured),
        "steps": len(steps),
        "peak_gb": max(m["peak_memory_bytes"] for m in steps) / 1e9,
        "held_gb": most_held(pathlib.Path(f"{run}.memory")),
        "loss": steps[-1]["loss"],
    }


def add(rows, name, gpus, goal, predicted, measured):
    line = {"name": name, "gpus": int(gpus), "goal": goal, "plan": plan(predicted), "measured": measured}
    with open(rows, "a") as file:
        file.write(json.dumps(line) + "\n")


def of_linear(rows, row, rate):
    """Of as many times the mean of one GPU's rows, where that is the goal."""
    if not row["goal"].startswith("linear"):
        return None
    ones = [rate(r) for r in rows if r["gpus"] == 1 and rate(r)]
    return rate(row) / row["gpus"] / statistics.mean(ones) if ones and rate(row) else None


def reached(row, rate, linear):
    kind, _, least = row["goal"].partition(":")
    if not least:
        return ""
    least = float(least)
    got = {"linear": linear, "all": rate, "gpu": rate and rate / row["gpus"]}[kind]
    words = f"{least:.0%}" if kind == "linear" else f"{least:,.0f}" + (" a GPU" if kind == "gpu" else "")
    return f">= {words}: " + ("-" if got is None else "yes" if got >= least else f"no, {got / least - 1:.1%}")


def measured_rate(row):
    return row["measured"] and row["measured"]["tokens_per_second"]


def planned_rate(row):
    return row["plan"]["tokens_per_second"]


def cell(value, form):
    return "-" if value is None else format(value, form)


def table(rows):
    widest = max(len(r["name"]) for r in rows) + 2
    heads = ["GPUs", "tokens/s", "a GPU", "linear", "planned", "linear", "ratio", "GB", "planned", "in all"]
    print(f"{'':{widest}}" + "".join(f"{h:>10}" for h in heads) + "  goal; what binds by the plan")
    for r in rows:
        m, p, got, said = r["measured"] or {}, r["plan"], measured_rate(r), planned_rate(r)
        linear = of_linear(rows, r, measured_rate)
        cells = [
            str(r["gpus"]), cell(got, ",.0f"), cell(got and got / r["gpus"], ",.0f"), cell(linear, ".1%"),
            cell(said, ",.0f"), cell(of_linear(rows, r, planned_rate), ".1%"), cell(got and said and said / got, ".2f"),
            cell(m.get("peak_gb"), ".2f"), cell(p["gpu_gb"], ".2f"), cell(m.get("held_gb"), ".2f"),
        ]
        print(f"{r['name']:{widest}}" + "".join(f"{c:>10}" for c in cells) + f"  {reached(r, got, linear)}; {p['binds']}".replace("  ; ", "  "))
        if p["refusal"]:
            print(f"{'':{widest}}  plan: {p['refusal']}")


def markdown(rows):
    print("| setting | GPUs | GB a GPU | GB of the host | tokens/s | a GPU | of linear | binds | goal |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    for r in rows:
        p, said = r["plan"], planned_rate(r)
        linear = of_linear(rows, r, planned_rate)
        fits = f"{p['gpu_gb']:.1f}" + (" (too much)" if p["refusal"] else "")
        print(f"| {r['name']} | {r['gpus']} | {fits} | {cell(p['host_gb'], '.0f')} | {cell(said, ',.0f')} | {cell(said and said / r['gpus'], ',.0f')}"
              f" | {cell(linear, '.1%')} | {p['binds']} | {reached(r, said, linear)} |")


def losses(file, other):
    mine, theirs = metrics(file), metrics(other)
    pairs = list(zip(mine, theirs))
    unlike = [m["step"] for m, t in pairs if m["target_tokens"] != t["target_tokens"]]
    apart = [abs(m["loss"] - t["loss"]) / abs(t["loss"]) for m, t in pairs]
    good = bool(pairs) and not unlike and apart[0] <= FIRST_STEP and max(apart) <= ANY_STEP
    print("ok" if good else "FAILED", f" losses of {file} and {other} over {len(pairs)} steps:",
          f"other batches at steps {unlike}" if unlike else f"first {apart[0]:.1e} apart (bound {FIRST_STEP:.0e}), at most {max(apart):.1e} (bound {ANY_STEP:.0e})" if pairs else "none in common")
    return good


def main(command, *args):
    if command == "kept":
        print(plan(args[0])["kept"])
    elif command in ("table", "markdown"):
        rows = [json.loads(line) for line in open(args[0])]
        table(rows) if command == "table" else markdown(rows)
    elif command == "slower":
        units = {"m": 1e-3, "g": 1, "t": 1e3}
        rate = float("inf") if args[0] == "none" else float(args[0][:-4]) * units[args[0][-4]]
        print(f"{min(rate, float(args[1])):.3f}Gbit")
    elif command == "crossed":
        of_step = float(args[1]) / 1e9 / int(args[2])
        print(f"{of_step:.4f} GB a step, {plan(args[0])['network_gb'] * int(args[3]):.2f} by the plan")
    elif command == "held":
        most = most_held(pathlib.Path(args[0]))
        print("ok" if most and most <= float(args[1]) else "FAILED", f" a GPU held {cell(most, '.2f')} of {args[1]} GB at most, by nvidia-smi")
    elif command == "losses":
        sys.exit(not losses(*args))
    elif command == "row":
        add(*args, None)
    elif command == "result":
        add(*args[:5], last_result(args[5]))
    elif command == "run":
        add(*args[:5], steps_of(*args[5:]))
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main(*sys.argv[1:] or ["help"])
