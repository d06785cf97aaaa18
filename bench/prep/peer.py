"""Hugging Face's way: datasets.map over batches, as many processes as cores, the chat template with Jinja as
transformers sets it up, the text with tokenizers. Rows of Alpaca in, input_ids and prompt_length out, in an Arrow
file; neither shuffled nor packed.

usage: peer.py ROWS.jsonl TOKENIZER_FOLDER CORES     (prints the number of tokens; started by compare.py)
"""

import json
import os
import sys
import tempfile
from pathlib import Path

os.environ["TOKENIZERS_PARALLELISM"] = "false"

from datasets import disable_progress_bars, load_dataset
from jinja2.sandbox import ImmutableSandboxedEnvironment
from tokenizers import Tokenizer

WITH_INPUT = (
    "Below is an instruction that describes a task, paired with an input that provides further context. Write a"
    " response that appropriately completes the request.\n\n### Instruction:\n{}\n\n### Input:\n{}\n\n### Response:"
)
WITHOUT_INPUT = (
    "Below is an instruction that describes a task. Write a response that appropriately completes the request.\n\n"
    "### Instruction:\n{}\n\n### Response:"
)


class Preparer:
    """Loads tokenizer and template once in each process."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.tokenizer = None

    def __getstate__(self):
        return {"folder": self.folder, "tokenizer": None}

    def load(self):
        self.tokenizer = Tokenizer.from_file(str(self.folder / "tokenizer.json"))
        config = json.loads((self.folder / "tokenizer_config.json").read_text())
        environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
        beside = self.folder / "chat_template.jinja"
        self.template = environment.from_string(beside.read_text() if beside.exists() else config["chat_template"])
        self.bos_token = config.get("bos_token")

    def render(self, messages, add_generation_prompt):
        return self.template.render(
            messages=messages, add_generation_prompt=add_generation_prompt, bos_token=self.bos_token
        )

    def __call__(self, batch):
        if self.tokenizer is None:
            self.load()
        texts, prompts = [], []
        for instruction, given, output in zip(batch["instruction"], batch["input"], batch["output"]):
            question = WITH_INPUT.format(instruction, given) if given else WITHOUT_INPUT.format(instruction)
            messages = [{"role": "user", "content": question}, {"role": "assistant", "content": output}]
            prompts.append(len(self.render(messages[:1], True)))
            texts.append(self.render(messages, False))
        encodings = self.tokenizer.encode_batch(texts, add_special_tokens=False)
        return {
            "input_ids": [encoding.ids for encoding in encodings],
            "prompt_length": [e.char_to_token(length) for e, length in zip(encodings, prompts)],
        }


def main(source, tokenizer, cores):
    disable_progress_bars()
    with tempfile.TemporaryDirectory() as folder:
        rows = load_dataset("json", data_files=source, split="train", cache_dir=folder)
        prepared = rows.map(
            Preparer(tokenizer),
            batched=True,
            num_proc=int(cores),
            remove_columns=rows.column_names,
            load_from_cache_file=False,
        )
        ids = prepared.data.column("input_ids")
        tokens = sum(len(chunk.values) for chunk in ids.chunks)
        print(json.dumps(dict(tokens=tokens)))


if __name__ == "__main__":
    main(*sys.argv[1:])
