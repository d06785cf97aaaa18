"""A grammar of expressions."""

TEXTS = [
    "''", "'abc'", "'a b  c'", '"x"', "'Hello'", "'é😀'", "'a\\nb'", "'%s'", "'{}'", "'a' 'b'", "'\\u00e9\\x41'", "'ÀΣ'", "'<i>'", "'0'", "'12'", "'\\''",
    "'1.50'", "'a,b;c'", "'\\\\'", "'\\q'", "'\\N{DASH}'", "'\\101'", "'\\é'", "'ab\\\ncd'", "'role'", "'user'", "' x '",
]
NUMBERS = ["0", "1", "2", "3", "7", "-1", "10", "1.5", "0.0", "2.0", "1e3", "1_000", "0x1F", "0b11", "0o17", "1e20", "12345678901234567890", "0.1", "1.25", "2.5", "1_0.5e-2", "00"]
FORMATS = ["%s", "%d", "%5d|", "%-5s|", "%05.2f", "%x", "%r", "%c", "%%", "%e", "%g", "%+d", "% d", "%#x", "%.3s", "%i", "%o", "%(a)s", "%*d", "%.0f", "%a", "%G", "%X", "%5.1e", "%u", "%.10g", "%#o", "%z", "%", "%08d", "%+.3e", "%#g"]
SPECS = ["", ":>8", ":<6", ":^7", ":*^9", ":5d", ":05d", ":.2f", ":,", ":_", ":x", ":#x", ":b", ":e", ":g", ":%", ":+", ": ", ":s", ":.2", ":10.3f", ":c", ":=+8", ":o", ":n", ":,.2f", ":08.1f", ":_x", ":#b", ":X", ":G", ":.0f", ":<<5", ":z", ":{1}", ":10,", ":.3%", ":E", ":#.3g", ":-", ":06,", ":d", ":^6.1f", ":0>4"]
TESTS_PLAIN = ["defined", "undefined", "none", "boolean", "false", "true", "integer", "float", "lower", "upper", "string", "mapping", "number", "sequence", "iterable", "callable", "escaped", "odd", "even", "filter", "test"]
TESTS_ONE = ["divisibleby", "sameas", "in", "==", "eq", "equalto", "!=", "ne", ">", "gt", "greaterthan", "ge", ">=", "<", "lt", "lessthan", "<=", "le"]


