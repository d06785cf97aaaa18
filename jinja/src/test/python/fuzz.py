"""Generates templates with values and renders them with Jinja2: fuzz.py COUNT SEED > cases.jsonl

Every line holds a template, its variables and what became of it. Needs jinja2 alone.
"""

import itertools
import json
import multiprocessing
import random
import resource
import signal
import sys
import warnings

from environment import render
from expressions import Expressions
from values import variables

warnings.simplefilter("ignore")

ENDS = ["%}", "%}", "%}", "-%}", "+%}"]
BEGINS = ["{%", "{%", "{%", "{%-", "{%+"]
TEXTS = [" ", "\n", "  \n", "a", "text ", "\n\n  ", "\t", "x\n ", "é😀", "{ }", "%", "}}", "\r\n", "<b>", "# ", "'", "\u00a0\n", ""]


class Templates:
    """A grammar of statements; names in scope are kept so that most of them mean something."""

    def __init__(self, rng, values):
        self.rng = rng
        self.values = values
        self.names = list(values)
        self.expressions = Expressions(rng, self)
        self.loops = 0
        self.macros = []
        self.blocks = 0

    def pick(self, *choices):
        return self.rng.choice(choices)

    def succeeds(self, expression):
        return render("{{ " + expression + " }}", self.values)["text"] is not None

    def text(self):
        return "".join(self.rng.choice(TEXTS) for _ in range(self.rng.randint(0, 2)))

    def tag(self, content):
        blank = self.pick(" ", " ", " ", "", "\n ", "  ")
        begin, end = self.rng.choice(BEGINS), self.rng.choice(ENDS)
        space = " " if content[:1] in "-+" or content[-1:] in "-+" else blank
        return begin + space + content + space + end

    def output(self):
        begin, end = self.pick("{{", "{{", "{{", "{{-", "{{+"), self.pick("}}", "}}", "}}", "-}}")
        return begin + " " + self.expressions.good(self.rng.randint(1, 3)) + " " + end

    def comment(self):
        return self.pick("{#", "{#-", "{#+") + self.pick("", " c ", "\n", " {{ x }} ") + self.pick("#}", "-#}", "+#}")

    def body(self, depth):
        parts = [self.text()]
        for _ in range(self.rng.randint(1, 3)):
            parts.append(self.statement(depth))
            parts.append(self.text())
        return "".join(parts)

    def statement(self, depth):
        if depth <= 0:
            return self.rng.choice([self.output, self.output, self.set, self.comment])()
        kinds = [
            (self.output, 8),
            (self.set, 4),
            (lambda: self.if_(depth), 4),
            (lambda: self.for_(depth), 5),
            (lambda: self.set_block(depth), 1),
            (lambda: self.macro(depth), 2),
            (lambda: self.call_macro(depth), 2),
            (lambda: self.call_block(depth), 1),
            (lambda: self.filter_block(depth), 1),
            (lambda: self.with_(depth), 1),
            (lambda: self.generation(depth), 1),
            (lambda: self.block(depth), 0.6),
            (lambda: self.autoescape(depth), 0.8),
            (self.raw, 0.5),
            (self.comment, 0.7),
            (self.namespace, 1.5),
            (self.print_, 0.3),
            (self.other, 0.15),
            (self.control, 1 if self.loops else 0.02),
        ]
        functions, weights = zip(*kinds)
        return self.rng.choices(functions, weights)[0]()

    def other(self):
        return self.tag(
            self.pick(
                "include 'x'", "import 'x' as y", "from 'x' import y", "extends 'x'", "nosuch", "endfor", "do x", "trans",
                "if", "for x", "set", "else", "include x ignore missing", "break", "set x", "macro f(a, a)",
            )
        )

    def control(self):
        word = self.pick("break", "continue")
        if self.rng.random() < 0.7:
            return self.tag("if " + self.expressions.any(1)) + self.tag(word) + self.tag("endif")
        return self.tag(word)

    def print_(self):
        return self.tag("print " + ", ".join(self.expressions.any(1) for _ in range(self.rng.randint(1, 2))))

    def new_name(self):
        name = self.pick("a", "b", "c", "i", "k", "v", "x", "ns", "item", "_p", "résumé")
        if self.rng.random() < 0.5 and self.names:
            name = self.rng.choice(self.names)
        return name

    def scoped(self, *added):
        return Scoped(self, added)

    def set(self):
        if self.rng.random() < 0.15:
            a, b = self.new_name(), self.new_name()
            target, value = self.pick(f"{a}, {b}", f"({a}, {b})", f"{a}, ({b}, {a})"), self.expressions.sequence(1)
            self.names += [a, b]
            return self.tag(f"set {target} = {value}")
        name = self.new_name()
        value = self.expressions.good(2)
        if self.rng.random() < 0.1:
            value += ", " + self.expressions.any(1)
        self.names.append(name)
        return self.tag(f"set {name} = {value}")

    def namespace(self):
        if "ns" not in self.names or self.rng.random() < 0.2:
            self.names.append("ns")
            return self.tag(f"set ns = namespace({self.pick('', 'a=1', 'a=1, b=[]', 'd', 'a=0, c=none')})")
        if self.rng.random() < 0.1:
            return self.tag(f"set ns.a, ns.b = {self.expressions.sequence(1)}")
        return self.tag(f"set ns.{self.pick('a', 'b', 'c', 'a', '_x')} = {self.expressions.any(2)}")

    def set_block(self, depth):
        name = self.new_name()
        filters = self.pick("", "", " | upper", " | trim | replace('a', 'b')", " | length", " | tojson")
        with self.scoped():
            body = self.body(depth - 1)
        self.names.append(name)
        return self.tag(f"set {name}{filters}") + body + self.tag("endset")

    def if_(self, depth):
        parts = [self.tag("if " + self.expressions.good(2)), self.body(depth - 1)]
        while self.rng.random() < 0.25:
            parts += [self.tag("elif " + self.expressions.condition(1)), self.body(depth - 1)]
        if self.rng.random() < 0.4:
            parts += [self.tag("else"), self.body(depth - 1)]
        return "".join(parts) + self.tag("endif")

    def for_(self, depth):
        names = [self.new_name() for _ in range(self.pick(1, 1, 1, 1, 2))]
        source = self.expressions.pairs(1) if len(names) == 2 else self.expressions.sequence(2)
        recursive = self.rng.random() < 0.12
        if recursive and self.rng.random() < 0.7:
            names, source = ["item"], self.pick("tree", "tree", "[tree, tree]", "l")
        head = f"for {', '.join(names)} in {source}"
        with self.scoped(*names):
            if self.rng.random() < 0.3:
                head += " if " + self.expressions.condition(1)
            if recursive:
                head += " recursive"
            self.loops += 1
            with self.scoped("loop"):
                body = self.body(depth - 1)
                if recursive:
                    call = self.pick(
                        "loop(item.c)", "loop(item.c or [])", "loop(item['c'])", "loop([])", "loop(item)"
                    )
                    guard = self.pick("if loop.depth < 4 and item.c is defined", "if item.c", "if loop.depth0 < 2")
                    body += self.tag(guard) + "{{ " + call + " }}" + self.tag("endif")
            self.loops -= 1
        tail = ""
        if self.rng.random() < 0.25:
            tail = self.tag("else") + self.body(depth - 1)
        return self.tag(head) + body + tail + self.tag("endfor")

    def macro(self, depth):
        name = self.pick("f", "g", "h", "x", "caller")
        parameters = self.rng.sample(["a", "b", "c", "x", "caller", "item"], self.rng.randint(0, 3))
        signature = []
        defaulted = False
        for parameter in parameters:
            defaulted = defaulted or self.rng.random() < 0.4
            signature.append(parameter + ("=" + self.expressions.any(1) if defaulted else ""))
        loops, self.loops = self.loops, 0
        with self.scoped(*parameters, *self.pick([], [], ["varargs"], ["kwargs"], ["caller"])):
            body = self.body(depth - 1)
            if self.rng.random() < 0.2:
                body += self.pick("{{ caller() }}", "{{ caller('q') }}", "{{ varargs }}{{ kwargs }}", "{{ caller is defined }}")
            if self.rng.random() < 0.15 and parameters:
                p = parameters[0]
                body += self.tag(f"if {p} is number and {p} > 0 and {p} < 5") + "{{ " + f"{name}({p} - 1)" + " }}" + self.tag("endif")
        self.loops = loops
        self.macros.append((name, parameters))
        self.names.append(name)
        return self.tag(f"macro {name}({', '.join(signature)})") + body + self.tag(self.pick("endmacro", "endmacro"))

    def macro_call(self):
        if not self.macros:
            return "f()"
        name, parameters = self.rng.choice(self.macros)
        count = len(parameters) if self.rng.random() < 0.7 else self.rng.randint(0, 4)
        arguments = [self.expressions.any(1) for _ in range(count)]
        if self.rng.random() < 0.2:
            arguments.append(f"{self.pick('a', 'b', 'c', 'x', 'zz')}={self.expressions.any(1)}")
        if self.rng.random() < 0.05:
            arguments.append(self.pick("*l", "**d", "*t", "**{'a': 1}"))
        return f"{name}({', '.join(arguments)})"

    def call_macro(self, depth):
        return "{{ " + self.macro_call() + " }}" if self.macros else self.macro(depth)

    def call_block(self, depth):
        parameters = self.pick("", "", "(a)", "(a, b=1)", "()")
        loops, self.loops = self.loops, 0
        with self.scoped("a", "b"):
            body = self.body(depth - 1)
        self.loops = loops
        return self.tag(f"call{parameters} {self.macro_call()}") + body + self.tag("endcall")

    def filter_block(self, depth):
        name = self.pick(
            "upper", "lower|title", "trim", "replace('a', 'b')", "indent", "indent(2, true)", "length", "e", "tojson",
            "center(20)", "wordcount|string", "reverse", "list", "first", "truncate(5, true, '', 0)", "nosuch",
        )
        with self.scoped():
            body = self.body(depth - 1)
        return self.tag("filter " + name) + body + self.tag("endfilter")

    def with_(self, depth):
        names = [self.new_name() for _ in range(self.rng.randint(0, 2))]
        pairs = ", ".join(f"{n} = {self.expressions.any(1)}" for n in names)
        with self.scoped(*names):
            body = self.body(depth - 1)
        return self.tag(("with " + pairs).strip()) + body + self.tag("endwith")

    def generation(self, depth):
        loops, self.loops = self.loops, 0
        with self.scoped():
            body = self.body(depth - 1)
        self.loops = loops
        return self.tag("generation") + body + self.tag("endgeneration")

    def block(self, depth):
        self.blocks += 1
        name = f"b{self.blocks}"
        loops, self.loops = self.loops, 0
        with self.scoped(*self.pick([], ["self"], ["super"])):
            body = self.body(depth - 1)
        self.loops = loops
        after = "{{ self." + name + "() }}" if self.rng.random() < 0.2 else ""
        return self.tag(f"block {name}{self.pick('', '', ' scoped')}") + body + self.tag("endblock" + self.pick("", " " + name)) + after

    def autoescape(self, depth):
        body = self.body(depth - 1)
        return self.tag("autoescape " + self.pick("true", "false", "yes", "nothing", self.expressions.any(1))) + body + self.tag("endautoescape")

    def raw(self):
        return (
            self.tag("raw").replace("+%}", "%}")
            + self.pick("", " {{ x }} ", "\n  ", "{% if %}", "a\n", "  ")
            + self.tag("endraw")
        )


