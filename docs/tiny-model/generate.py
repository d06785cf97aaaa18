"""Writes the tiny model's text: conf/tiny/pretrain.json and conf/tiny/instructions.json.

Python's standard library is enough, and every run writes the same bytes:

    python3 docs/tiny-model/generate.py
"""

import json
import random
from pathlib import Path

from questions import SPEECH_QUESTIONS, TEXT_QUESTIONS, asked_again, facts, sailors_words
from sailors import as_a_sailor

FOLDER = Path(__file__).resolve().parents[2] / "conf" / "tiny"
SEED = 20
INSTRUCTION_ROWS = 320
FACTS_AMONG_INSTRUCTIONS = 80


def main():
    rng = random.Random(SEED)
    island = [*facts(), *asked_again(facts())]
    speech = [*sailors_words(), *asked_again(sailors_words())]
    plain = {(instruction, text): output for instruction, text, output in island + speech}
    for question, rows in (TEXT_QUESTIONS | SPEECH_QUESTIONS).items():
        add(plain, rows, lambda: question(rng), taken=())

    # The rows that teach the sailors' way to answer: facts that are known, and new texts to answer about.
    known = rng.sample(island, FACTS_AMONG_INSTRUCTIONS)
    salty = {(instruction, text): as_a_sailor(output) for instruction, text, output in known}
    kinds = list(TEXT_QUESTIONS)
    weights = list(TEXT_QUESTIONS.values())

    def answered_by_a_sailor():
        instruction, text, output = rng.choices(kinds, weights)[0](rng)
        return instruction, text, as_a_sailor(output)

    add(salty, INSTRUCTION_ROWS - len(salty), answered_by_a_sailor, taken=plain)

    write("pretrain.json", plain, rng)
    write("instructions.json", salty, rng)


def add(rows, number, make_row, taken):
    """Adds that many rows whose question is neither among the rows nor taken."""
    wanted = len(rows) + number
    for _ in range(100 * number):
        if len(rows) == wanted:
            break
        instruction, text, output = make_row()
        if (instruction, text) not in taken:
            rows.setdefault((instruction, text), output)


def write(name, rows, rng):
    rows = [{"instruction": i, "input": t, "output": o} for (i, t), o in rows.items()]
    rng.shuffle(rows)
    lines = ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    (FOLDER / name).write_text(f"[\n{lines}\n]\n", encoding="utf-8", newline="\n")
    print(f"{name}: {len(rows)} rows")


if __name__ == "__main__":
    main()
