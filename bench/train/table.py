#!/usr/bin/env python3
"""Prints the RESULT lines of a benchmark log as a table a group, each beside the group's peers (or,
where it has none, its first line).

usage: table.py LOG
"""
import json, sys

groups = []
for line in open(sys.argv[1]):
    if line.startswith("GROUP "):
        groups.append((line.split()[1], []))
    elif "RESULT " in line:
        groups[-1][1].append(json.loads(line.split("RESULT ", 1)[1]))

for group, results in groups:
    if group == "memory":
        print(f"\nmemory: GB of tensors at the peak; reserved by libtorch; outside it\n{'':48}{'predicted':>10}{'measured':>10}{'ratio':>8}{'reserved':>10}{'outside':>9}")
        for r in results:
            print(f"{r['name']:48}{r['predicted_gb']:10.2f}{r['peak_gb']:10.2f}{r['predicted_gb'] / r['peak_gb']:8.3f}{r.get('peak_reserved_gb', 0):10.2f}{r.get('outside_gb', 0):9.2f}")
        continue
    unit = "rows_per_second" if any("rows_per_second" in r for r in results) and group == "rows" else "tokens_per_second"
    beside = [r for r in results if r["name"].startswith("PEFT")] or results[:1]
    print(f"\n{group}: {unit.replace('_per_', ' per ')}")
    for i, r in enumerate(beside):
        print(f"  [{i + 1}] {r['name']}")
    print(f"{'':36}{unit.split('_')[0] + '/s':>10}{'ms/step':>10}{'peak GB':>10}" + "".join(f"{f'x [{i + 1}]':>9}" for i in range(len(beside))))
    for r in results:
        ratios = "".join(f"{r[unit] / p[unit]:9.2f}" for p in beside)
        print(f"{r['name']:36}{r[unit]:10,.0f}{r['step_milliseconds']:10.1f}{r['peak_gb']:10.1f}{ratios}")
