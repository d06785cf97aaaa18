"""Holds adapters with a regular expression, ranks and alphas by pattern against PEFT itself.

usage: patterns.py WORK_FOLDER     (needs torch, transformers, peft and pyarrow)

For every case PEFT makes an adapter of the bundled model with random values, ./submit.sh trains two steps from it on
the bundled rows, and PEFT loads what came of it: without a missing or an unexpected tensor, and with the held-out loss
before and after, and the first step's loss, that Anneal has measured. Exits with 1 on a difference.
"""

import json
import subprocess
import sys
from pathlib import Path

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from pyarrow import ipc
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM
from transformers.utils import logging

TOLERANCE = 1e-5
REPOSITORY = Path(__file__).resolve().parents[2]
MODEL = REPOSITORY / "conf/tiny/model"
ROWS = REPOSITORY / "conf/tiny/instructions.json"
EVAL_ROWS = 16

CASES = {
    "regex, rank_pattern, alpha_pattern": dict(
        r=8,
        lora_alpha=16,
        target_modules=r".*\.(q|v)_proj|model\.layers\.[12]\.mlp\.(up|down)_proj",
        rank_pattern={r"layers\.1\.self_attn\.q_proj": 3, "v_proj": 5, "up_proj": 12},
        alpha_pattern={"up_proj": 6, "q_proj": 4},
    ),
    "all-linear, rslora, exclude_modules": dict(
        r=4,
        lora_alpha=6,
        use_rslora=True,
        target_modules="all-linear",
        exclude_modules=["layers.0.self_attn.k_proj", "o_proj"],
        # in the order that PEFT saves it in, sorted: the first that fits counts, also when it is loaded
        rank_pattern={r".*\.2\..*": 2, ".*mlp.*": 7},
        alpha_pattern={r"1\.self_attn\.\w+": 9},
    ),
    "layers_to_transform": dict(
        r=6, lora_alpha=3, target_modules=["q_proj", "gate_proj"], layers_to_transform=[1], alpha_pattern={"q_proj": 12}
    ),
}


def base():
    return AutoModelForCausalLM.from_pretrained(MODEL, dtype=torch.float32).eval()


def loss(model, rows):
    total = targets = 0
    for row in rows:
        ids = torch.tensor([row["input_ids"]])
        with torch.no_grad():
            log_probs = model(ids).logits[0].double().log_softmax(-1)
        spans = row["target_spans"]
        for start, end in zip(spans[::2], spans[1::2]):
            for target in range(start, end):
                total -= log_probs[target - 1, ids[0, target]].item()
                targets += 1
    return total / targets


def initial(settings, folder):
    torch.manual_seed(3)
    model = get_peft_model(base(), LoraConfig(task_type="CAUSAL_LM", **settings))
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.05)
    model.save_pretrained(folder)


def anneal_settings(settings, adapter):
    """The same in our configuration: what it has no key for as the list of modules that PEFT found."""
    lora = {key: settings[key] for key in ("r", "rank_pattern", "alpha_pattern") if key in settings}
    lora["alpha"] = settings["lora_alpha"]
    lora["use_rslora"] = settings.get("use_rslora", False)
    lora["target_modules"] = settings["target_modules"]
    if "exclude_modules" in settings or "layers_to_transform" in settings:
        names = load_file(adapter / "adapter_model.safetensors")
        lora["target_modules"] = sorted(
            {name.removeprefix("base_model.model.").split(".lora_")[0] for name in names}
        )
    lora["init_from"] = str(adapter)
    return lora


def train(lora, folder):
    settings = {
        "model.path": MODEL,
        "data.source": ROWS,
        "data.max_length": 256,
        "data.packing": False,
        "data.shuffle": False,
        "data.eval_rows": EVAL_ROWS,
        "base_weights.dtype": "fp32",
        "compute.dtype": "fp32",
        "compute.matmul": "fp32",
        "training.max_steps": 2,
        "training.micro_batch_size": 8,
        "optimizer.learning_rate": 0.01,
        "schedule.type": "constant",
        "schedule.warmup_ratio": 0,
        "cluster.gpus_per_node": 0,
        "output.path": folder,
        **{"lora." + key: value for key, value in lora.items()},
    }
    command = [REPOSITORY / "submit.sh", "run", "--overwrite"]
    for key, value in settings.items():
        command += ["--set", f"{key}={json.dumps(str(value) if isinstance(value, Path) else value)}"]
    text = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    print(*(line for line in text.splitlines() if "Next:" in line or "Note:" in line), sep="\n")
    return [json.loads(line) for line in (folder / "metrics.jsonl").open()]


def deviation(run, metrics, before, after):
    """The largest relative one of the losses that a run has measured, PEFT's models before and after it beside."""
    held_out, first = rows_of(run, "eval"), rows_of(run, "part")[:8]
    assert len(held_out) == EVAL_ROWS and len(first) == 8
    evals = [line["eval_loss"] for line in metrics if "eval_loss" in line]
    steps = [line["loss"] for line in metrics if "loss" in line]
    worst = 0.0
    for what, theirs, ours in (
        ("held-out loss before", loss(before, held_out), evals[0]),
        ("loss of the first step", loss(before, first), steps[0]),
        ("held-out loss after", loss(after, held_out), evals[-1]),
    ):
        relative = abs(theirs - ours) / theirs
        worst = max(worst, relative)
        print(f"  {what}: PEFT {theirs:.7f}, Anneal {ours:.7f}, relative {relative:.1e}")
    assert evals[0] != evals[-1]
    return worst


def main():
    work = Path(sys.argv[1]).resolve()
    logging.disable_progress_bar()
    worst = 0.0
    for number, (case, settings) in enumerate(CASES.items()):
        print(case)
        adapter, run = work / f"adapter-{number}", work / f"run-{number}"
        initial(settings, adapter)
        metrics = train(anneal_settings(settings, adapter), run)
        before = PeftModel.from_pretrained(base(), adapter).eval()
        after = get_peft_model(base(), LoraConfig.from_pretrained(run / "adapter")).eval()
        expected = {name for name in after.state_dict() if "lora_" in name}
        found = {name.replace(".weight", ".default.weight") for name in load_file(run / "adapter/adapter_model.safetensors")}
        assert expected == found, expected ^ found
        after = PeftModel.from_pretrained(base(), run / "adapter").eval()

        worst = max(worst, deviation(run, metrics, before, after))
        print(f"  {len(found)} tensors, none missing, none unexpected")
    sys.exit(worst > TOLERANCE)


def rows_of(run, part):
    files = sorted((run / "dataset").glob(f"{part}-*.arrow"))
    return [row for file in files for row in ipc.open_file(file).read_all().to_pylist()]


if __name__ == "__main__":
    main()
