"""Loads a run's adapter with PEFT and compares held-out losses and greedy texts with the run's own.

usage: check.py RUN_FOLDER     (needs torch, transformers, peft and pyarrow; exits with 1 on a difference)
"""

import json
import sys
from pathlib import Path

import pyarrow.ipc as ipc
import torch
from peft import PeftConfig, PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

TOLERANCE = 1e-5


def held_out_loss(model, rows):
    total = targets = 0
    for row in rows:
        ids = torch.tensor([row["input_ids"]])
        with torch.no_grad():
            log_probs = model(ids).logits[0].log_softmax(-1)
        spans = row["target_spans"]
        for start, end in zip(spans[::2], spans[1::2]):
            for target in range(start, end):
                total -= log_probs[target - 1, ids[0, target]].item()
                targets += 1
    return total / targets


def continuation(model, tokenizer, row):
    prompt = torch.tensor([row["input_ids"][: row["target_spans"][0]]])
    output = model.generate(
        prompt, attention_mask=torch.ones_like(prompt), max_new_tokens=48, do_sample=False
    )
    return tokenizer.decode(output[0, prompt.shape[1] :], skip_special_tokens=True)


def main():
    run = Path(sys.argv[1])
    base = PeftConfig.from_pretrained(run / "adapter").base_model_name_or_path
    rows = ipc.open_file(run / "dataset" / "eval-00000.arrow").read_all().to_pylist()
    metrics = [json.loads(line) for line in (run / "metrics.jsonl").open()]
    expected = [line["eval_loss"] for line in metrics if "eval_loss" in line]

    tokenizer = AutoTokenizer.from_pretrained(base)
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32).eval()
    losses = [held_out_loss(model, rows)]
    before = [continuation(model, tokenizer, row) for row in rows[:4]]
    model = PeftModel.from_pretrained(model, run / "adapter").eval()
    losses.append(held_out_loss(model, rows))
    for row, text in zip(rows, before):
        print(f"{text}  ->  {continuation(model, tokenizer, row)}")

    worst = 0.0
    for when, found, own in zip(("before", "after"), losses, expected, strict=True):
        deviation = abs(found - own) / own
        worst = max(worst, deviation)
        print(f"held-out loss {when}: PEFT {found:.6f}, Anneal {own:.6f}, relative {deviation:.1e}")
    sys.exit(worst > TOLERANCE)


if __name__ == "__main__":
    main()