class Expressions:
    def __init__(self, rng, templates):
        self.rng, self.templates = rng, templates

    def pick(self, *choices):
        return self.rng.choice(choices)

    def name(self):
        if self.rng.random() < 0.03:
            return self.pick("missing", "unknown", "loop", "caller", "true", "None")
        name = self.rng.choice(self.templates.names)
        return name

    def good(self, depth):
        """One that does not fail with the variables as they were given, if that is soon found."""
        expression = self.any(depth)
        for _ in range(2):
            if self.rng.random() < 0.1 or self.templates.succeeds(expression):
                break
            expression = self.any(depth)
        return expression

    def any(self, depth):
        if depth <= 0:
            return self.leaf()
        kinds = [
            (self.leaf, 3), (lambda: self.access(depth), 5), (lambda: self.filtered(depth), 7), (lambda: self.operation(depth), 4),
            (lambda: self.method(depth), 5), (lambda: self.condition(depth), 2), (lambda: self.literal(depth), 2),
            (lambda: self.ternary(depth), 1), (lambda: self.formatting(depth), 1.3), (lambda: self.call(depth), 1.5), (lambda: self.concat(depth), 1.5),
            (lambda: "(" + self.any(depth - 1) + ")", 1), (lambda: self.sequence(depth), 1.5), (self.loop, 2 if "loop" in self.templates.names else 0),
        ]
        functions, weights = zip(*kinds)
        return self.rng.choices(functions, weights)[0]()

    def leaf(self):
        kind = self.rng.random()
        if kind < 0.5:
            return self.name()
        if kind < 0.75:
            return self.rng.choice(TEXTS)
        if kind < 0.92:
            return self.rng.choice(NUMBERS)
        return self.pick("true", "false", "none", "True", "None", "[]", "{}", "()")

    def loop(self):
        return "loop." + self.pick(
            "index", "index0", "revindex", "revindex0", "first", "last", "length", "depth", "depth0", "previtem", "nextitem",
            "cycle('a', 'b')", "changed(" + self.name() + ")", "previtem.role", "nextitem.role", "cycle()", "nosuch",
        )

    def access(self, depth):
        base = self.pick(self.name(), self.name(), self.any(depth - 1))
        kind = self.rng.random()
        if base[:1] in "-+0123456789" or " " in base:
            base = "(" + base + ")"
        if kind < 0.4:
            return base + "." + self.pick("role", "content", "a", "b", "c", "n", "items", "v", "tool_calls", "keys", "update", "upper", "_x", "__class__", "0", "1", "x", "real", "append", "format", "name", "arguments", "grouper", "list")
        if kind < 0.7:
            return base + "[" + self.pick("0", "1", "-1", "'role'", "'a'", "m", "99", "-99", "'items'", "'upper'", "1.0", "true", "none", self.any(depth - 1)) + "]"
        if kind < 0.9:
            return base + "[" + self.bound() + ":" + self.bound() + self.pick("", "", ":" + self.pick("", "1", "2", "-1", "-2", "m")) + "]"
        return base + self.pick("[0].content", "[-1]['role']", "[0][0]", ".a.b", "[1:][0]", "['a']['b']", ".content[0]", "[:2][-1]", "[::-1]")

    def bound(self):
        return self.pick("", "", "0", "1", "2", "-1", "-2", "5", "m", "none", "100", "-100", "n", "1.5", "missing")

    def operation(self, depth):
        operator = self.pick("+", "+", "-", "*", "/", "//", "%", "**", "+", "and", "or")
        left = self.any(depth - 1)
        right = self.any(depth - 1)
        if operator == "**":
            left, right = self.pick("2", "n", "m", "f", "10", "0", "1.5", "(-2)"), self.pick("2", "3", "0", "m", "-1", "1", "0.5")
        if operator == "*" and self.rng.random() < 0.7:
            right = self.pick("2", "3", "0", "-1", "m", "true", "1.5")
        if self.rng.random() < 0.1:
            return self.pick("-", "+", "not ", "- -") + left
        return self.pick(f"{left} {operator} {right}", f"({left} {operator} {right})", f"{left}{operator if operator not in ('and', 'or') else ' ' + operator + ' '}{right}")

    def concat(self, depth):
        return " ~ ".join(self.any(depth - 1) for _ in range(self.rng.randint(2, 3)))

    def condition(self, depth):
        kind = self.rng.random()
        if kind < 0.35:
            signs = ["==", "!=", "<", "<=", ">", ">=", "in", "not in", "==", "in"]
            parts = [self.any(depth - 1)]
            for _ in range(self.pick(1, 1, 1, 2)):
                parts += [self.rng.choice(signs), self.any(depth - 1)]
            return " ".join(parts)
        if kind < 0.7:
            test = self.rng.choice(TESTS_PLAIN) if self.rng.random() < 0.65 else self.rng.choice([t for t in TESTS_ONE if t[0].isalpha()]) + self.pick(" ", "(") + self.pick("2", "'a'", "l", "none", "true", "n", "[1, 2]", "d", "m")
            if "(" in test:
                test += ")"
            if test.startswith("sameas"):
                test = self.pick("sameas none", "sameas(true)", "sameas false", "sameas(" + self.name() + ")")
            return f"{self.any(depth - 1)} is {self.pick('', '', 'not ')}{test}"
        if kind < 0.8:
            return "not " + self.any(depth - 1)
        return self.any(depth - 1)

    def ternary(self, depth):
        tail = "" if self.rng.random() < 0.2 else " else " + self.any(depth - 1)
        return f"{self.any(depth - 1)} if {self.condition(depth - 1)}{tail}"

    def literal(self, depth):
        kind = self.rng.random()
        if kind < 0.4:
            return "[" + ", ".join(self.any(depth - 1) for _ in range(self.rng.randint(0, 3))) + self.pick("]", "]", ",]" if kind < 0.05 else "]")
        if kind < 0.7:
            keys = ["'a'", "'b'", "1", "1.0", "true", "none", "'é'", "(1, 2)", "s", "n", "[]", "'role'"]
            return "{" + ", ".join(f"{self.rng.choice(keys)}: {self.any(depth - 1)}" for _ in range(self.rng.randint(0, 3))) + "}"
        items = [self.any(depth - 1) for _ in range(self.rng.randint(0, 3))]
        return "(" + ", ".join(items) + ("," if len(items) == 1 else "") + ")"

    def sequence(self, depth):
        return self.pick(
            "messages", "messages", "l", "l", "tree", "range(3)", "range(m)", "range(5, 0, -2)", "range(1, n % 7)", "'abc'", "s", "d", "d.items()", "d | dictsort", "[1, 2, 3]", "[3, 1, 2] | sort",
            "messages | map(attribute='content')", "messages | selectattr('role', 'eq', 'user')", "l | batch(2)", "l | slice(2)", "l | reverse", "messages[1:]", "messages[::-1]", "l | unique", "[]", "missing",
            "messages | groupby('role')", "d.values()", "v", "(1, 'a')", "[[1, 2], [3, 4]]", "messages | rejectattr('n', 'defined') | list", "d | items", "n", "none", "l + [1]", "messages | sort(attribute='role')",
            self.any(depth - 1) if depth > 0 else "l", "l | select", "l | reject('none')", "l | map('string')", "dict(a=1, b=2)", "loop" if "loop" in self.templates.names else "l",
        )

    def pairs(self, depth):
        return self.pick("d.items()", "d | items", "d | dictsort", "[[1, 2], [3, 4]]", "messages | groupby('role')", "['ab', 'cd']", "d", self.sequence(depth), "dict(a=1).items()", "v.items()")

    def call(self, depth):
        return self.pick(
            "range(3)", "range(m)", "range(1, 10, 3)", "range(3)[::-1]", "range(5)|list", "dict(a=1)", "dict([[1, 2]])", "dict(d, x=1)", "namespace(a=1).a", "cycler('a', 'b').next()", "joiner('-')()", "strftime_now('%d %b %Y')",
            "raise_exception('no')" if self.rng.random() < 0.2 else "dict()", "dict.fromkeys('ab', 1)", "range(4)[1]", "range(0)", "range(10)[2:8:3]", "3 in range(5)", "range(3) == range(3)", self.templates.macro_call(), "namespace(d)", "range(1, 2, 0)", "range('a')", "dict.nosuch", "cycler()", "joiner()", f"dict({self.any(depth - 1)})", "range(1, 9, 2).step", "lipsum" if self.rng.random() < 0.1 else "range(3).stop", "cycler" if self.rng.random() < 0.1 else "joiner",
        )

    def formatting(self, depth):
        kind = self.rng.random()
        if kind < 0.5:
            formats = [self.rng.choice(FORMATS) for _ in range(self.pick(1, 1, 2))]
            values = [self.any(depth - 1) for _ in range(len(formats) if self.rng.random() < 0.9 else self.rng.randint(0, 3))]
            text = "'" + "-".join(formats) + "'"
            if any("(a)" in f for f in formats):
                return f"{text} % {{'a': {self.any(depth - 1)}}}" if self.rng.random() < 0.8 else f"{text} | format(a={self.any(depth - 1)})"
            if len(values) == 1 and self.rng.random() < 0.6:
                return f"{text} % ({values[0]})"
            if self.rng.random() < 0.3:
                return f"{text} | format({', '.join(values)})"
            return f"{text} % ({', '.join(values)}{',' if len(values) == 1 else ''})"
        fields = []
        for _ in range(self.pick(1, 1, 2)):
            field = self.pick("", "", "", "0", "1", "a", "0.role", "0[0]", "a.b", "0[a]", "0.upper")
            fields.append("{" + field + self.pick("", "", "", "!r", "!s", "!a") + self.rng.choice(SPECS) + "}")
        text = self.pick("", "{{", "x") + "|".join(fields) + self.pick("", "}}", "é")
        arguments = [self.any(depth - 1) for _ in range(self.rng.randint(1, 2))]
        if self.rng.random() < 0.3:
            arguments.append("a=" + self.any(depth - 1))
        return f"'{text}'.format({', '.join(arguments)})"

    def method(self, depth):
        rng = self.rng
        kind = rng.random()
        if kind < 0.72:
            base = self.pick("s", "s", "t", "'Hello wOrld'", "'a,b,,c'", "'  x y '", self.name(), "messages[0].content", "'áÉ😀b'", "(" + self.any(depth - 1) + ")")
            a = self.pick("'a'", "','", "' '", "'l'", "s", "''", "'o'", "'é'", "t", "none", "'He'", "'xy'", "1", "m")
            b = self.pick("'b'", "''", "'XX'", "s", "1", "2")
            i = self.pick("0", "1", "-1", "2", "m", "5", "100", "none")
            call = self.pick(
                "upper()", "lower()", "strip()", f"strip({a})", f"lstrip({a})", f"rstrip({a})", "lstrip()", "rstrip()", "title()", "capitalize()", "swapcase()", "casefold()",
                f"split({a})", "split()", f"split({a}, {i})", f"split(none, {i})", f"rsplit({a}, {i})", "rsplit()", f"split({a}, maxsplit={i})", f"split(sep={a})", "splitlines()", "splitlines(true)", f"partition({a})", f"rpartition({a})",
                f"replace({a}, {b})", f"replace({a}, {b}, {i})", f"startswith({a})", f"startswith(({a}, {b}))", f"endswith({a})", f"endswith({a}, {i})", f"startswith({a}, {i}, {i})", f"find({a})", f"find({a}, {i})", f"rfind({a})", f"index({a})", f"rindex({a}, {i}, {i})",
                f"count({a})", f"count({a}, {i})", f"join({self.pick('l', 's', '[s, t]', 'd', 'messages|map(attribute=' + chr(39) + 'role' + chr(39) + ')')})", "isdigit()", "isalpha()", "isalnum()", "isspace()", "islower()", "isupper()", "istitle()", "isnumeric()", "isdecimal()", "isidentifier()", "isprintable()", "isascii()",
                f"center({self.pick('5', '10', 'm', '8')})", f"ljust(8, {self.pick(chr(39) + '*' + chr(39), a)})", "rjust(9)", f"zfill({self.pick('6', 'm', '3')})", "expandtabs()", "expandtabs(4)", f"removeprefix({a})", f"removesuffix({a})", "format_map(d)", "nosuch()", "upper(1)", "strip", "encode()" if rng.random() < 0.1 else "lower()",
                "translate({97: 'x', 98: none, 108: 76})", f"translate({self.pick('d', 'l', 's', 'none', '{104: s}')})", "translate(s.maketrans('abl', 'xyz', 'o'))", f"maketrans({a}, {b})", f"maketrans({a}, {b}, 'l')", "maketrans({'a': 1, 98: 'c'})",
            )
            return base + "." + call
        if kind < 0.9:
            base = self.pick("d", "d", "v", "messages[0]", "{'a': 1, 'b': [2]}", "tree[0]", self.name())
            return base + "." + self.pick(
                "get('a')", "get('role', 'none')", "get('zz', [])", "items()", "keys()", "values()", "keys()|list", "items()|list", "values()|list", "copy()", "get(s)", "get(1)", "get([])", "get()", "update({})", "pop('a')", "setdefault('a', 1)", "get('a').b", "items()|first", "keys()|length", "keys() == keys()" if rng.random() < 0.1 else "keys()|sort",
            )
        if kind < 0.97:
            return self.pick("l", "messages", "[1, 2, 1]", "(1, 2, 2)", "range(5)", "v") + "." + self.pick("index(1)", "count(1)", "index(2)", "count('a')", "append(1)", "copy()", "index(1, 1)", "sort()", "index(s)", "pop()")
        return self.pick("n", "m", "f", "(5)", "yes") + "." + self.pick("real", "imag", "bit_length()", "numerator", "as_integer_ratio()", "conjugate()", "denominator", "bit_count()", "hex()", "hex()")

    def filtered(self, depth):
        value = self.pick(self.name(), self.any(depth - 1), self.any(depth - 1))
        if value[:1] in "-+" or " " in value:
            value = "(" + value + ")"
        return value + " | " + self.filter(depth)

    def filter(self, depth):
        rng = self.rng
        a = self.pick("'a'", "'role'", "'content'", "'n'", "0", "s", "'b.c'", "'0'", "'v'", "1", "''", "'x'")
        sequence = [
            "length", "count", "first", "last", "list", "reverse", "reverse | list", "join", "join(', ')", f"join(s, attribute={a})", "join(1)", "sum", f"sum(attribute={a})", "sum(start=10)", "sum(start=[])", "batch(2) | list", "batch(3, 'x') | list", "slice(2) | list", "slice(3, 0) | list",
            "sort", "sort(reverse=true)", "sort(case_sensitive=true)", f"sort(attribute={a})", "sort(attribute='role,content')", "dictsort", "dictsort(true)", "dictsort(by='value')", "dictsort(false, 'value', true)", "unique | list", f"unique(attribute={a}) | list", "unique(true) | list",
            "min", "max", f"min(attribute={a})", f"max(attribute={a})", "max(case_sensitive=true)", f"groupby({a})", f"groupby({a}) | list", f"groupby({a}, default='z')", f"groupby({a}, case_sensitive=true)", "items | list", "items",
            f"map(attribute={a}) | list", f"map(attribute={a}, default=7) | list", f"map({self.pick(chr(39) + 'upper' + chr(39), chr(39) + 'string' + chr(39), chr(39) + 'length' + chr(39), chr(39) + 'int' + chr(39), chr(39) + 'nosuch' + chr(39))}) | list", "map('default', 'q') | list", "map('replace', 'a', 'b') | join", "map() | list", "map('tojson') | join(';')",
            "select | list", "reject | list", "select('string') | list", "reject('none') | list", "select('in', l) | list", "select('gt', 2) | list", "select('divisibleby', 2) | list", "select('nosuch') | list", f"selectattr({a}) | list", f"selectattr({a}, 'defined') | list", f"rejectattr({a}) | list", f"rejectattr({a}, 'equalto', 'user') | list", f"selectattr({a}, '==', {self.name()}) | list | length", "select('odd')", "map(attribute='role')", "selectattr('role')",
            "random" if rng.random() < 0.2 else "first", "list | random" if rng.random() < 0.2 else "last",
        ]
        text = [
            "upper", "lower", "capitalize", "title", "trim", "trim('a ')", "string", "replace('a', 'b')", "replace('l', 'L', 1)", "replace('', '-')", "center(12)", "center", "indent", "indent(2)", "indent('> ', true)", "indent(1, blank=true)", "indent(first=true)", "truncate(5)", "truncate(8, true)", "truncate(9, false, '..', 0)", "truncate(length=3, end='')", "wordcount", "wordwrap(5)", "wordwrap(8, false)", "wordwrap(6, wrapstring='|')", "wordwrap(7, break_on_hyphens=false)",
            "striptags", "e", "escape", "forceescape", "safe", "urlencode", "urlize", "urlize(10, true)", "urlize(target='_blank')", "xmlattr", "xmlattr(false)", "tojson", "tojson(indent=2)", "tojson(ensure_ascii=true)", "tojson(sort_keys=true)", "tojson(separators=(',', ':'))", "tojson(indent=0)", "tojson(indent='-')", "format(1)", "format", "format(s, n)", "pprint", "pprint", "string",
        ]
        number = ["abs", "int", "int(7)", "int(0, 16)", "int(base=2)", "float", "float(1.5)", "round", "round(1)", "round(2, 'floor')", "round(0, 'ceil')", "round(-1)", "round(method='nosuch')", "round(1, 'ceil')", "filesizeformat", "filesizeformat(true)", "int | string", "float | string", "round | int"]
        value = ["default('dd')", "d('x', true)", "default", "default(default_value=1, boolean=true)", "attr('upper')", "attr('role')", "attr('items')", "string | length", "nosuch" if rng.random() < 0.2 else "string", "default(nosuch=1)" if rng.random() < 0.2 else "default", "length(1)" if rng.random() < 0.1 else "length", "list | length", "tojson | length"]
        choice = rng.choice(rng.choice([sequence, sequence, text, text, number, value]))
        if depth > 1 and rng.random() < 0.3:
            return choice + " | " + self.filter(depth - 1)
        return choice
