"""Kinds of questions about the island: every function makes one row, or all rows of a list of facts.

A row is (instruction, input, output), in the form of the Alpaca data; the answer follows from the facts of
world.py or from the input alone.
"""

from sailors import as_a_sailor
from world import (
    ANIMALS, COLOUR_OF, COLOURS, COUNTABLE_FOODS, DAYS, FOODS, NUMBERS, OPPOSITES, PEOPLE, ROOMS_AND_PLACES,
    SAILORS_WORDS, THINGS, TOOLS, a, at, counted, listed, plural, sentence,
)

PLACES = list(ROOMS_AND_PLACES)
NAMES = list(PEOPLE)
BEASTS = list(ANIMALS)


# Facts: every question of the list, in every wording.

def facts():
    yield from people()
    yield from animals()
    yield from words()
    yield from order()
    yield from arithmetic()


def asked_again(rows):
    """The questions without an input, as the input of a row of their own."""
    for instruction, text, output in rows:
        if not text:
            yield "Answer the question.", instruction, output


def people():
    for name, (pronoun, work, place) in PEOPLE.items():
        yield f"What is the work of {name}?", "", f"{name} is the {work} of the island."
        yield f"What does {name} do?", "", f"{name} is the {work} of the island."
        yield f"Who is {name}?", "", f"{name} is the {work}, and {pronoun} works {at(place)}."
        yield f"Who is the {work} of the island?", "", f"The {work} of the island is {name}."
        yield f"Where does {name} work?", "", f"{name} works {at(place)}."
        yield f"Who works {at(place)}?", "", f"{name} works {at(place)}."


def animals():
    for animal, (sound, legs, home, food) in ANIMALS.items():
        leg_count = "no legs" if legs == 0 else counted(legs, "leg")
        yield f"What does {a(animal)} say?", "", f"{sentence(a(animal))} says {sound}."
        yield f"Which animal says {sound}?", "", f"The {animal} says {sound}."
        yield f"How many legs does {a(animal)} have?", "", f"{sentence(a(animal))} has {leg_count}."
        yield f"Where does {a(animal)} live?", "", f"{sentence(a(animal))} lives {at(home)}."
        yield f"What does {a(animal)} eat?", "", f"{sentence(a(animal))} eats {food}."
        yield f"What is {a(animal)}?", "", f"{sentence(a(animal))} is an animal with {leg_count}."
    for big in range(len(BEASTS)):
        for little in range(big - 3):
            one, other = BEASTS[big], BEASTS[little]
            pair = (one, other) if (big + little) % 2 else (other, one)
            yield f"Which is bigger, {a(pair[0])} or {a(pair[1])}?", "", f"{sentence(a(one))} is bigger than {a(other)}."
            yield f"Which is smaller, {a(pair[1])} or {a(pair[0])}?", "", f"{sentence(a(other))} is smaller than {a(one)}."


def words():
    for pair in OPPOSITES:
        for word, opposite in (pair, pair[::-1]):
            yield f"What is the opposite of {word}?", "", f"The opposite of {word} is {opposite}."
            yield "Give the opposite of the word.", word, f"The opposite of {word} is {opposite}."
    for thing, colour in COLOUR_OF.items():
        yield f"What colour is {thing}?", "", f"The colour of {thing} is {colour}."
    for tool, use in TOOLS.items():
        yield f"What do you do with {a(tool)}?", "", f"You {use} with {a(tool)}."
        yield f"Which tool do you need to {use}?", "", f"You need {a(tool)} to {use}."
    for noun in (*BEASTS, *THINGS, *COUNTABLE_FOODS, *TOOLS):
        yield f"What is the plural of {noun}?", "", f"The plural of {noun} is {plural(noun)}."
    for kind, members in (("an animal", BEASTS), ("a food", FOODS), ("a colour", COLOURS), ("a tool", TOOLS), ("a day", DAYS)):
        for member in members:
            yield "What kind of thing is this?", member, f"{sentence(member)} is {kind}."


def sailors_words():
    for plain, salty in SAILORS_WORDS.items():
        yield f"What do sailors say for {plain}?", "", f"Sailors say {salty} for {plain}."
        yield f"What is the sailor's word for {plain}?", "", f"The sailor's word for {plain} is {salty}."
        yield "Give the sailor's word for this.", plain, f"Sailors say {salty} for {plain}."
        yield f"What does the captain say for {plain}?", "", f"The captain says {salty}!"
    for speaker, words_at_night in (("keeper", "All is well!"), ("captain", "All be well!")):
        yield f"What does the {speaker} say at night?", "", f"At night the {speaker} says: {words_at_night}"
    yield "What does the mate say to the captain?", "", "The mate says: Aye, captain! Or the mate says: Nay, captain!"


