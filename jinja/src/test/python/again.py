"""Renders cases of fuzz.py once more, in another process: again.py CASES > texts.jsonl"""

import json
import sys

from environment import render
from fuzz import TooLong, prepare, signal

prepare()
for line in open(sys.argv[1], encoding="utf-8"):
    fields = json.loads(line)
    try:
        signal.alarm(3)
        text = render(fields["template"], fields["variables"])["text"]
        signal.alarm(0)
    except TooLong:
        text = None
    print(json.dumps(text))
