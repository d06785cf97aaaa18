#!/usr/bin/env python3
"""The peer: LoRA steps of Hugging Face transformers + PEFT on one GPU.

Random weights of Llama 3.1's shape in bf16, r=64 on all seven linear modules, AdamW; random tokens
of --length, all of them learned, or real rows from --rows (JSON lines with input_ids and
prompt_length), padded on the right to the longest of their batch or to --pad-to. Prints one JSON
line a mode, with tokens that are not padding; each mode has a process of its own, and one that fails
prints FAILED. peer_model.py says what a mode can be.

usage: peft_step.py [--mode eager,compile+liger,checkpoint] [--rows FILE [--pad-to 1024]] ...
"""
import argparse, contextlib, json, statistics, subprocess, sys, time, traceback

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

from peer_model import LLAMA_8B, TINY, model, words_of

# cuDNN's where it can: twice FlashAttention-2 on Hopper
ATTENTION = [SDPBackend.CUDNN_ATTENTION, SDPBackend.FLASH_ATTENTION, SDPBackend.EFFICIENT_ATTENTION, SDPBackend.MATH]


def batches(a):
    """A batch, its rows, its tokens that are not padding; endless."""
    if not a.rows:
        torch.manual_seed(1)
        while True:
            ids = torch.randint(0, a.shape["vocab_size"], (a.batch, a.length), device=a.device)
            yield dict(input_ids=ids, labels=ids), a.batch, a.batch * a.length
    rows = [json.loads(line) for line in open(a.rows)]
    while True:
        for i in range(0, len(rows) - a.batch + 1, a.batch):
            part = rows[i:i + a.batch]
            width = a.pad_to or max(len(r["input_ids"]) for r in part)
            ids = torch.zeros(a.batch, width, dtype=torch.long)
            mask = torch.zeros_like(ids)
            labels = torch.full_like(ids, -100)
            for n, row in enumerate(part):
                tokens = torch.tensor(row["input_ids"][:width])
                ids[n, :len(tokens)] = tokens
                mask[n, :len(tokens)] = 1
                labels[n, row["prompt_length"]:len(tokens)] = tokens[row["prompt_length"]:]
            yield (dict(input_ids=ids.to(a.device), attention_mask=mask.to(a.device), labels=labels.to(a.device)),
                   a.batch, int(mask.sum()))


def measure(a, mode):
    cuda = a.device == "cuda"
    wait = torch.cuda.synchronize if cuda else lambda: None
    tuned = model(a.shape, a.layers, mode, a.device)
    parameters = [p for p in tuned.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=2e-5, weight_decay=0.0, fused=True)
    source = batches(a)
    if cuda:
        torch.cuda.reset_peak_memory_stats()
    seconds, losses, tokens, rows = [], [], 0, 0
    # padded rows change their shape from step to step, for each of which cuDNN would make a plan
    with contextlib.nullcontext() if a.rows else sdpa_kernel(ATTENTION, set_priority=True):
        for step in range(a.warmup + a.steps):
            batch, count, real = next(source)
            wait()
            start = time.perf_counter()
            loss = tuned(**batch).loss
            loss.backward()
            torch.nn.utils.clip_grad_norm_(parameters, 1.0)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            wait()
            losses.append(loss.detach())
            if step >= a.warmup:
                seconds.append(time.perf_counter() - start)
                tokens += real
                rows += count
    print("RESULT " + json.dumps(dict(
        name=f"{a.name} {mode}", tokens_per_second=tokens / sum(seconds), rows_per_second=rows / sum(seconds),
        step_milliseconds=1000 * statistics.mean(seconds), median_milliseconds=1000 * statistics.median(seconds),
        peak_gb=torch.cuda.max_memory_allocated() / 1e9 if cuda else 0.0, first_loss=float(losses[0]), last_loss=float(losses[-1]),
        batch=a.batch, steps=a.steps, torch=torch.__version__)), flush=True)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--name", default="PEFT")
    p.add_argument("--mode", default="eager,compile,checkpoint")
    p.add_argument("--layers", type=int, default=32)
    p.add_argument("--batch", type=int, default=4)
    p.add_argument("--length", type=int, default=1024)
    p.add_argument("--rows")
    p.add_argument("--pad-to", type=int)
    p.add_argument("--steps", type=int, default=12)
    p.add_argument("--warmup", type=int, default=4)
    p.add_argument("--device", default="cuda")
    p.add_argument("--tiny", action="store_true", help="a shape for a host without a GPU")
    a = p.parse_args()
    a.shape = TINY if a.tiny else LLAMA_8B
    modes = a.mode.split(",")
    try:
        for mode in modes:
            words_of(mode)
    except ValueError as e:
        p.error(str(e))
    if len(modes) > 1:
        # Liger's kernels replace those of every model that the process makes afterwards
        for mode in modes:
            subprocess.run([sys.executable, *sys.argv, "--mode", mode])
        return
    try:
        measure(a, a.mode)
    except Exception as e:
        traceback.print_exc()
        print(f"FAILED {a.name} {a.mode}: {type(e).__name__}: {next(iter(str(e).splitlines()), '')}", flush=True)


if __name__ == "__main__":
    main()
