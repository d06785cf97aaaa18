#!/usr/bin/env python3
"""Reads a run's adapter with PEFT's own reader, on a base model of its shape that has no weights.

usage: read_adapter.py RUN     (needs torch, transformers and peft; exits with 1 if anything is missing)
"""
import json, pathlib, sys

import torch
from peft import PeftModel
from peft.utils.save_and_load import load_peft_weights
from transformers import AutoConfig, AutoModelForCausalLM, LlamaConfig

# hidden_size, intermediate_size, num_hidden_layers, num_attention_heads of Llama 3.1
SHAPES = {"8b": (4096, 14336, 32, 32), "70b": (8192, 28672, 80, 64), "405b": (16384, 53248, 126, 128)}


def shape(model):
    if not model.startswith("random:"):
        return AutoConfig.from_pretrained(model)
    hidden, intermediate, layers, heads = SHAPES[model.rpartition("-")[2]]
    return LlamaConfig(
        vocab_size=128256, hidden_size=hidden, intermediate_size=intermediate, num_hidden_layers=layers,
        num_attention_heads=heads, num_key_value_heads=8)


run = pathlib.Path(sys.argv[1])
folder = run / "adapter"
base = json.loads((run / "run.json").read_text())["config"]["model"]["path"].removeprefix("file:")
with torch.device("meta"):
    bare = AutoModelForCausalLM.from_config(shape(base))
# PEFT checks names and sizes, and moves what it has read to where the base model is, which is nowhere
model = PeftModel.from_pretrained(bare, folder, low_cpu_mem_usage=True, torch_device="cpu")
result = model.load_adapter(folder, "again", low_cpu_mem_usage=True, torch_device="cpu")
places = sum("lora_" in name and ".again." in name for name, _ in model.named_parameters())
weights = load_peft_weights(folder, device="cpu")
trained = sum(bool(w.any()) for name, w in weights.items() if "lora_B" in name)
good = not result.missing_keys and not result.unexpected_keys and len(weights) == places and trained == places / 2
print("ok" if good else "FAILED", f" {run.name}: PEFT reads {len(weights)} tensors, {sum(w.numel() for w in weights.values()):,} numbers, for {places} of {base};",
      f"missing {result.missing_keys[:3]}, unexpected {result.unexpected_keys[:3]}, {trained} B are not zero")
sys.exit(not good)
