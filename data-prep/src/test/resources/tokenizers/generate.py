"""Writes cases.json: what transformers makes of tokenizer folders. Run with transformers 5.24 (no torch needed)."""

import json
import os
import tempfile

import transformers
from transformers import AutoTokenizer

TEXT = "a<b>c <c> d"
CLASS_TEXT = "a 12<b>c <s> a</s>  c<|endoftext|>d</s>a é e\u0301 <x>\n12"
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


def pairs():
    """As Llama 2 and its kin have it: characters, a sign for the space, and bytes for what is left."""
    file = tokenizer()
    vocab = ["<unk>", "<s>", "</s>", *[f"<0x{i:02X}>" for i in range(256)], *"▁abcdxy<>/1 ", "▁a", "▁c", "▁▁"]
    prepend = {"type": "Sequence", "normalizers": [
        {"type": "Prepend", "prepend": "▁"}, {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}]}
    decoder = {"type": "Sequence", "decoders": [
        {"type": "Replace", "pattern": {"String": "▁"}, "content": " "}, {"type": "ByteFallback"}, {"type": "Fuse"},
        {"type": "Strip", "content": " ", "start": 1, "stop": 0}]}
    return {**file, "added_tokens": [added("<unk>", 0), added("<s>", 1), added("</s>", 2)], "normalizer": prepend,
            "pre_tokenizer": None, "decoder": decoder, "post_processor": front("<s>", 1),
            "model": {**file["model"], "unk_token": "<unk>", "fuse_unk": True, "byte_fallback": True,
                      "vocab": {c: i for i, c in enumerate(vocab)},
                      "merges": ["▁ a", "▁ c", "▁ ▁"]}}


def digits(*tokens):
    """As SmolLM2 has it: digits apart, and a merge of two that only other rules find."""
    file = tokenizer(*tokens)
    file["pre_tokenizer"] = {"type": "Sequence", "pretokenizers": [
        {"type": "Digits", "individual_digits": True}, file["pre_tokenizer"]]}
    vocab = {**file["model"]["vocab"], "1": 24, "2": 25, "12": 26, "Ġ1": 27, "é": 28, "Ã": 29, "©": 30, "Ì": 31,
             "ģ": 32, "Ã©": 33, "Ċ": 34}
    file["model"] = {**file["model"], "vocab": vocab, "merges": ["1 2", "Ġ 1", "Ã ©"]}
    return file


def classes():
    """tokenizer_class: most names stand for the file, some for rules of their own."""
    def config(name, **more):
        return {"tokenizer_config.json": {"tokenizer_class": name, **more}}

    marks = [added("<b>", 35), added("<|endoftext|>", 36)]
    for name in ("PreTrainedTokenizerFast", "LlamaTokenizer", "LlamaTokenizerFast", "NoSuchTokenizer"):
        yield name + " of pairs", pairs(), config(name)
    yield "no class of pairs", pairs(), {}
    yield "class of the model", pairs(), {"config.json": {"model_type": "llama", "tokenizer_class": "LlamaTokenizer"}}
    yield "class beside a model", pairs(), {**config("LlamaTokenizer"), "config.json": {"model_type": "llama"}}
    yield "legacy", pairs(), config("LlamaTokenizer", legacy=True)
    yield "not legacy", pairs(), config("LlamaTokenizerFast", legacy=False, add_prefix_space=True)
    yield "legacy is null", pairs(), config("LlamaTokenizer", legacy=None, add_prefix_space=None)
    yield "no prefix", pairs(), config("LlamaTokenizer", add_prefix_space=False)
    yield "no begin", pairs(), config("LlamaTokenizer", bos_token=None)
    yield "keys for begin and end", pairs(), config("LlamaTokenizer", add_bos_token=False, add_eos_token=True)
    yield "keys for begin and end of the file", digits(*marks), config(
        "PreTrainedTokenizerFast", bos_token="<b>", add_bos_token=True, add_eos_token=True, eos_token="<b>")
    yield "other end", pairs(), config("LlamaTokenizer", eos_token="<x>")
    yield "list of the config", pairs(), config(
        "LlamaTokenizer", added_tokens_decoder={"1": added("<s>"), "2": added("</s>", rstrip=True)})
    yield "no pieces of their own", {**pairs(), "added_tokens": [added("<c>", 279), added("</s>", 2)]}, config(
        "LlamaTokenizer")
    for name in ("LlamaTokenizerFast", "GPT2Tokenizer", "GPT2TokenizerFast", "Qwen2Tokenizer", "GPTNeoXTokenizerFast"):
        yield name + " of bytes", digits(*marks), config(name)
        yield name + " of bytes, null", digits(*marks), config(name, bos_token=None, eos_token=None)
    yield "GPT-2 without its token", digits(), config("GPT2Tokenizer")
    yield "GPT-2 with a list", digits(*marks), config("GPT2Tokenizer", added_tokens_decoder={"40": added("<c>")})
    yield "GPT-2 with a prefix", digits(*marks), config("GPT2Tokenizer", add_prefix_space=True)
    yield "GPT-2 with a begin", {**digits(*marks), "post_processor": front("<b>", 35)}, config("GPT2Tokenizer")
    yield "NeoX with a begin", {**digits(*marks), "post_processor": front("<b>", 35)}, config("GPTNeoXTokenizer")
    yield "begin without a role", {**digits(*marks), "post_processor": front("<b>", 35)}, config(
        "PreTrainedTokenizerFast")
    yield "begin and end without a role", {**digits(*marks), "post_processor": {
        "type": "RobertaProcessing", "cls": ["<b>", 35], "sep": ["<|endoftext|>", 36], "trim_offsets": True,
        "add_prefix_space": False}}, config("PreTrainedTokenizerFast")
    yield "a begin of two", {**digits(*marks), "post_processor": {"type": "Sequence", "processors": [
        {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": False, "use_regex": True},
        {"type": "TemplateProcessing", "single": [
            {"SpecialToken": {"id": "two", "type_id": 0}}, {"SpecialToken": {"id": "<b>", "type_id": 0}},
            {"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "<b>", "type_id": 0}}],
         "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
         "special_tokens": {"<b>": {"id": "<b>", "ids": [35], "tokens": ["<b>"]},
                            "two": {"id": "two", "ids": [1, 2], "tokens": ["b", "c"]}}}]}}, config(
        "PreTrainedTokenizerFast", bos_token="<b>")


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
for title, file, rest in classes():
    files = {"tokenizer.json": file, **rest}
    loaded = load(files)
    ids = loaded(CLASS_TEXT, add_special_tokens=False)["input_ids"]
    around = loaded(CLASS_TEXT)["input_ids"]
    before = next(i for i in range(len(around)) if around[i:i + len(ids)] == ids)
    cases.append({"name": title, "files": files, "text": CLASS_TEXT, "ids": ids, "before": around[:before],
                  "decoded": loaded.decode(ids), "bos": loaded.bos_token, "eos": loaded.eos_token})
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
