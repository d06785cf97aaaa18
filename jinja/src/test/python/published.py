"""Renders each template of a folder on conversations by transformers' own code: python published.py FOLDER... > cases.jsonl"""
import sys, json, pathlib, datetime, logging
import transformers.utils.chat_template_utils as c
class D(datetime.datetime):
    @classmethod
    def now(cls, tz=None): return cls(2026, 2, 1, 3, 4, 5)
c.datetime = D
tool = {"type": "function", "function": {"name": "get_weather", "description": "Weather of a \"city\" <b>", "parameters": {"type": "object", "properties": {"city": {"type": "string", "description": "City, e.g. Zürich"}, "days": {"type": "integer", "enum": [1, 2], "default": 1}, "unit": {"type": ["string", "null"]}}, "required": ["city"]}, "return": {"type": "object", "description": "r"}}}
tool2 = {"type": "function", "function": {"name": "noop", "description": "", "parameters": {"type": "object", "properties": {}}}}
S = lambda t: {"role": "system", "content": t}
U = lambda t: {"role": "user", "content": t}
A = lambda t, **k: {"role": "assistant", "content": t, **k}
call = {"id": "abcdef123", "type": "function", "function": {"name": "get_weather", "arguments": {"city": "Zürich", "days": 2, "f": 1.5, "n": None, "l": ["a", True]}}}
call2 = {"id": "abcdef124", "type": "function", "function": {"name": "noop", "arguments": "{\"a\": 1}"}}
T = lambda t, **k: {"role": "tool", "content": t, "name": "get_weather", "tool_call_id": "abcdef123", **k}
conversations = [
  ([U("Hi")], {}), ([S("Be short.\n"), U("Hi"), A("Hello!")], {}),
  ([U("  a "), A(" b\n"), U("c"), A("d"), U("e")], {}),
  ([S(""), U(""), A("")], {}),
  ([S("x"), U("<|im_end|> {{ x }} {% y %}\r\n\t\u00a0é😀"), A("\u2028 'q' \"d\" \\n </s>")], {}),
  ([S("sys"), U("weather?"), A("", tool_calls=[call]), T("{\"t\": 1}"), A("Sunny.")], {"tools": [tool, tool2]}),
  ([U("weather?"), A("let me", tool_calls=[call2]), T("21"), A("ok"), U("thanks"), A("bye")], {"tools": [tool]}),
  ([U("two"), A("", tool_calls=[call, call2]), T("a"), T("b"), A("done")], {"tools": [tool, tool2]}),
  ([U("think"), A("<think>\nhm\n</think>\n\nanswer"), U("more"), A("<think>x</think>y")], {}),
  ([U("think"), A("answer", reasoning_content="why\nnot"), U("again"), A("final", reasoning_content="r2")], {"enable_thinking": True}),
  ([U("q"), A("a")], {"enable_thinking": False, "date_string": "1 Jan 2025"}),
  ([U("a"), U("b"), A("c"), A("d")], {}),
  ([A("first"), U("then")], {}),
  ([S("s"), U([{"type": "text", "text": "part one"}, {"type": "text", "text": "two"}]), A([{"type": "text", "text": "reply"}])], {}),
  ([U([{"type": "image"}, {"type": "text", "text": "see"}]), A("pic")], {}),
  ([S("dev"), {"role": "developer", "content": "d"}, U("q"), {"role": "weird", "content": "w"}], {}),
  ([U("docs?"), A("yes")], {"documents": [{"title": "T", "text": "body", "content": "c", "doc_id": 1}]}),
  ([U("x"), A(None, tool_calls=[{"type": "function", "function": {"name": "f", "arguments": {}}}]), {"role": "tool", "content": "r"}, A("e")], {"tools": [tool], "thinking": True, "builtin_tools": ["browser"], "tools_in_user_message": False}),
]
special = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>"}
out = sys.stdout
for folder in sys.argv[1:]:
  for f in sorted(pathlib.Path(folder).rglob("*")):
    if not f.is_file(): continue
    text = f.read_bytes().decode("utf-8")
    for i, (conv, kw) in enumerate(conversations):
      for gen in (False, True):
        conv2 = c._normalize_chat_messages(conv)
        kw2 = dict(special, **kw)
        # what the template is given is taken where transformers gives it
        name = f"{f.parent.name}/{f.name}#{i}{'+' if gen else ''}"
        seen = {}
        real = c._compile_jinja_template
        class Spy:
            def __init__(s, t): s.t = t; s.environment = t.environment
            def render(s, **v): seen.update(v); return s.t.render(**v)
            def generate(s, **v): seen.update(v); return s.t.generate(**v)
        c._compile_jinja_template = lambda t: Spy(real(t))
        r = {"text": None}
        try:
            rendered, idx = c.render_jinja_template([conv2], chat_template=text, add_generation_prompt=gen, return_assistant_tokens_mask=True, **kw2)
            r = {"text": rendered[0], "generations": idx[0]}
        except Exception as e: r["error"] = repr(e)[:300]
        c._compile_jinja_template = real
        if not seen:
            seen = dict(messages=conv2, tools=None, documents=None, add_generation_prompt=gen, **special)
        out.write(json.dumps({"name": name, "template": text, "variables": seen, **r}) + "\n")
