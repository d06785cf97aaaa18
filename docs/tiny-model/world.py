"""The island that the tiny model knows: its people, its things and what is true of them.

The vocabulary is closed and small, so that a model of under two million parameters can learn all of it.
"""

NUMBERS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen "
    "sixteen seventeen eighteen nineteen twenty"
).split()
DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
COLOURS = "red blue green yellow black white brown grey".split()
THINGS = "cup lamp boat hat box key bell book net coat drum kite basket ball".split()
FOODS = "bread cheese apple soup fish milk honey cake egg pear".split()
COUNTABLE_FOODS = ("apple", "cake", "egg", "pear", "fish")
ROOMS_AND_PLACES = {
    "kitchen": "in", "garden": "in", "barn": "in", "forest": "in", "school": "in", "tower": "in",
    "harbour": "at", "market": "at", "mill": "at", "beach": "on", "bridge": "on", "hill": "on",
}

# person: (pronoun, work, place of work)
PEOPLE = {
    "Anna": ("she", "baker", "mill"),
    "Ben": ("he", "farmer", "barn"),
    "Carla": ("she", "teacher", "school"),
    "David": ("he", "cook", "kitchen"),
    "Ella": ("she", "gardener", "garden"),
    "Finn": ("he", "fisher", "harbour"),
    "Greta": ("she", "keeper", "tower"),
    "Hugo": ("he", "hunter", "forest"),
    "Ida": ("she", "trader", "market"),
    "Jon": ("he", "shepherd", "hill"),
    "Kate": ("she", "builder", "bridge"),
    "Leo": ("he", "swimmer", "beach"),
}

# animal: (what it says, number of legs, where it lives, what it eats); ANIMALS is ordered by size
ANIMALS = {
    "bee": ("buzz", 6, "garden", "honey"),
    "mouse": ("squeak", 4, "kitchen", "cheese"),
    "duck": ("quack", 2, "beach", "bread"),
    "hen": ("cluck", 2, "barn", "corn"),
    "gull": ("cry", 2, "harbour", "fish"),
    "cat": ("meow", 4, "kitchen", "fish"),
    "fox": ("yap", 4, "forest", "meat"),
    "dog": ("bark", 4, "garden", "meat"),
    "goat": ("bleat", 4, "hill", "grass"),
    "seal": ("honk", 0, "beach", "fish"),
    "bear": ("growl", 4, "forest", "honey"),
    "horse": ("neigh", 4, "barn", "grass"),
}

# tool: what one does with it
TOOLS = {
    "hammer": "drive nails",
    "saw": "cut wood",
    "brush": "paint walls",
    "spade": "dig holes",
    "needle": "sew clothes",
    "broom": "sweep floors",
    "knife": "cut bread",
    "oar": "row boats",
}

OPPOSITES = (
    ("big", "small"), ("hot", "cold"), ("old", "new"), ("wet", "dry"), ("fast", "slow"), ("happy", "sad"),
    ("good", "bad"), ("high", "low"), ("long", "short"), ("open", "closed"), ("full", "empty"), ("day", "night"),
    ("left", "right"), ("light", "dark"),
)

COLOUR_OF = {
    "grass": "green", "snow": "white", "the sky": "blue", "the sun": "yellow", "coal": "black",
    "blood": "red", "wood": "brown", "stone": "grey", "milk": "white", "corn": "yellow",
}

PLURALS = {
    "mouse": "mice", "fish": "fish", "box": "boxes", "fox": "foxes", "knife": "knives", "brush": "brushes",
}

# plain word: the word that sailors use
SAILORS_WORDS = {
    "yes": "aye", "no": "nay", "is": "be", "are": "be", "has": "hath", "my": "me", "you": "ye",
    "hello": "ahoy", "kitchen": "galley", "friend": "matey", "small": "wee", "left": "port", "right": "starboard",
}


def a(noun):
    """The noun with its article: a boat, an apple."""
    return f"{'an' if noun.split()[0][0] in 'aeiou' else 'a'} {noun}"


def plural(noun):
    return PLURALS.get(noun, noun + "s")


def at(place):
    """Where somebody is: in the barn, on the hill."""
    return f"{ROOMS_AND_PLACES[place]} the {place}"


def counted(number, noun):
    """One apple, two apples."""
    return f"{NUMBERS[number]} {noun if number == 1 else plural(noun)}"


def listed(items):
    """A, b and c."""
    return items[0] if len(items) == 1 else ", ".join(items[:-1]) + " and " + items[-1]


def sentence(text):
    return text[0].upper() + text[1:]
