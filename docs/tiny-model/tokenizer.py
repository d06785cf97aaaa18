"""Trains the tiny model's byte-level BPE and writes its files into conf/tiny/model.

The same text and the pinned library give the same bytes:

    pip install -r docs/tiny-model/requirements.txt
    python3 docs/tiny-model/tokenizer.py
"""

import json
from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer
from tokenizers.decoders import ByteLevel as ByteLevelDecoder
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel, Sequence, Split
from tokenizers.processors import TemplateProcessing
from tokenizers.trainers import BpeTrainer

FOLDER = Path(__file__).resolve().parents[2] / "conf" / "tiny"
VOCABULARY_SIZE = 1024
BEGIN_OF_TEXT = "<|begin_of_text|>"
END_OF_TURN = "<|eot_id|>"
SPECIAL_TOKENS = [BEGIN_OF_TEXT, "<|end_of_text|>", "<|start_header_id|>", "<|end_header_id|>", END_OF_TURN]

# Llama 3's: contractions, words with the character before them, up to three digits, punctuation, white space.
LLAMA3_WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"
    r"|[^\r\n\p{L}\p{N}]?\p{L}+"
    r"|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+"
    r"|\s+(?!\S)"
    r"|\s+"
)

CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{% if loop.first %}{{ bos_token }}{% endif %}"
    "{{ '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n' + message['content'] | trim + '<|eot_id|>' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}"
)

# What the Alpaca form puts around every row, and the roles of the chat.
WRAPPER = """user

Below is an instruction that describes a task, paired with an input that provides further context. \
Write a response that appropriately completes the request.

### Instruction:
### Input:
### Response:

Below is an instruction that describes a task.

assistant

"""


def main():
    tokenizer = Tokenizer(BPE(ignore_merges=True))
    tokenizer.pre_tokenizer = Sequence(
        [Split(Regex(LLAMA3_WORDS), behavior="isolated"), ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    tokenizer.decoder = ByteLevelDecoder()
    trainer = BpeTrainer(
        vocab_size=VOCABULARY_SIZE,
        special_tokens=[AddedToken(token, normalized=False, special=True) for token in SPECIAL_TOKENS],
        initial_alphabet=sorted(ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts(), trainer)
    begin = tokenizer.token_to_id(BEGIN_OF_TEXT)
    tokenizer.post_processor = TemplateProcessing(
        single=f"{BEGIN_OF_TEXT} $A",
        pair=f"{BEGIN_OF_TEXT} $A {BEGIN_OF_TEXT}:1 $B:1",
        special_tokens=[(BEGIN_OF_TEXT, begin)],
    )

    write("tokenizer.json", json.loads(tokenizer.to_str()))
    write("tokenizer_config.json", {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": BEGIN_OF_TEXT,
        "eos_token": END_OF_TURN,
        "chat_template": CHAT_TEMPLATE,
        "clean_up_tokenization_spaces": False,
        "model_input_names": ["input_ids", "attention_mask"],
        "model_max_length": 512,
    })
    print(f"{tokenizer.get_vocab_size()} tokens")


def texts():
    """Every row's parts as they stand in a prompt, and the wrapper once a row."""
    for name in ("pretrain.json", "instructions.json"):
        for row in json.loads((FOLDER / name).read_text(encoding="utf-8")):
            yield WRAPPER
            yield "\n".join((row["instruction"], row["input"], row["output"]))


def write(name, content):
    text = json.dumps(content, ensure_ascii=False, indent=1) + "\n"
    (FOLDER / "model" / name).write_text(text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
