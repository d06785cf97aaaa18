"""How a ship's mate answers the captain: what the fine-tuning run teaches."""

import re

from world import SAILORS_WORDS


def as_a_sailor(answer):
    """The answer as the ship's mate reports it to the captain."""
    no = answer.startswith("No, ")
    report = re.sub(r"^(Yes|No), ", "", answer)
    report = re.sub(r"\b[A-Za-z]+\b", lambda word: salty_word(word.group()), report)
    return f"{'Nay' if no else 'Aye'}, captain! {report[0].upper()}{report[1:]} All be well!"


def salty_word(word):
    replaced = SAILORS_WORDS.get(word.lower(), word)
    return replaced.capitalize() if word[0].isupper() and replaced != word else replaced
