"""Renders chat templates by transformers itself: published.py FOLDER... > cases.jsonl

Every file below a folder is a template; it is rendered on each conversation of conversations.py, with
and without generation prompt. A line holds the template, the variables that transformers hands to it and
what became of it: the text and the spans of what the assistant says, or what was raised.
PublishedTemplatesTest renders the same here. Needs transformers and jinja2.
"""

import contextlib
import datetime
import json
import pathlib
import sys

from transformers.utils import chat_template_utils, logging

from conversations import CONVERSATIONS

TOKENS = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>"}


class Clock(datetime.datetime):
    """Stands still, as that of the test does."""

    @classmethod
    def now(cls, tz=None):
        return cls(2026, 2, 1, 3, 4, 5)


class Watched:
    """A compiled template that keeps what it is given."""

    def __init__(self, template, seen):
        self.template, self.seen = template, seen
        self.environment = template.environment

    def render(self, **variables):
        self.seen.update(variables)
        return self.template.render(**variables)

    def generate(self, **variables):
        self.seen.update(variables)
        return self.template.generate(**variables)


@contextlib.contextmanager
def watching():
    seen = {}
    compiled = chat_template_utils._compile_jinja_template
    chat_template_utils._compile_jinja_template = lambda text: Watched(compiled(text), seen)
    try:
        yield seen
    finally:
        chat_template_utils._compile_jinja_template = compiled


def rendered(template, conversation, more, add_generation_prompt):
    messages = chat_template_utils._normalize_chat_messages(conversation)
    with watching() as seen:
        try:
            texts, spans = chat_template_utils.render_jinja_template(
                [messages],
                chat_template=template,
                add_generation_prompt=add_generation_prompt,
                return_assistant_tokens_mask=True,
                **TOKENS,
                **more,
            )
            result = {"text": texts[0], "spans": spans[0]}
        except Exception as e:
            result = {"text": None, "error": f"{type(e).__name__}: {e}"[:300]}
    # a template that is none is given nothing
    return {"variables": seen or {"messages": messages}, **result}


def main(folders):
    logging.set_verbosity_error()
    chat_template_utils.datetime = Clock
    for folder in map(pathlib.Path, folders):
        for file in sorted(path for path in folder.rglob("*") if path.is_file()):
            template = file.read_bytes().decode("utf-8")
            for number, (conversation, more) in enumerate(CONVERSATIONS):
                for prompt in (False, True):
                    name = f"{file.relative_to(folder)}, conversation {number}{' with generation prompt' if prompt else ''}"
                    case = rendered(template, conversation, more, prompt)
                    print(json.dumps({"name": name, "template": template, **case}))


if __name__ == "__main__":
    main(sys.argv[1:])
