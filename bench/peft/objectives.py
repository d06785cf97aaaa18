"""The reference run of shared/golden with other losses, by transformers' Trainer and PEFT in fp32 on one CPU process:
label smoothing, a loss per row, NEFTune's noise, and all three with every weight trained.

usage: objectives.py GOLDEN/tiny-llama31 OUT.json     (needs torch, transformers, peft and accelerate)

Label smoothing is the Trainer's own. A loss per row is its `compute_loss_func`: every row's mean over its learned
tokens, and the mean of the global batch's rows. NEFTune is switched on by the Trainer, but its hook is replaced: the
noise is Anneal's, computed here with numpy as docs/decisions.md describes it, so that both add the same. Before that, numbers of
this noise are compared with those of transformers' hook on rows of several lengths; where they differ by more than
chance the script ends with 1 and writes nothing.

training-core/src/test/resources/dev/anneal/training/trainer/objectives_reference.json is what it wrote.
"""

import json
import math
import sys
import tempfile
from pathlib import Path

import numpy as np
import peft
import torch
import transformers
from full import batch
from transformers import AutoModelForCausalLM, Trainer, TrainerCallback, TrainingArguments
from transformers.integrations import neftune

SEED, ALPHA, SMOOTHING = 0, 5.0, 0.1
FULL_LEARNING_RATE = 0.002
RUNS = {
    "label_smoothing": {"label_smoothing": SMOOTHING},
    "row": {"loss": "row"},
    "neftune": {"neftune_noise_alpha": ALPHA},
    "full_all": {"mode": "full", "label_smoothing": SMOOTHING, "loss": "row", "neftune_noise_alpha": ALPHA},
}
MASK = (1 << 64) - 1
# what sets the noise's seeds apart
NOISE = 0x4E4546


def mix64(z):
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    return z ^ (z >> 31)


def mix(seed, *keys):
    mixed = mix64(seed & MASK)
    for key in keys:
        mixed = mix64(mixed ^ mix64((key + 0x9E3779B97F4A7C15) & MASK))
    return mixed


def lowbias32(x):
    """Wellons 2018, on uint32."""
    x = (x ^ (x >> np.uint32(16))) * np.uint32(0x7FEB352D)
    x = (x ^ (x >> np.uint32(15))) * np.uint32(0x846CA68B)
    return x ^ (x >> np.uint32(16))


def noise(alpha, step, place, length, hidden_size):
    """[length, hidden_size] of a row that is a sequence of its own, at `place` of the global batch of `step`."""
    row_seed = mix(SEED, NOISE, step, place, 0)
    keys = [mix(row_seed, position) for position in range(length)]
    low = np.array([key & 0xFFFFFFFF for key in keys], dtype=np.uint32)[:, None]
    high = np.array([key >> 32 for key in keys], dtype=np.uint32)[:, None]
    channels = lowbias32(np.arange(hidden_size, dtype=np.uint32))
    bits = lowbias32(lowbias32(low ^ channels) + high)
    odd = (bits.view(np.int32) >> 8) | 1
    scale = alpha / math.sqrt(length * hidden_size) / (1 << 23)
    return torch.from_numpy(odd.astype(np.float32) * np.float32(scale))


def compare_noise(hidden_size):
    """Bounds, means and deviations of both, in parts of the bound, for rows of several lengths."""
    torch.manual_seed(1)
    alike = True
    for length in (7, 64, 500):
        embedding = torch.nn.Embedding(11, hidden_size).train()
        embedding.neftune_noise_alpha = ALPHA
        ids = torch.zeros(1, length, dtype=torch.long)
        plain = embedding(ids)
        bound = ALPHA / math.sqrt(length * hidden_size)
        found = {
            "transformers": neftune.neftune_post_forward_hook(embedding, (ids,), plain) - plain,
            "Anneal": noise(ALPHA, 3, 5, length, hidden_size),
        }
        count = length * hidden_size
        for who, values in found.items():
            # of a uniform number: deviation 1 / sqrt(3) of the bound, of its square 2 / sqrt(45)
            scaled = (values.detach().double() / bound).flatten()
            mean, square = scaled.mean().item(), scaled.square().mean().item()
            largest = scaled.abs().max().item()
            expected = [abs(mean) < 4 / math.sqrt(3 * count), abs(square - 1 / 3) < 4 * 2 / math.sqrt(45 * count)]
            # rounding of the embedded values that transformers' noise was taken from
            expected += [1 - 12 / count < largest < 1 + 1e-4]
            alike = alike and all(expected)
            print(f"{who:12} L {length:4}: largest {largest:.4f}, mean {mean:+.4f}, square {square:.4f} of the bound")
    return alike


