"""Writes cases.json: what transformers makes of tokenizer folders. Run with transformers 5.24 (no torch needed)."""

import json
import os
import tempfile

import transformers
from transformers import AutoTokenizer

TEXT = "a<b>c <c> d"
FAST = {"tokenizer_class": "PreTrainedTokenizerFast"}


def tokenizer(*added, post=None):
    vocab = {c: i for i, c in enumerate("abcdefghijklmnop<>|/#_ Ġ")}
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    model = {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None,
             "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False, "ignore_merges": False,
             "vocab": vocab, "merges": []}
    return {"version": "1.0", "truncation": None, "padding": None, "added_tokens": list(added), "normalizer": None,
            "pre_tokenizer": byte_level, "post_processor": post, "decoder": byte_level, "model": model}


def added(content, number=None, **flags):
    token = {"content": content, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False,
             "special": True, **flags}
    return token if number is None else {"id": number, **token}


def front(content, number):
    return {"type": "TemplateProcessing",
            "single": [{"SpecialToken": {"id": content, "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
            "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
            "special_tokens": {content: {"id": content, "ids": [number], "tokens": [content]}}}


def marks():
    b, c = added("<b>", 25), added("<c>", 24)
    decoder = {"40": added("<c>"), "50": added("<b>")}
    typed = {"__type": "AddedToken", "content": "<b>", "lstrip": True}
    yield "nothing", {"tokenizer_config.json": FAST}
    yield "decoder", {"tokenizer_config.json": {**FAST, "added_tokens_decoder": decoder, "eos_token": "<b>"}}
    yield "decoder strips", [c, b], {"tokenizer_config.json": {
        **FAST, "added_tokens_decoder": {"24": added("<c>", lstrip=True, rstrip=True), "25": added("<b>")}}}
    yield "decoder does not strip", [{**c, "lstrip": True}, b], {"tokenizer_config.json": {
        **FAST, "added_tokens_decoder": {"24": added("<c>"), "25": added("<b>")}}}
    yield "decoder words", {"tokenizer_config.json": {**FAST, "added_tokens_decoder": {
        "24": {"content": "<c>"}, "25": {"content": "<b>", "special": False, "single_word": True}}}}
    yield "map", {"tokenizer_config.json": {**FAST, "eos_token": "x"}, "special_tokens_map.json": {
        "eos_token": "<b>", "bos_token": {k: v for k, v in added("<c>", lstrip=True).items() if k != "special"},
        "additional_special_tokens": ["c d"]}}
    yield "map beside decoder", {"tokenizer_config.json": {
        **FAST, "added_tokens_decoder": {"24": added("<c>")}, "eos_token": "<c>"},
        "special_tokens_map.json": {"eos_token": "<b>"}}
    yield "map beside empty decoder", {"tokenizer_config.json": {
        **FAST, "eos_token": None, "added_tokens_decoder": {}}, "special_tokens_map.json": {"eos_token": "<b>"}}
    yield "map alone", {"special_tokens_map.json": {"eos_token": "<b>"}}
    yield "added_tokens.json", {"tokenizer_config.json": FAST, "added_tokens.json": {"<c>": 30, "<b>": 24}}
    yield "of the vocabulary", {"tokenizer_config.json": {**FAST, "eos_token": "b", "pad_token": "zz"}}
    yield "several extras", {"tokenizer_config.json": {
        **FAST, "extra_special_tokens": ["<c>"], "additional_special_tokens": ["d"], "image_token": "<b>"}}
    yield "named extras", {"tokenizer_config.json": {**FAST, "extra_special_tokens": {"image_token": "<c>"}}}
    yield "additional", {"tokenizer_config.json": {**FAST, "additional_special_tokens": ["<c>", "<b>"]}}
    yield "typed", {"tokenizer_config.json": {**FAST, "eos_token": typed}}
    yield "a gap in the ids", [added("<b>", 60)], {"tokenizer_config.json": {**FAST, "eos_token": "<c>"}}
    yield "order of roles", {"tokenizer_config.json": {
        **FAST, "pad_token": "<c>", "eos_token": "<b>", "bos_token": "a<", "unk_token": " d"}}
    yield "order of roles in the map", {
        "tokenizer_config.json": FAST, "special_tokens_map.json": {"pad_token": "<c>", "eos_token": "<b>"}}
    yield "normalized", {"tokenizer_config.json": {
        **FAST, "added_tokens_decoder": {"24": added("<c>", normalized=True, special=False)}, "eos_token": "<c>"}}


def name(text):
    return "T:" + text + "{% if tools %}+tools{% endif %}"


def templates():
    def config(template):
        return {"tokenizer_config.json": {**FAST, "chat_template": template}}

    one = config(name("config"))
    several = config([{"name": n, "template": name("list " + n)} for n in ("default", "tool_use", "rag")])
    file = {"chat_template.jinja": name("file")}
    extra = {"additional_chat_templates/tool_use.jinja": name("folder tool_use")}
    yield "config", one
    yield "list", several
    yield "object", config({"default": name("default"), "tool_use": name("tool_use")})
    yield "list without default", config([{"name": "tool_use", "template": name("tool_use")}])
    yield "list of one", config([{"name": "default", "template": name("default")}])
    yield "file before config", {**one, **file}
    yield "file before list", {**several, **file}
    yield "file and folder", {**one, **file, **extra}
    yield "folder before config", {**one, **extra}
    yield "folder before list", {**several, "additional_chat_templates/rag.jinja": name("rag")}
    yield "default in the folder", {**one, **file, "additional_chat_templates/default.jinja": name("folder default")}
    yield "processor's beside config", {**one, "chat_template.json": {"chat_template": name("processor")}}
    yield "roles", config("[{{eos_token}}|{{pad_token}}|{{unk_token}}|{{image_token}}|{{bos_token is defined}}]") | {
        "special_tokens_map.json": {"eos_token": "<b>", "pad_token": "<c>", "image_token": "<i>"}}
    yield "null content", config("{% for m in messages %}{{ m.content is defined }}{{ m.content }};{% endfor %}")


def load(files):
    with tempfile.TemporaryDirectory() as folder:
        for path, content in files.items():
            os.makedirs(os.path.dirname(os.path.join(folder, path)), exist_ok=True)
            with open(os.path.join(folder, path), "w") as out:
                out.write(content if isinstance(content, str) else json.dumps(content))
        return AutoTokenizer.from_pretrained(folder)


def rendered(loaded, tools):
    turns = [{"role": "user", "content": "x"}, {"role": "assistant", "content": None, "tool_calls": [{}]}]
    try:
        return loaded.apply_chat_template(turns, tools=tools, tokenize=False)
    except ValueError:
        return None


cases = []
for title, *rest in marks():
    files = {"tokenizer.json": tokenizer(*(rest[0] if len(rest) == 2 else [])), **rest[-1]}
    loaded = load(files)
    cases.append({"name": title, "files": files, "ids": loaded(TEXT, add_special_tokens=False)["input_ids"],
                  "bos": loaded.bos_token, "eos": loaded.eos_token})
for title, rest in templates():
    files = {"tokenizer.json": tokenizer(), **rest}
    loaded = load(files)
    cases.append({"name": title, "files": files,
                  "rendered": [rendered(loaded, tools) for tools in (None, [], [{"type": "function"}])]})
here = os.path.dirname(os.path.abspath(__file__))
with open(os.path.join(here, "cases.json"), "w") as out:
    json.dump({"transformers": transformers.__version__, "text": TEXT, "cases": cases}, out, indent=1,
              ensure_ascii=False)
    out.write("\n")
