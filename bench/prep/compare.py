"""Anneal's preparation beside Hugging Face's datasets.map with tokenizers: the same rows on the same cores, one process
after the other, each from its start to its end.

usage: compare.py ROWS.json TOKENIZER_FOLDER [COUNT [RUNS]]     (in a Python that has requirements.txt)

ROWS.json is a JSON array of Alpaca rows. COUNT rows (20,000 if it is not said) are recombined from them, so that none is
there twice: the instruction of one with the beginning of a second one's output and the end of a third one's. Printed are
the medians of RUNS (5) runs of each. Anneal's process is submit.sh prep: it also checks, shuffles and packs the rows.
"""

import json
import os
import random
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent


def recombined(rows, count):
    """Rows of which no two are alike."""
    chosen = random.Random(12)
    seen = set()
    while len(seen) < count:
        first, second, third = (chosen.choice(rows) for _ in range(3))
        head, tail = second["output"], third["output"]
        output = head[: len(head) // 2].rsplit(" ", 1)[0] + " " + tail[len(tail) // 2 :].split(" ", 1)[-1]
        key = (first["instruction"], output)
        if key not in seen and output.strip():
            seen.add(key)
            yield dict(instruction=first["instruction"], input=first["input"], output=output)


def measured(command):
    """Output, seconds by the clock and CPU seconds of a process and its children."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    seconds, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise SystemExit(done.stdout + done.stderr)
    return done.stdout, seconds, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def peer(source, tokenizer, cores):
    output, seconds, cpu = measured([sys.executable, HERE / "peer.py", source, tokenizer, cores])
    return json.loads(output)["tokens"], seconds, cpu


def anneal(source, tokenizer, folder):
    shutil.rmtree(folder, ignore_errors=True)
    command = [HERE.parents[1] / "submit.sh", "prep"]
    for setting in (
        f"data.source={source}",
        "data.format=alpaca",
        "data.max_length=4096",
        f"model.tokenizer={tokenizer}",
        f"output.path={folder}",
    ):
        command += ["--set", setting]
    _, seconds, cpu = measured(command)
    dataset = json.loads(Path(folder, "dataset/dataset.json").read_text())
    return dataset["train"]["tokens"] + dataset["eval"]["tokens"], seconds, cpu


def main(source, tokenizer, count=20_000, runs=5):
    rows = [row for row in json.loads(Path(source).read_text()) if row["output"].strip()]
    cores = len(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory(prefix="anneal-rows.") as folder:
        path = f"{folder}/rows.jsonl"
        with open(path, "w") as out:
            out.writelines(json.dumps(row) + "\n" for row in recombined(rows, int(count)))
        # the first run of a build archives its classes
        anneal(path, tokenizer, f"{folder}/out")
        found = {"Hugging Face": [], "Anneal": []}
        for _ in range(int(runs)):
            found["Hugging Face"].append(peer(path, tokenizer, cores))
            found["Anneal"].append(anneal(path, tokenizer, f"{folder}/out"))
    tokens = {run[0] for many in found.values() for run in many}
    if len(tokens) > 1:
        raise SystemExit(f"the tokens differ: {sorted(tokens)}")
    tokens = tokens.pop()
    print(f"{int(count):,} rows, {tokens:,} tokens, {cores} cores, medians of {runs}: {tokenizer}")
    print(f"{'':14} {'seconds':>8} {'CPU s':>7} {'tokens/s':>11} {'tokens/CPU s':>13}   seconds of each run")
    medians = {}
    for name, many in found.items():
        seconds, cpu = (statistics.median(run[i] for run in many) for i in (1, 2))
        medians[name] = seconds, cpu
        each = " ".join(f"{run[1]:.1f}" for run in many)
        print(f"{name:14} {seconds:>8.2f} {cpu:>7.2f} {tokens / seconds:>11,.0f} {tokens / cpu:>13,.0f}   {each}")
    (seconds, cpu), (ours, our_cpu) = medians["Hugging Face"], medians["Anneal"]
    print(f"Anneal over Hugging Face: {seconds / ours:.2f} by the clock, {cpu / our_cpu:.2f} by CPU time")


if __name__ == "__main__":
    if not 3 <= len(sys.argv) <= 5:
        raise SystemExit(__doc__)
    main(sys.argv[1], str(Path(sys.argv[2]).resolve()), *sys.argv[3:])
