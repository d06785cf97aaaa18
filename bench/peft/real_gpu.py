"""Trains a real model with Anneal in bf16 and in FP8, without and with exact edges, and with PEFT in bf16 and in fp32,
on one GPU, from the same adapter on the same rows in the same order, and compares losses of every step and held-out ones.

usage: real_gpu.py MODEL ROWS WORK [--steps 200] [--held-out 128] [--exact-edges 0,2] [--alone] [--cpu]
       MODEL  a Llama folder of Hugging Face's with a chat template, such as ../shared/real-model/make.py makes
       ROWS   Alpaca rows as a JSON array; the first 4 x steps + held-out of them are taken
       WORK   a new folder; WORK/losses.jsonl has all losses
       --exact-edges  base_weights.exact_edges of the runs in FP8
       --alone  without PEFT
       --cpu  a rehearsal without a GPU: products of FP8 weights are computed in bf16
needs torch, transformers, peft and pyarrow, and ANNEAL_NATIVE_DIR where the checkout is not built for GPUs (bench/gpu/env);
exits with 1 where the held-out loss after training differs by more than 0.5%: the last of the runs in FP8 from bf16, and
bf16 from PEFT's bf16.
PEFT computes as Anneal does: frozen weights in bf16, adapters in fp32, torch.autocast; its fp32 tells what bf16 itself makes.
"""

import argparse
import json
import statistics
import subprocess
import sys
from pathlib import Path

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from real import BATCH, HOME, MODULES, held_out, prepared, train
from transformers import AutoModelForCausalLM

LEARNING_RATE, WARMUP, LIMIT = 5e-4, 4, 5e-3


def anneal(arguments, name, sets):
    """A whole run through submit.sh: its folder."""
    run = arguments.work / name
    keys = {
        "model.path": arguments.model,
        "data.source": arguments.work / "rows.json",
        "data.packing": "false",
        "data.shuffle": "false",
        "data.max_length": 1024,
        "data.eval_rows": arguments.held_out,
        "lora.init_from": arguments.work / "initial",
        "lora.r": 16,
        "lora.alpha": 32,
        "training.max_steps": arguments.steps,
        "training.micro_batch_size": BATCH,
        "optimizer.learning_rate": LEARNING_RATE,
        "schedule.warmup_steps": WARMUP,
        "evaluation.sample_rows": 0,
        "checkpoint.every_steps": 0,
        "cluster.nodes": 1,
        "cluster.gpus_per_node": 0 if arguments.cpu else 1,
        "compute.dtype": "bf16",
        "output.path": run,
        **sets,
    }
    command = [HOME / "submit.sh", "run", "--config", HOME / "conf/tiny.yaml", *([] if arguments.cpu else ["--gpu"])]
    for key, value in keys.items():
        command += ["--set", f"{key}={value}"]
    with (arguments.work / f"{name}.log").open("w") as log:
        code = subprocess.run(command, stdout=log, stderr=subprocess.STDOUT).returncode
    if code:
        sys.exit(f"{(arguments.work / f'{name}.log').read_text()[-4000:]}\nAnneal in {name} ended with {code}")
    return run


def measured(run):
    """Losses of the steps, the held-out ones before and after, and the median of tokens a second."""
    lines = [json.loads(line) for line in (run / "metrics.jsonl").open()]
    steps = [line for line in lines if "loss" in line]
    evals = [line["eval_loss"] for line in lines if "eval_loss" in line]
    rate = statistics.median(line["tokens_per_second"] for line in steps)
    return [line["loss"] for line in steps], (evals[0], evals[-1]), rate


