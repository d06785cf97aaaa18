"""Holds DoRA and PiSSA against PEFT itself, by whole runs of ./submit.sh.

usage: variants.py WORK_FOLDER     (needs torch, transformers, peft and pyarrow)

DoRA: PEFT makes an adapter of the bundled model with random values, ./submit.sh trains two steps from it, and PEFT loads
what came of it and merges it. PiSSA: ./submit.sh begins with it, and PEFT loads the published adapter on the original
model. Losses must be those that Anneal has measured, and merged weights those in merged/. Exits with 1 on a difference.
variants_reference.py holds every step of the training itself against PEFT's.
"""

import sys
from pathlib import Path

import torch
from patterns import TOLERANCE, base, deviation, train
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file
from transformers.utils import logging

# where a sum lies between two values of bf16, the last bit of fp32 decides; rounding itself makes 1.7e-3
MERGED_TOLERANCE = 1e-4

DORA = {"r": 8, "alpha": 12, "use_dora": True, "target_modules": ["q_proj", "v_proj", "up_proj", "down_proj"]}
PISSA = {"r": 4, "alpha": 8, "init": "pissa", "target_modules": "all-linear", "rank_pattern": {"v_proj": 6}}


def initial(lora, folder):
    torch.manual_seed(5)
    config = LoraConfig(
        task_type="CAUSAL_LM",
        r=lora["r"],
        lora_alpha=lora["alpha"],
        use_dora=True,
        target_modules=lora["target_modules"],
    )
    model = get_peft_model(base(), config)
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.05)
        if "lora_magnitude" in name:
            parameter.data *= 1 + 0.1 * torch.randn_like(parameter)
    model.save_pretrained(folder)


def merged_deviation(run, model):
    """Of PEFT's fp32 weights rounded as ours are stored."""
    theirs = model.merge_and_unload().state_dict()
    ours = load_file(run / "merged" / "model.safetensors")
    deviation = 0.0
    for name, tensor in ours.items():
        rounded = theirs[name].to(tensor.dtype).double()
        deviation = max(deviation, ((rounded - tensor.double()).norm() / rounded.norm()).item())
    return deviation


def main():
    work = Path(sys.argv[1]).resolve()
    logging.disable_progress_bar()

    print("DoRA")
    run = work / "dora"
    initial(DORA, work / "initial")
    metrics = train({**DORA, "init_from": str(work / "initial")}, run)
    before = PeftModel.from_pretrained(base(), work / "initial").eval()
    after = PeftModel.from_pretrained(base(), run / "adapter").eval()
    worst = deviation(run, metrics, before, after)
    merged = merged_deviation(run, after)
    print(f"  merged weights: relative {merged:.1e}")

    print("PiSSA")
    run = work / "pissa"
    metrics = train(PISSA, run)
    after = PeftModel.from_pretrained(base(), run / "adapter").eval()
    worst = max(worst, deviation(run, metrics, base(), after))
    sys.exit(worst > TOLERANCE or merged > MERGED_TOLERANCE)


if __name__ == "__main__":
    main()
