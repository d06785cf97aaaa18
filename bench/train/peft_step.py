#!/usr/bin/env python3
"""The peer: LoRA steps of Hugging Face transformers + PEFT on one GPU.

Random weights of Llama 3.1's shape in bf16, r=64 on all seven linear modules, AdamW; random tokens
of --length, all of them learned, or real rows from --rows (JSON lines with input_ids and
prompt_length), padded on the right to the longest of their batch or to --pad-to. Prints one JSON
line a mode, with tokens that are not padding.

usage: peft_step.py [--mode eager,compile,checkpoint] [--rows FILE [--pad-to 1024]] ...
"""
import argparse, gc, json, statistics, time

import torch
from peft import LoraConfig, get_peft_model
from transformers import LlamaConfig, LlamaForCausalLM

SHAPE = dict(vocab_size=128256, hidden_size=4096, intermediate_size=14336, num_attention_heads=32,
             num_key_value_heads=8, head_dim=128, rms_norm_eps=1e-5, max_position_embeddings=131072,
             rope_theta=500000.0, tie_word_embeddings=False)
MODULES = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


def model(layers, mode):
    torch.set_default_dtype(torch.bfloat16)
    with torch.device("cuda"):
        base = LlamaForCausalLM(LlamaConfig(num_hidden_layers=layers, attn_implementation="sdpa", **SHAPE))
    torch.set_default_dtype(torch.float32)
    # adapters in bf16, as Anneal computes with them: the faster choice for the peer
    tuned = get_peft_model(base, LoraConfig(r=64, lora_alpha=64, target_modules=MODULES), autocast_adapter_dtype=False)
    if mode.startswith("checkpoint"):
        tuned.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
        tuned.enable_input_require_grads()
    tuned.config.use_cache = False
    tuned.train()
    return torch.compile(tuned) if mode.endswith("compile") else tuned


def batches(a):
    """Pairs of a batch and the rows in it, endless."""
    if not a.rows:
        torch.manual_seed(1)
        while True:
            ids = torch.randint(0, SHAPE["vocab_size"], (a.batch, a.length), device="cuda")
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
            yield (dict(input_ids=ids.cuda(), attention_mask=mask.cuda(), labels=labels.cuda()),
                   a.batch, int(mask.sum()))


def measure(a, mode):
    tuned = model(a.layers, mode)
    parameters = [p for p in tuned.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=2e-5, weight_decay=0.0, fused=True)
    source = batches(a)
    torch.cuda.reset_peak_memory_stats()
    seconds, tokens, rows = [], 0, 0
    for step in range(a.warmup + a.steps):
        batch, count, real = next(source)
        torch.cuda.synchronize()
        start = time.perf_counter()
        loss = tuned(**batch).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        torch.cuda.synchronize()
        if step >= a.warmup:
            seconds.append(time.perf_counter() - start)
            tokens += real
            rows += count
    name = f"{a.name} {mode}"
    print("RESULT " + json.dumps(dict(
        name=name, tokens_per_second=tokens / sum(seconds), rows_per_second=rows / sum(seconds),
        step_milliseconds=1000 * statistics.mean(seconds), peak_gb=torch.cuda.max_memory_allocated() / 1e9,
        batch=a.batch, steps=a.steps)), flush=True)
    del tuned, parameters, optimizer, source, batch, loss
    gc.collect()
    torch._dynamo.reset()
    torch.cuda.empty_cache()


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
    a = p.parse_args()
    for mode in a.mode.split(","):
        measure(a, mode)


if __name__ == "__main__":
    main()
