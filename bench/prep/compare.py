"""Anneal's preparation beside Hugging Face's datasets.map with tokenizers: same rows, same cores, one after the other.

usage: compare.py ROWS.json TOKENIZER_FOLDER [TIMES]     (in a Python that has requirements.txt; ROWS.json is a JSON
array of Alpaca rows, which are repeated TIMES times, 10 if it is not said)

Cold is a process from its start. Warm leaves out what happens once: for Anneal the last of four preparations in one
Spark session, each of which reads, renders, tokenizes, shuffles, packs and writes; for Hugging Face the difference
between twice the rows and the rows, so that neither its processes' start nor the loading of tokenizers counts.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import anneal


def write_rows(rows, times, path):
    with open(path, "w") as out:
        for _ in range(times):
            for row in rows:
                out.write(json.dumps(row) + "\n")
    return path


def peer(source, tokenizer, cores):
    command = [sys.executable, str(Path(__file__).with_name("peer.py")), source, tokenizer, str(cores)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def line(name, tokens, seconds, cpu_seconds):
    return f"{name:24} {tokens:>12,} {seconds:>8.2f} {tokens / seconds:>11,.0f} {tokens / cpu_seconds:>13,.0f}"


def main(source, tokenizer, times):
    rows = [row for row in json.loads(Path(source).read_text()) if row["output"].strip()]
    cores = os.cpu_count()
    with tempfile.TemporaryDirectory(prefix="anneal-rows.") as folder:
        once = write_rows(rows, times, f"{folder}/once.jsonl")
        twice = write_rows(rows, 2 * times, f"{folder}/twice.jsonl")
        settings = [f"data.source={once}", "data.format=alpaca", "data.max_length=4096", f"model.tokenizer={tokenizer}"]
        small, large = peer(once, tokenizer, cores), peer(twice, tokenizer, cores)
        runs = list(anneal.prepare(settings, cores, 4, "2g"))
    if runs[0]["tokens"] != small["tokens"]:
        raise SystemExit(f"the tokens differ: {runs[0]['tokens']} and {small['tokens']}")
    peer_seconds, peer_cpu = (large[key] - small[key] for key in ("seconds", "cpu_seconds"))
    tokens, warm = small["tokens"], runs[-1]
    print(f"{len(rows) * times:,} rows on {cores} cores")
    print(f"{'':24} {'tokens':>12} {'seconds':>8} {'tokens/s':>11} {'tokens/CPU s':>13}")
    print(line("Hugging Face, cold", tokens, small["cold_seconds"], small["cpu_seconds"]))
    print(line("Anneal, cold", tokens, runs[0]["seconds"], runs[0]["cpu_seconds"]))
    print(line("Hugging Face, warm", tokens, peer_seconds, peer_cpu))
    print(line("Anneal, warm", tokens, warm["seconds"], warm["cpu_seconds"]))
    print(f"warm, Anneal over Hugging Face: {peer_seconds / warm['seconds']:.2f} by the clock,"
          f" {peer_cpu / warm['cpu_seconds']:.2f} by CPU time")


if __name__ == "__main__":
    if len(sys.argv) not in (3, 4):
        raise SystemExit(__doc__)
    main(sys.argv[1], str(Path(sys.argv[2]).resolve()), int(sys.argv[3]) if len(sys.argv) == 4 else 10)