class Rows(torch.utils.data.Dataset):
    def __init__(self, rows):
        self.rows = rows

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, index):
        return self.rows[index]


def collate(rows):
    return dict(zip(("input_ids", "attention_mask", "labels"), batch(rows)))


def per_row(rows_of_a_step, smoothing):
    def loss(outputs, labels, num_items_in_batch):
        log_probs = outputs.logits[:, :-1].log_softmax(-1)
        targets = labels[:, 1:]
        learned = targets >= 0
        nll = -log_probs.gather(-1, targets.clamp(min=0).unsqueeze(-1)).squeeze(-1)
        each = (1 - smoothing) * nll - smoothing * log_probs.mean(-1)
        return ((each * learned).sum(1) / learned.sum(1)).sum() / rows_of_a_step

    return loss


class Log(TrainerCallback):
    def __init__(self):
        self.steps = []

    def on_log(self, args, state, control, logs, **kwargs):
        if "loss" in logs:
            self.steps.append({"loss": logs["loss"], "grad_norm": logs["grad_norm"], "lr": logs["learning_rate"]})


def train(golden, reference, rows, keys):
    recipe = reference["recipe"]
    size, accumulation = recipe["micro_batch"], recipe["gradient_accumulation"]
    full = keys.get("mode") == "full"
    model = AutoModelForCausalLM.from_pretrained(golden / "model", dtype=torch.float32, attn_implementation="eager")
    if not full:
        model = peft.PeftModel.from_pretrained(model, golden / "adapter_init", is_trainable=True)
    alpha = keys.get("neftune_noise_alpha")
    forwards = 0

    def same_noise(module, _, output):
        nonlocal forwards
        if not module.training:
            return output
        step, a = divmod(forwards, accumulation)
        added = torch.zeros_like(output)
        for i in range(size):
            length = len(rows[(forwards * size + i) % len(rows)]["input_ids"])
            added[i, :length] = noise(alpha, step, a * size + i, length, output.shape[2])
        forwards += 1
        return output + added

    neftune.neftune_post_forward_hook = same_noise
    smoothing = keys.get("label_smoothing", 0.0)
    by_row = keys.get("loss") == "row"
    log = Log()
    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            output_dir=folder,
            per_device_train_batch_size=size,
            gradient_accumulation_steps=accumulation,
            max_steps=recipe["total_steps"],
            learning_rate=FULL_LEARNING_RATE if full else recipe["learning_rate"],
            warmup_steps=recipe["warmup_steps"],
            adam_beta1=recipe["betas"][0],
            adam_beta2=recipe["betas"][1],
            adam_epsilon=recipe["eps"],
            weight_decay=recipe["weight_decay"],
            max_grad_norm=recipe["max_grad_norm"],
            label_smoothing_factor=0.0 if by_row else smoothing,
            neftune_noise_alpha=alpha,
            train_sampling_strategy="sequential",
            remove_unused_columns=False,
            use_cpu=True,
            logging_steps=1,
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
        )
        trainer = Trainer(
            model=model,
            args=arguments,
            train_dataset=Rows(rows),
            data_collator=collate,
            compute_loss_func=per_row(size * accumulation, smoothing) if by_row else None,
            callbacks=[log],
        )
        trainer.train()
    assert forwards in (0, len(log.steps) * accumulation)
    for step, line in enumerate(log.steps):
        first = step * size * accumulation
        taken = [rows[(first + i) % len(rows)] for i in range(size * accumulation)]
        line["target_tokens"] = sum(len(row["input_ids"]) - row["prompt_length"] for row in taken)
    return log.steps


def main():
    golden, out = Path(sys.argv[1]), Path(sys.argv[2])
    torch.set_num_threads(1)
    reference = json.loads((golden / "reference.json").read_text())
    rows = [json.loads(line) for line in (golden / "rows.jsonl").open()]
    hidden_size = json.loads((golden / "model/config.json").read_text())["hidden_size"]
    if not compare_noise(hidden_size):
        sys.exit("the two kinds of noise differ")
    found = {}
    for name, keys in RUNS.items():
        steps = train(golden, reference, rows, keys)
        found[name] = {"keys": keys, "steps": steps}
        print(f"{name}: loss {steps[0]['loss']:.6f} to {steps[-1]['loss']:.6f}")
    versions = {module.__name__: module.__version__ for module in (torch, transformers, peft)}
    out.write_text(json.dumps({"versions": versions, "runs": found}, indent=1) + "\n")


if __name__ == "__main__":
    main()