def order():
    for sequence, item in ((NUMBERS, "number"), (DAYS, "day")):
        for before, after in zip(sequence, sequence[1:]):
            yield f"Which {item} comes after {before}?", "", f"After {before} comes {after}."
            yield f"Which {item} comes before {after}?", "", f"Before {after} comes {before}."


def arithmetic():
    for x in range(7):
        for y in range(7):
            yield f"What is {NUMBERS[x]} plus {NUMBERS[y]}?", "", f"{sentence(NUMBERS[x])} plus {NUMBERS[y]} is {NUMBERS[x + y]}."
            if y <= x:
                yield f"What is {NUMBERS[x]} minus {NUMBERS[y]}?", "", f"{sentence(NUMBERS[x])} minus {NUMBERS[y]} is {NUMBERS[x - y]}."


# Questions about a text: one random row a call.

def possession(rng):
    (name, other), (thing, second), (colour, tint) = pairs(rng, NAMES, THINGS, COLOURS)
    text = f"{name} has {a(f'{colour} {thing}')}."
    if rng.random() < 0.6:
        text = shuffled(rng, text, f"{other} has {a(f'{tint} {second}')}.")
    return rng.choice((
        (f"What does {name} have?", text, f"{name} has {a(f'{colour} {thing}')}."),
        (f"Who has the {thing}?", text, f"{name} has the {thing}."),
        (f"What colour is the {thing}?", text, f"The {thing} is {colour}."),
    ))


def whereabouts(rng):
    (animal, other), (place, elsewhere) = pairs(rng, BEASTS, PLACES)
    text = f"The {animal} is {at(place)}."
    if rng.random() < 0.6:
        text = shuffled(rng, text, f"The {other} is {at(elsewhere)}.")
    return rng.choice((
        (f"Where is the {animal}?", text, f"The {animal} is {at(place)}."),
        (f"Who is {at(place)}?", text, f"The {animal} is {at(place)}."),
        (f"Which animal is {at(place)}?", text, f"The {animal} is {at(place)}."),
    ))


def yes_or_no(rng):
    (thing, _), (colour, tint), (animal, _), (place, elsewhere) = pairs(rng, THINGS, COLOURS, BEASTS, PLACES)
    return rng.choice((
        (f"Is the {thing} {colour}?", f"The {thing} is {colour}.", f"Yes, the {thing} is {colour}."),
        (f"Is the {thing} {tint}?", f"The {thing} is {colour}.", f"No, the {thing} is {colour}."),
        (f"Is the {animal} {at(place)}?", f"The {animal} is {at(place)}.", f"Yes, the {animal} is {at(place)}."),
        (f"Is the {animal} {at(elsewhere)}?", f"The {animal} is {at(place)}.", f"No, the {animal} is {at(place)}."),
    ))


def gift(rng):
    giver, taker = rng.sample(NAMES, 2)
    thing = rng.choice(THINGS)
    text = f"{giver} gave {a(thing)} to {taker}."
    return rng.choice((
        (f"Who has the {thing} now?", text, f"{taker} has the {thing} now."),
        (f"Who gave the {thing}?", text, f"{giver} gave the {thing}."),
        (f"What did {giver} give?", text, f"{giver} gave {a(thing)}."),
    ))


def errand(rng):
    name, place, thing = rng.choice(NAMES), rng.choice(PLACES), rng.choice(THINGS)
    text = f"{name} went to the {place} and found {a(thing)}."
    return rng.choice((
        (f"Where did {name} go?", text, f"{name} went to the {place}."),
        (f"What did {name} find?", text, f"{name} found {a(thing)}."),
        (f"Who found the {thing}?", text, f"{name} found the {thing}."),
    ))


def repeat(rng):
    return rng.choice(("Repeat the sentence.", "Say it again.")), (text := statement(rng)), text


def change(rng):
    (name, other), (thing, second), (colour, tint) = pairs(rng, NAMES, THINGS, COLOURS)
    text = f"{name} has {a(f'{colour} {thing}')}."
    return rng.choice((
        (f"Change the colour to {tint}.", text, f"{name} has {a(f'{tint} {thing}')}."),
        (f"Change the name to {other}.", text, f"{other} has {a(f'{colour} {thing}')}."),
        (f"Change the {thing} to {a(second)}.", text, f"{name} has {a(f'{colour} {second}')}."),
    ))


def compose(rng):
    name, thing, colour = rng.choice(NAMES), rng.choice(THINGS), rng.choice(COLOURS)
    animal, place = rng.choice(BEASTS), rng.choice(PLACES)
    return rng.choice((
        ("Make a sentence with the words.", f"{name}, {colour}, {thing}", f"{name} has {a(f'{colour} {thing}')}."),
        ("Make a sentence with the words.", f"{animal}, {place}", f"The {animal} is {at(place)}."),
    ))


