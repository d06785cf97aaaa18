"""Variables of a template, odd ones among them."""

TEXTS = [
    "", " ", "abc", "Hello World", "héllo wörld", "  padded \n", "a,b,,c", "😀x😁", "ß", "ǆ", "İstanbul", "ΑΣ", "123", "-4", "1.5", "1e3",
    "0x1f", "True", "<b>&'\"</b>", "line one\nline two\r\nthree\x85four", "tab\there", "%s %d", "{} {0}", "{x}", "%", "a'b", 'q"q\'',
    "\\n", "\u00a0\u2003", "\x00\x1f", "½²", "foo-bar baz_qux", "don't stop", "٣", "ſ", "ﬁne", "\u2028", "www.example.com", "a@b.co",
    "user", "assistant", "system", "inf", "nan", "_", "1_000",
]
INTS = [0, 1, -1, 2, 3, 5, 7, 10, 42, 100, -17, 255, 2**31, 2**53 + 1, 2**63 - 1, 2**63, -(2**63), 10**30, -(10**25)]
FLOATS = [0.0, -0.0, 1.0, 0.5, -1.5, 2.5, 3.14159, 1e16, 1e-5, 123456789.125, 0.1, 1e22, 1e300, 5e-324, 1 / 3, 100.0, 2.675, 1e15, 12345.678]


def scalar(rng):
    return rng.choice([rng.choice(TEXTS), rng.choice(TEXTS), rng.choice(INTS), rng.choice(FLOATS), True, False, None])


def value(rng, depth):
    kind = rng.random()
    if depth <= 0 or kind < 0.4:
        return scalar(rng)
    if kind < 0.7:
        if rng.random() < 0.5:
            pool = rng.choice([TEXTS, INTS, FLOATS])
            return [rng.choice(pool) for _ in range(rng.randint(0, 5))]
        return [value(rng, depth - 1) for _ in range(rng.randint(0, 4))]
    return {rng.choice(["a", "b", "c", "role", "content", "items", "x y", "é", "0", "", "get", "update"]): value(rng, depth - 1) for _ in range(rng.randint(0, 4))}


def message(rng):
    turn = {"role": rng.choice(["user", "assistant", "system", "tool"]), "content": rng.choice(TEXTS)}
    if rng.random() < 0.3:
        turn["n"] = rng.choice(INTS + FLOATS)
    if rng.random() < 0.2:
        turn["tool_calls"] = [{"function": {"name": "f", "arguments": value(rng, 2)}}]
    if rng.random() < 0.1:
        turn["content"] = value(rng, 2)
    return turn


def tree(rng, depth):
    node = {"v": scalar(rng)}
    if depth > 0 and rng.random() < 0.7:
        node["c"] = [tree(rng, depth - 1) for _ in range(rng.randint(0, 2))]
    return node


def variables(rng):
    return {
        "messages": [message(rng) for _ in range(rng.randint(0, 4))],
        "tree": [tree(rng, 2) for _ in range(rng.randint(0, 2))],
        "l": [rng.choice(rng.choice([INTS, FLOATS, TEXTS])) for _ in range(rng.randint(0, 5))],
        "n": rng.choice(INTS),
        "m": rng.choice([0, 1, 2, 3, -1, -2, 5]),
        "f": rng.choice(FLOATS),
        "s": rng.choice(TEXTS),
        "t": rng.choice(TEXTS),
        "d": {rng.choice("abcxyzABC") + rng.choice(["", "1", "é"]): value(rng, 1) for _ in range(rng.randint(0, 4))},
        "v": value(rng, 3),
        "yes": True,
        "nothing": None,
    }
