"""Jinja2 set up as transformers' utils/chat_template_utils.py (5.24) sets it up, without transformers."""

import datetime
import json

import jinja2
import jinja2.ext
import jinja2.nodes
import jinja2.utils
from jinja2.sandbox import ImmutableSandboxedEnvironment

NOW = datetime.datetime(2026, 2, 1, 3, 4, 5)


class AssistantTracker(jinja2.ext.Extension):
    tags = {"generation"}
    # where the rendered blocks and the spans go while a template is rendered
    tracking = None

    def parse(self, parser):
        lineno = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        call = self.call_method("_generation_support")
        return jinja2.nodes.CallBlock(call, [], [], body).set_lineno(lineno)

    @jinja2.pass_eval_context
    def _generation_support(self, context, caller):
        text = caller()
        if AssistantTracker.tracking is not None:
            blocks, spans = AssistantTracker.tracking
            start = len("".join(blocks))
            spans.append([start, start + len(text)])
        return text


def raise_exception(message):
    raise jinja2.exceptions.TemplateError(message)


def tojson(x, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
    return json.dumps(x, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


def strftime_now(format):
    return NOW.strftime(format)


class TemplateDict:
    def __call__(self, *args, **kwargs):
        return dict(*args, **kwargs)

    def fromkeys(self, *args, **kwargs):
        return dict.fromkeys(*args, **kwargs)


class TemplateNamespace(jinja2.utils.Namespace):
    def __init__(*args, **kwargs):
        self, args = args[0], args[1:]
        attrs = dict(*args, **kwargs)
        for name in attrs:
            TemplateNamespace._check_name(name)
        jinja2.utils.Namespace.__init__(self, attrs)

    def __setitem__(self, name, value):
        TemplateNamespace._check_name(name)
        jinja2.utils.Namespace.__setitem__(self, name, value)

    @staticmethod
    def _check_name(name):
        if isinstance(name, str) and name.startswith("_"):
            raise jinja2.exceptions.SecurityError(name)


for replaced in (TemplateDict, TemplateNamespace):
    # they print the names that they have in transformers
    replaced.__module__ = "transformers.utils.chat_template_utils"
    replaced.__qualname__ = "_cached_compile_jinja_template.<locals>." + replaced.__name__


def environment():
    env = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[AssistantTracker, jinja2.ext.loopcontrols]
    )
    env.filters["tojson"] = tojson
    env.globals["raise_exception"] = raise_exception
    env.globals["strftime_now"] = strftime_now
    env.globals["dict"] = TemplateDict()
    env.globals["namespace"] = TemplateNamespace
    return env


ENVIRONMENT = environment()


def render(template, variables):
    """The text and the spans of what the assistant says, or what was raised."""
    blocks, spans = [], []
    AssistantTracker.tracking = (blocks, spans)
    try:
        for block in ENVIRONMENT.from_string(template).generate(**variables):
            blocks.append(block)
        return {"text": "".join(blocks), "spans": spans}
    except Exception as e:
        return {"text": None, "error": f"{type(e).__name__}: {e}"[:300]}
    finally:
        AssistantTracker.tracking = None