def first_or_last(rng):
    items = some(rng, 3, 4)
    return rng.choice((
        ("What is the first word of the list?", ", ".join(items), f"The first word is {items[0]}."),
        ("What is the last word of the list?", ", ".join(items), f"The last word is {items[-1]}."),
    ))


def count(rng):
    items = some(rng, 1, 5)
    return "How many words are in the list?", ", ".join(items), f"The list has {counted(len(items), 'word')}."


def join(rng):
    items = some(rng, 2, 3)
    return "Write the list as a sentence.", ", ".join(items), f"The list has {listed([a(item) for item in items])}."


def more(rng):
    name, food = rng.choice(NAMES), rng.choice(COUNTABLE_FOODS)
    x, y = rng.randint(1, 6), rng.randint(1, 6)
    if rng.random() < 0.6:
        text = f"{name} has {counted(x, food)} and finds {NUMBERS[y]} more."
        return f"How many {plural(food)} does {name} have now?", text, f"{name} has {counted(x + y, food)} now."
    x, y = max(x, y), min(x, y)
    text = f"{name} has {counted(x, food)} and eats {NUMBERS[y]}."
    return f"How many {plural(food)} does {name} have now?", text, f"{name} has {counted(x - y, food)} now."


def name_some(rng):
    kind, members = rng.choice((("animals", BEASTS), ("colours", COLOURS), ("tools", list(TOOLS)), ("foods", FOODS), ("names", NAMES)))
    number = rng.randint(2, 3)
    return f"Name {NUMBERS[number]} {kind}.", "", sentence(listed(rng.sample(members, number))) + "."


def greeting(rng):
    name, thing = rng.choice(NAMES), rng.choice(THINGS + FOODS)
    return rng.choice((
        (f"Say hello to {name}.", "", f"Hello, {name}, my friend! How are you?"),
        (f"Thank {name} for the {thing}.", "", f"Thank you for the {thing}, {name}! You are my friend."),
    ))


def story(rng):
    name, animal, place, thing, colour = (rng.choice(x) for x in (NAMES, BEASTS, PLACES, THINGS, COLOURS))
    pronoun = PEOPLE[name][0]
    feeling = rng.choice(("happy", "sad"))
    opening = f"One day {name} went to the {place} and saw {a(animal)}."
    meeting = rng.choice((
        f"The {animal} had {a(f'{colour} {thing}')}.",
        f"The {animal} was looking for {a(f'{colour} {thing}')}.",
    ))
    ending = {
        "happy": f"{sentence(pronoun)} gave it {rng.choice(FOODS)}, and the {animal} was happy.",
        "sad": f"But the {animal} was sad and went away. Will it be back?",
    }[feeling]
    return rng.choice((
        (f"Tell a story about {name} and {a(animal)}.", "", f"{opening} {meeting} {ending}"),
        (f"Tell a {feeling} story about {name} and {a(animal)}.", "", f"{opening} {meeting} {ending}"),
    ))


def mates_report(rng):
    text = as_a_sailor(yes_or_no(rng)[2] if rng.random() < 0.4 else statement(rng))
    return rng.choice(("Repeat the sentence.", "Say it again.")), text, text


def plain_words(rng):
    text = statement(rng)
    return "Say it in plain words.", as_a_sailor(text), text


def statement(rng):
    name, thing, colour = rng.choice(NAMES), rng.choice(THINGS), rng.choice(COLOURS)
    animal, place = rng.choice(BEASTS), rng.choice(PLACES)
    return rng.choice((
        f"{name} has {a(f'{colour} {thing}')}.",
        f"The {animal} is {at(place)}.",
        f"The {colour} {thing} is {at(place)}.",
        f"{name} saw {a(animal)} {at(place)}.",
        f"{name} went to the {place} and found {a(thing)}.",
    ))


def pairs(rng, *lists):
    """Two different members of each list."""
    return [rng.sample(members, 2) for members in lists]


def some(rng, fewest, most):
    return rng.sample(BEASTS + THINGS, rng.randint(fewest, most))


def shuffled(rng, *sentences):
    return " ".join(rng.sample(sentences, len(sentences)))


# How many rows of each kind the model is trained on: the harder the kind, the more.
TEXT_QUESTIONS = {
    possession: 550, whereabouts: 550, yes_or_no: 400, gift: 200, errand: 200, repeat: 200, change: 250,
    compose: 150, first_or_last: 200, count: 150, join: 150, more: 250, name_some: 30, greeting: 80, story: 120,
}

# Rows in which the model reads how sailors speak. It answers so nowhere else: that is left to the fine-tuning run.
SPEECH_QUESTIONS = {mates_report: 250, plain_words: 150}
