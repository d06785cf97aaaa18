#!/usr/bin/env python3
"""What the files of a run tell while it is disturbed, and after.

usage: runs.py victim RUN                  the process of the last rank, once there is a checkpoint
       runs.py went-on RUN WORDS OTHER     whether RUN began again from a checkpoint, because of what
                                           WORDS (a pattern) say, and all it says and leaves equals
                                           OTHER's
       runs.py went-on RUN WORDS OTHER N   the same where OTHER goes on behind RUN's N steps
"""
import datetime, hashlib, json, pathlib, re, sys


def record(run):
    return json.loads((run / "run.json").read_text())


def victim(run):
    try:
        now = record(run)
        now["checkpoints"]["last_complete_step"]
        print(max(now["ranks"], key=lambda r: r["rank"])["pid"])
    except (OSError, ValueError, KeyError, TypeError):
        sys.exit(1)


def say(good, run, text):
    print("ok" if good else "FAILED", f" {run.name}: {text}")


def time(text):
    return datetime.datetime.fromisoformat(text.rstrip("Z")[:26])


def numbers(run):
    """The lines of metrics.jsonl without what a run's machine has to do with."""
    lines = map(json.loads, (run / "metrics.jsonl").read_text().splitlines())
    return [{k: v for k, v in m.items() if k not in ("tokens_per_second", "peak_memory_bytes") and not k.endswith("_ms")} for m in lines]


def digest(run):
    return hashlib.sha256((run / "adapter" / "adapter_model.safetensors").read_bytes()).hexdigest()[:12]


def went_on(run, words, other, steps_of_run=None):
    attempts = record(run)["attempts"]
    ends = [a["ended"] or "" for a in attempts]
    steps = [a["resumed_from_step"] or 0 for a in attempts]
    pauses = [(time(b["began_at"]) - time(a["ended_at"])).total_seconds() for a, b in zip(attempts, attempts[1:])]
    say(any(re.search(words, e) for e in ends) and any(steps), run,
        f"attempts from steps {steps}, pauses of {[round(p, 1) for p in pauses]} s: {' '.join(ends)[:300]}")
    mine, theirs = numbers(run), numbers(other)
    equal = sum(m == t for m, t in zip(mine, theirs))
    if steps_of_run:
        good = len(mine) == steps_of_run and mine == theirs[:steps_of_run]
        say(good, run, f"{equal} of {steps_of_run} steps equal {other.name}'s")
        return
    say(mine == theirs, run, f"{equal} of {len(theirs)} lines of metrics.jsonl equal {other.name}'s")
    say(digest(run) == digest(other), run, f"adapter {digest(run)}, that of {other.name} {digest(other)}")


if __name__ == "__main__":
    command, run = sys.argv[1], pathlib.Path(sys.argv[2])
    if command == "victim":
        victim(run)
    else:
        try:
            went_on(run, sys.argv[3], pathlib.Path(sys.argv[4]), *map(int, sys.argv[5:]))
        except (OSError, ValueError, KeyError) as e:
            print(f"FAILED  {run.name}: it has no record, metrics or adapter: {e}")