class Scoped:
    """Names that are gone behind the body, most of the time."""

    def __init__(self, templates, added):
        self.templates, self.added = templates, added

    def __enter__(self):
        self.names, self.macros = list(self.templates.names), list(self.templates.macros)
        self.templates.names += self.added

    def __exit__(self, *error):
        if self.templates.rng.random() < 0.85:
            self.templates.names, self.templates.macros = self.names, self.macros


def case(seed):
    rng = random.Random(seed)
    values = variables(rng)
    templates = Templates(rng, values)
    if rng.random() < 0.35:
        # a single expression goes deeper
        template = "{{ " + templates.expressions.good(rng.randint(2, 4)) + " }}"
        if rng.random() < 0.5:
            # not known beforehand
            template = templates.set() + template
    else:
        template = templates.body(rng.randint(1, 4))
    if rng.random() < 0.02 and template:
        cut = rng.randint(0, len(template))
        template = template[:cut] + rng.choice(["", "{%", "}}", "'", "|", "("]) + template[cut + rng.randint(0, 2) :]
    return template, values


class TooLong(BaseException):
    pass


def stop(*_):
    raise TooLong


def prepare():
    signal.signal(signal.SIGALRM, stop)
    # a width of a billion is an error, not the end of the machine
    resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))


def rendered(seed):
    """A line of the output; nothing for what only Python or only this machine can do."""
    template, values = case(seed)
    try:
        signal.alarm(3)
        result = render(template, values)
        signal.alarm(0)
    except TooLong:
        return None
    text = result["text"] or ""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        # halves of a character stay halves in Python alone
        return None
    if len(text) > 100_000 or "MemoryError" in result.get("error", ""):
        return None
    return json.dumps({"seed": seed, "template": template, "variables": values, **result})


def main(count, seed):
    seeds = (f"{seed}/{number}" for number in range(1, 2 * count + 100))
    with multiprocessing.Pool(initializer=prepare) as pool:
        lines = filter(None, pool.imap(rendered, seeds, chunksize=50))
        for line in itertools.islice(lines, count):
            print(line)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
