"""The reference run of shared/golden with every weight trained, by transformers alone in fp32 on one CPU process.

usage: full.py GOLDEN/tiny-llama31 OUT.json     (needs torch and transformers)

Rows, batches and the loss are those of reference.json; the learning rate is a fifth of the adapters', and weight decay
acts on every weight, as Anneal's does. Beside every step's loss and gradient norm it writes two numbers of every tensor
of the final model, its L2 norm and the sum of weight[i] * cos(i) over the flattened tensor, which see every element, so
that the result can be compared without a file of weights.

training-core/src/test/resources/dev/anneal/training/trainer/full_tuning_reference.json is what it wrote.
"""

import json
import sys
from pathlib import Path

import torch
import transformers
from transformers import AutoModelForCausalLM

LEARNING_RATE = 0.002


def batch(rows):
    width = max(len(row["input_ids"]) for row in rows)
    ids = torch.zeros(len(rows), width, dtype=torch.long)
    mask = torch.zeros_like(ids)
    labels = torch.full_like(ids, -100)
    for i, row in enumerate(rows):
        length = len(row["input_ids"])
        ids[i, :length] = torch.tensor(row["input_ids"])
        mask[i, :length] = 1
        labels[i, row["prompt_length"] : length] = ids[i, row["prompt_length"] : length]
    return ids, mask, labels


def probe(weight):
    flat = weight.double().flatten()
    return (flat * torch.arange(flat.numel(), dtype=torch.float64).cos()).sum().item()


def train(model, trained, recipe, rows):
    """The recipe's steps over its rows, for the weights in `trained`; a line for each."""
    optimizer = torch.optim.AdamW(
        trained,
        lr=recipe["learning_rate"],
        betas=recipe["betas"],
        eps=recipe["eps"],
        weight_decay=recipe["weight_decay"],
    )
    schedule = transformers.get_linear_schedule_with_warmup(
        optimizer, recipe["warmup_steps"], recipe["total_steps"]
    )
    size = recipe["micro_batch"]
    steps = []
    for step in range(recipe["total_steps"]):
        first = step * size * recipe["gradient_accumulation"]
        batches = [
            batch([rows[(first + a * size + i) % len(rows)] for i in range(size)])
            for a in range(recipe["gradient_accumulation"])
        ]
        targets = sum(int((labels[:, 1:] != -100).sum()) for _, _, labels in batches)
        total = 0.0
        for ids, mask, labels in batches:
            logits = model(input_ids=ids, attention_mask=mask).logits[:, :-1].float()
            loss = torch.nn.functional.cross_entropy(
                logits.reshape(-1, logits.shape[-1]), labels[:, 1:].reshape(-1), reduction="sum"
            )
            (loss / targets).backward()
            total += loss.item()
        norm = torch.nn.utils.clip_grad_norm_(trained, recipe["max_grad_norm"])
        steps.append(
            {
                "step": step + 1,
                "loss": total / targets,
                "grad_norm": norm.item(),
                "lr": schedule.get_last_lr()[0],
                "target_tokens": targets,
            }
        )
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
    return steps


def numbers(tensors):
    return {
        name: {"norm": tensor.double().norm().item(), "probe": probe(tensor)}
        for name, tensor in tensors.items()
    }


def main():
    golden, out = Path(sys.argv[1]), Path(sys.argv[2])
    recipe = json.loads((golden / "reference.json").read_text())["recipe"]
    recipe["learning_rate"] = LEARNING_RATE
    rows = [json.loads(line) for line in (golden / "rows.jsonl").open()]
    torch.set_num_threads(1)
    model = AutoModelForCausalLM.from_pretrained(
        golden / "model", dtype=torch.float32, attn_implementation="eager"
    ).train()
    steps = train(model, list(model.parameters()), recipe, rows)
    final = numbers(model.state_dict())
    versions = {"torch": torch.__version__, "transformers": transformers.__version__}
    result = {"versions": versions, "recipe": recipe, "steps": steps, "final": final}
    out.write_text(json.dumps(result, indent=1) + "\n")
    for row in steps[:: max(1, len(steps) // 5)]:
        print(row)


if __name__ == "__main__":
    main()
