#!/usr/bin/env python3
"""Sums the kernels of one step by name, from ncu's CSV on standard input.

The step is what lies between the last two optimizer updates.

usage: ncu --csv --metrics gpu__time_duration.sum java ... TrainingBenchmark --layers 2 | step_profile.py
"""
import csv, re, sys
from collections import defaultdict

KINDS = [
    ("frozen products", r"low_rank_product|f8f8|e4m3|rowwise|cutlass.*Sm90.*e4m3|GemmUniversal.*float_e4m3|nvjet_.*qqbf|nvjet_qq"),
    ("attention", r"flash|fmha"),
    ("our kernels", r"rms_norm|swiglu|rope|quantize|transpose|cross_entropy|adamw"),
    ("bf16 products", r"nvjet|gemm|cutlass|splitK|xmma|sgemm"),
]
lines = [line for line in sys.stdin if line.startswith('"')]
rows = [row for row in csv.DictReader(lines) if row.get("Metric Name") == "gpu__time_duration.sum"]
updates = [i for i, row in enumerate(rows) if "adamw" in row["Kernel Name"].lower()]
names, kinds = defaultdict(lambda: [0, 0.0]), defaultdict(float)
for row in rows[updates[-2] + 1 : updates[-1] + 1]:
    scale = {"ns": 1e-3, "us": 1.0, "ms": 1e3, "nsecond": 1e-3, "usecond": 1.0, "msecond": 1e3}[row["Metric Unit"]]
    time = float(row["Metric Value"].replace(",", "")) * scale
    name = f'{row["Kernel Name"][:90]} {row["Grid Size"]}'
    names[name][0] += 1
    names[name][1] += time
    kinds[next((k for k, p in KINDS if re.search(p, row["Kernel Name"], re.I)), "the rest")] += time
total = sum(kinds.values())
print(f"{total / 1e3:.2f} ms in {sum(n for n, _ in names.values())} kernels")
for kind, time in sorted(kinds.items(), key=lambda x: -x[1]):
    print(f"{time:10.0f} us {100 * time / total:5.1f}%  {kind}")
for name, (count, time) in sorted(names.items(), key=lambda x: -x[1][1])[:60]:
    print(f"{time:10.1f} us {count:5d} x {time / count:8.1f}  {name}")
