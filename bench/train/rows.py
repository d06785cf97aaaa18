#!/usr/bin/env python3
"""Writes prepared data sets as the JSON lines that the benchmark reads; needs pyarrow.

usage: rows.py PACKED_RUN UNPACKED_RUN PACKED_JSONL ROWS_JSONL
"""
import json, sys
from pathlib import Path

import pyarrow.ipc as ipc


def sequences(run):
    for file in sorted(Path(run, "dataset").glob("part-*.arrow")):
        yield from ipc.open_file(file).read_all().to_pylist()


packed, unpacked, packed_file, rows_file = sys.argv[1:]
with open(packed_file, "w") as out:
    for s in sequences(packed):
        keys = ("input_ids", "row_lengths", "target_spans")
        out.write(json.dumps({k: s[k] for k in keys}, separators=(",", ":")) + "\n")
with open(rows_file, "w") as out:
    for s in sequences(unpacked):
        row = {"input_ids": s["input_ids"], "prompt_length": s["target_spans"][0]}
        out.write(json.dumps(row, separators=(",", ":")) + "\n")