def peft(arguments, dtype, rows, held):
    device = "cpu" if arguments.cpu else "cuda"
    base = AutoModelForCausalLM.from_pretrained(arguments.model, dtype=dtype).to(device)
    model = PeftModel.from_pretrained(base, arguments.work / "initial", is_trainable=True)
    # its cache would keep the adapters in bf16 as they were in the first step
    with torch.autocast(device, torch.bfloat16, enabled=dtype == torch.bfloat16, cache_enabled=False):
        model.eval()
        before = held_out(model, held)
        model.train()
        lines = train(model, rows, arguments.steps, LEARNING_RATE, WARMUP)
        model.eval()
        after = held_out(model, held)
    return [line["loss"] for line in lines], (before, after), statistics.median(line["rate"] for line in lines)


def apart(found, expected):
    return abs(found - expected) / expected


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("rows", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--held-out", type=int, default=128)
    parser.add_argument("--exact-edges", default="0,2")
    parser.add_argument("--alone", action="store_true")
    parser.add_argument("--cpu", action="store_true")
    arguments = parser.parse_args()
    arguments.work.mkdir(parents=True)
    arguments.work, arguments.model = arguments.work.resolve(), arguments.model.resolve()
    count = BATCH * arguments.steps + arguments.held_out
    rows = json.loads(arguments.rows.read_text())[:count]
    (arguments.work / "rows.json").write_text(json.dumps(rows))
    torch.manual_seed(0)
    base = AutoModelForCausalLM.from_pretrained(arguments.model, dtype=torch.float32)
    config = LoraConfig(r=16, lora_alpha=32, target_modules=MODULES, task_type="CAUSAL_LM")
    get_peft_model(base, config).save_pretrained(arguments.work / "initial")

    bf16 = anneal(arguments, "bf16", {"base_weights.dtype": "bf16", "compute.matmul": "bf16"})
    matmul = "bf16" if arguments.cpu else "fp8"
    train_rows, held = prepared(bf16, "part"), prepared(bf16, "eval")
    found = {"Anneal bf16": measured(bf16)}
    pairs = []
    for edges in arguments.exact_edges.split(","):
        name = "Anneal FP8" if edges == "0" else f"Anneal FP8, {edges} exact"
        weights = {"base_weights.dtype": "fp8", "base_weights.exact_edges": edges}
        fp8 = anneal(arguments, f"fp8-{edges}", {**weights, "compute.matmul": matmul})
        same = [row["input_ids"] for row in train_rows] == [row["input_ids"] for row in prepared(fp8, "part")]
        assert same, "the runs have trained on other rows"
        found[name] = measured(fp8)
        pairs.append((name, "Anneal bf16"))
    bounded = pairs[-1:]
    if not arguments.alone:
        for name, dtype in ("PEFT bf16", torch.bfloat16), ("PEFT fp32", torch.float32):
            found[name] = peft(arguments, dtype, train_rows, held)
        bounded.append(("Anneal bf16", "PEFT bf16"))
        pairs += [("Anneal bf16", "PEFT bf16"), ("PEFT bf16", "PEFT fp32")]

    with (arguments.work / "losses.jsonl").open("w") as out:
        for step, losses in enumerate(zip(*(losses for losses, _, _ in found.values()), strict=True), 1):
            out.write(json.dumps({"step": step, **dict(zip(found, losses))}) + "\n")
    print(f"{'':20}{'held-out before':>16}{'after':>10}{'tokens/s':>10}")
    for name, (_, (before, after), rate) in found.items():
        print(f"{name:20}{before:16.5f}{after:10.5f}{rate:10,.0f}")
    failed = False
    for one, other in pairs:
        steps = [apart(a, b) for a, b in zip(found[one][0], found[other][0])]
        after = apart(found[one][1][1], found[other][1][1])
        is_bounded = (one, other) in bounded
        failed |= is_bounded and after > LIMIT
        print(
            f"{one} from {other}: held-out {after:.2%}{f' (at most {LIMIT:.1%})' if is_bounded else ''}; losses of the steps:"
            f" first {steps[0]:.1e}, mean {statistics.mean(steps):.1e}, largest {max(steps):.1e}"
        )
    sys.exit(failed)


if __name__ == "__main__":
    main()
