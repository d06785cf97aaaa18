#!/usr/bin/env python3
"""Prints the RESULT lines of a benchmark log as a table a group: with peers, how many times as fast each of ours is as
every line; without, every line beside the first.

usage: table.py LOG
"""
import json, statistics, sys

# a slow host's share of the tokens a second
SLOW_GOAL = 0.95


def memory(results):
    print(f"\nmemory: GB of tensors at the peak; reserved by libtorch; outside it\n{'':48}{'predicted':>10}{'measured':>10}{'ratio':>8}{'reserved':>10}{'outside':>9}")
    for r in results:
        print(f"{r['name']:48}{r['predicted_gb']:10.2f}{r['peak_gb']:10.2f}{r['predicted_gb'] / r['peak_gb']:8.3f}{r.get('peak_reserved_gb', 0):10.2f}{r.get('outside_gb', 0):9.2f}")


def speed(group, results):
    unit = "rows_per_second" if any("rows_per_second" in r for r in results) and group == "rows" else "tokens_per_second"
    peers = [r for r in results if r["name"].startswith("PEFT")]
    beside = [r for r in results if r not in peers] if peers else results[:1]
    print(f"\n{group}: {unit.replace('_per_', ' per ')}" + ("; [n]/it: how many times as fast [n] is as the line" if peers else ""))
    for i, r in enumerate(beside):
        print(f"  [{i + 1}] {r['name']}")
    heads = "".join(f"{f'[{i + 1}]/it' if peers else f'x [{i + 1}]':>9}" for i in range(len(beside)))
    print(f"{'':40}{unit.split('_')[0] + '/s':>10}{'ms/step':>10}{'peak GB':>10}{heads}")
    for r in results:
        ratios = "".join(f"{b[unit] / r[unit] if peers else r[unit] / b[unit]:9.2f}" for b in beside)
        print(f"{r['name']:40}{r[unit]:10,.0f}{r['step_milliseconds']:10.1f}{r['peak_gb']:10.1f}{ratios}")


def slow(results):
    """Lines are named SETTING, undisturbed or slow host, TURN."""
    for setting in dict.fromkeys(r["name"].rsplit(", ", 2)[0] for r in results):
        rates = [statistics.median(r["tokens_per_second"] for r in results if r["name"].startswith(f"{setting}, {how}, ")) for how in ("undisturbed", "slow host")]
        ratio = rates[1] / rates[0]
        print(f"{setting}: {rates[0]:,.0f} tokens/s undisturbed, {rates[1]:,.0f} on a slow host: {ratio:.3f} (goal: at least {SLOW_GOAL}) {'ok' if ratio >= SLOW_GOAL else 'MISSED'}")


groups = []
for line in open(sys.argv[1]):
    if line.startswith("GROUP "):
        groups.append((line.split()[1], []))
    elif "RESULT " in line:
        groups[-1][1].append(json.loads(line.split("RESULT ", 1)[1]))
for group, results in groups:
    if group == "memory":
        memory(results)
    elif results:
        speed(group, results)
        if group == "slow":
            slow(results)
