"""Renders every case with Jinja as Hugging Face's apply_chat_template sets it up, into cases.json.

python3 -m pip install jinja2==3.1.6 && python3 generate.py
"""

import datetime
import json
import pathlib

import jinja2.ext
from jinja2.exceptions import TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

HERE = pathlib.Path(__file__).parent

HELLO = [
    {"role": "user", "content": "  Hi \u00a0\n"},
    {"role": "assistant", "content": " Hello <&> \"you\" {{ x }}! "},
]
SYSTEM = [{"role": "system", "content": " Be short.\n"}] + HELLO + [
    {"role": "user", "content": "And Ünïcode 🌍?"},
    {"role": "assistant", "content": "Yes"},
]
TOOL = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "The \"weather\" in a city,\n<today>",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string", "enum": ["Köln", "Bonn"]}, "days": {}},
            "required": ["city"],
            "default": [1, 2.5, 1e-7, 1e16, True, None, -0.0, 100.0, []],
        },
    },
}


def call(arguments):
    return {"role": "assistant", "tool_calls": [
        {"type": "function", "function": {"name": "weather", "arguments": arguments}}]}


def tools(arguments, answer):
    return [
        {"role": "user", "content": "Rain in Köln? "},
        call(arguments),
        {"role": "tool", "content": answer},
        {"role": "assistant", "content": "No."},
    ]


PARTS = [{"type": "text", "text": "Who?"}, {"type": "text", "text": "And\u00e9"}]
ARGUMENTS = {"city": "Köln", "days": 2}
CASES = [
    ("llama31", HELLO, {}),
    ("llama31", SYSTEM, {}),
    ("llama31", SYSTEM, {"date_string": "01 Feb 2026"}),
    ("llama31", tools(ARGUMENTS, "dry"), {"tools": [TOOL]}),
    ("llama31", tools(ARGUMENTS, {"rain": False, "mm": 0.0}), {"tools": [TOOL]}),
    ("llama31", tools("{\"city\": \"Köln\"}", ["dry", None]), {"custom_tools": [TOOL, TOOL]}),
    ("llama31", SYSTEM, {"tools": [TOOL], "tools_in_user_message": False}),
    ("llama31", tools({"city": "Köln"}, "dry"), {"builtin_tools": ["weather", "code_interpreter"]}),
    ("llama31", [call({}) | {"tool_calls": []}], {}),
    ("llama31", SYSTEM[:1], {"tools": [TOOL]}),
    ("llama2", HELLO, {}),
    ("llama2", SYSTEM, {}),
    ("llama2", HELLO[:1] * 2, {}),
    ("llama32_date", HELLO, {}),
    ("llama32_date", HELLO, {"date_string": "x"}),
    ("chatml", SYSTEM, {}),
    ("order", [{"content": "Hi", "name": "Ann", "role": "user"}, {"weight": 1, "role": "assistant", "content": "Ho"}], {}),
    ("parts", [{"role": "user", "content": PARTS}, {"role": "assistant", "content": PARTS[1:]}], {}),
    ("constructs", SYSTEM, {"data": {"a": [1, "é\u2028\u0001"], "b": {}, "c": "d"}}),
]


def environment():
    def raise_exception(message):
        raise TemplateError(message)

    def tojson(x, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
        return json.dumps(x, ensure_ascii=ensure_ascii, indent=indent, separators=separators,
                          sort_keys=sort_keys)

    env = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[jinja2.ext.loopcontrols])
    env.filters["tojson"] = tojson
    env.globals["raise_exception"] = raise_exception
    env.globals["strftime_now"] = datetime.datetime(2026, 2, 1, 3, 4, 5).strftime
    return env


def case(name, messages, variables, add_generation_prompt):
    template = (HERE / f"{name}.jinja").read_text()
    rendered, refusal = None, None
    try:
        rendered = environment().from_string(template).render(
            messages=messages, add_generation_prompt=add_generation_prompt, bos_token="<s>",
            eos_token="</s>", **{"tools": None, "documents": None} | variables)
    except TemplateError as e:
        refusal = str(e)
    return {"template": name, "messages": messages, "variables": variables,
            "add_generation_prompt": add_generation_prompt, "rendered": rendered,
            "refusal": refusal}


cases = [case(*c, prompt) for c in CASES for prompt in (False, True)]
(HERE / "cases.json").write_text(
    json.dumps(cases, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
