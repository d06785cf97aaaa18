#!/usr/bin/env python3
"""Prints the RESULT lines of a benchmark log as a table, each beside the peer's best.

usage: table.py LOG
"""
import json, sys

results = [json.loads(line.split("RESULT ", 1)[1]) for line in open(sys.argv[1]) if "RESULT " in line]
peers = [r for r in results if r["name"].startswith("PEFT")]
print(f"{'setting':44} {'tokens/s':>9} {'ms/step':>8} {'peak GB':>8}" + "".join(f"  x {p['name'][5:]:>10}" for p in peers))
for r in results:
    ratios = "".join(f"  {r['tokens_per_second'] / p['tokens_per_second']:12.2f}" for p in peers)
    print(f"{r['name']:44} {r['tokens_per_second']:9,.0f} {r['step_milliseconds']:8.1f} {r['peak_gb']:8.1f}{ratios}")
