"""Time and memory of the preparation from ten thousand rows to ten million, made from the rows of a file.

usage: scale.py ROWS.json TOKENIZER_FOLDER [LARGEST]     (ROWS.json is a JSON array of Alpaca rows)

Row i is row i modulo their number with i written behind its instruction, so that no two are alike. Every size runs
in a JVM of its own with a heap of 1 GiB; the rows and what is made of them need 15 GB of disk at ten million.
"""

import json
import os
import sys
import tempfile
from pathlib import Path

import anneal


def write_rows(rows, count, path):
    with open(path, "w") as out:
        for i in range(count):
            row = rows[i % len(rows)]
            out.write(json.dumps(dict(row, instruction=f"{row['instruction']} ({i})")) + "\n")


def main(source, tokenizer, largest):
    rows = [row for row in json.loads(Path(source).read_text()) if row["output"].strip()]
    print(f"{'rows':>12} {'tokens':>15} {'seconds':>9} {'CPU s':>9} {'tokens/CPU s':>12} {'peak MiB':>9} {'full':>7} {'files':>6}", flush=True)
    count = 10_000
    while count <= largest:
        with tempfile.TemporaryDirectory(prefix="anneal-rows.") as folder:
            path = f"{folder}/rows.jsonl"
            write_rows(rows, count, path)
            settings = [f"data.source={path}", "data.format=alpaca", "data.max_length=4096", f"model.tokenizer={tokenizer}"]
            for run in anneal.prepare(settings, os.cpu_count(), 1, "1g"):
                print(f"{run['rows']:>12,} {run['tokens']:>15,} {run['seconds']:>9.1f} {run['cpu_seconds']:>9.1f} {run['tokens'] / run['cpu_seconds']:>12,.0f}"
                      f" {run['peak_rss_mib']:>9,} {run['packing_efficiency']:>7.2%} {run['files']:>6}", flush=True)
        count *= 10


if __name__ == "__main__":
    if len(sys.argv) not in (3, 4):
        raise SystemExit(__doc__)
    main(sys.argv[1], str(Path(sys.argv[2]).resolve()), int(sys.argv[3]) if len(sys.argv) == 4 else 10_000_000)
