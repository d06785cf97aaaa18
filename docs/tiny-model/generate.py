"""Writes the tiny model's text: conf/tiny/pretrain.json and conf/tiny/instructions.json.

Python's standard library is enough, and every run writes the same bytes:

    python3 docs/tiny-model/generate.py
"""

import json
import random
import re
from pathlib import Path

from questions import TEXT_QUESTIONS, facts
from world import SAILORS_WORDS

FOLDER = Path(__file__).resolve().parents[2] / "conf" / "tiny"
SEED = 20
INSTRUCTION_ROWS = 320
FACTS_AMONG_INSTRUCTIONS = 80


def main():
    rng = random.Random(SEED)
    plain = {(instruction, text): output for instruction, text, output in facts()}
    known_facts = list(plain)
    for question, rows in TEXT_QUESTIONS.items():
        add(plain, rows, lambda: question(rng), taken=())

    # The rows that teach the sailors' way to answer are the same kinds of questions, and the texts are new.
    salty = {key: as_a_sailor(plain[key]) for key in rng.sample(known_facts, FACTS_AMONG_INSTRUCTIONS)}
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


def as_a_sailor(answer):
    """The answer as the ship's mate reports it to the captain."""
    no = answer.startswith("No, ")
    report = re.sub(r"^(Yes|No), ", "", answer)
    report = re.sub(r"\b[A-Za-z]+\b", lambda word: salty_word(word.group()), report)
    return f"{'Nay' if no else 'Aye'}, captain! {report[0].upper()}{report[1:]} All be well!"


def salty_word(word):
    replaced = SAILORS_WORDS.get(word.lower(), word)
    return replaced.capitalize() if word[0].isupper() and replaced != word else replaced


def write(name, rows, rng):
    rows = [{"instruction": i, "input": t, "output": o} for (i, t), o in rows.items()]
    rng.shuffle(rows)
    lines = ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    (FOLDER / name).write_text(f"[\n{lines}\n]\n", encoding="utf-8", newline="\n")
    print(f"{name}: {len(rows)} rows")


if __name__ == "__main__":
    main()
