"""Conversations with what is handed to a chat template beside them: system, tools, thoughts, odd texts and roles."""

WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": 'Weather of a "city" <b>',
        "parameters": {
            "type": "object",
            "properties": {
                "city": {"type": "string", "description": "City, e.g. Zürich"},
                "days": {"type": "integer", "enum": [1, 2], "default": 1},
                "unit": {"type": ["string", "null"]},
            },
            "required": ["city"],
        },
        "return": {"type": "object", "description": "r"},
    },
}
NOTHING = {
    "type": "function",
    "function": {"name": "noop", "description": "", "parameters": {"type": "object", "properties": {}}},
}
ASK_WEATHER = {
    "id": "abcdef123",
    "type": "function",
    "function": {
        "name": "get_weather",
        "arguments": {"city": "Zürich", "days": 2, "f": 1.5, "n": None, "l": ["a", True]},
    },
}
DO_NOTHING = {"id": "abcdef124", "type": "function", "function": {"name": "noop", "arguments": '{"a": 1}'}}
CALL_WITHOUT_ID = {"type": "function", "function": {"name": "f", "arguments": {}}}


def system(content):
    return {"role": "system", "content": content}


def user(content):
    return {"role": "user", "content": content}


def assistant(content, **more):
    return {"role": "assistant", "content": content, **more}


def tool(content):
    return {"role": "tool", "content": content, "name": "get_weather", "tool_call_id": "abcdef123"}


def text(content):
    return {"type": "text", "text": content}


CONVERSATIONS = [
    ([user("Hi")], {}),
    ([system("Be short.\n"), user("Hi"), assistant("Hello!")], {}),
    ([user("  a "), assistant(" b\n"), user("c"), assistant("d"), user("e")], {}),
    ([system(""), user(""), assistant("")], {}),
    (
        [
            system("x"),
            user("<|im_end|> {{ x }} {% y %}\r\n\t\u00a0é😀"),
            assistant("\u2028 'q' \"d\" \\n </s>"),
        ],
        {},
    ),
    (
        [
            system("sys"),
            user("weather?"),
            assistant("", tool_calls=[ASK_WEATHER]),
            tool('{"t": 1}'),
            assistant("Sunny."),
        ],
        {"tools": [WEATHER, NOTHING]},
    ),
    (
        [
            user("weather?"),
            assistant("let me", tool_calls=[DO_NOTHING]),
            tool("21"),
            assistant("ok"),
            user("thanks"),
            assistant("bye"),
        ],
        {"tools": [WEATHER]},
    ),
    (
        [
            user("two"),
            assistant("", tool_calls=[ASK_WEATHER, DO_NOTHING]),
            tool("a"),
            tool("b"),
            assistant("done"),
        ],
        {"tools": [WEATHER, NOTHING]},
    ),
    (
        [
            user("think"),
            assistant("<think>\nhm\n</think>\n\nanswer"),
            user("more"),
            assistant("<think>x</think>y"),
        ],
        {},
    ),
    (
        [
            user("think"),
            assistant("answer", reasoning_content="why\nnot"),
            user("again"),
            assistant("final", reasoning_content="r2"),
        ],
        {"enable_thinking": True},
    ),
    ([user("q"), assistant("a")], {"enable_thinking": False, "date_string": "1 Jan 2025"}),
    ([user("a"), user("b"), assistant("c"), assistant("d")], {}),
    ([assistant("first"), user("then")], {}),
    ([system("s"), user([text("part one"), text("two")]), assistant([text("reply")])], {}),
    ([user([{"type": "image"}, text("see")]), assistant("pic")], {}),
    (
        [
            system("dev"),
            {"role": "developer", "content": "d"},
            user("q"),
            {"role": "weird", "content": "w"},
        ],
        {},
    ),
    (
        [user("docs?"), assistant("yes")],
        {"documents": [{"title": "T", "text": "body", "content": "c", "doc_id": 1}]},
    ),
    (
        [
            user("x"),
            assistant(None, tool_calls=[CALL_WITHOUT_ID]),
            {"role": "tool", "content": "r"},
            assistant("e"),
        ],
        {
            "tools": [WEATHER],
            "thinking": True,
            "builtin_tools": ["browser"],
            "tools_in_user_message": False,
        },
    ),
]
