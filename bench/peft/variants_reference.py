"""The reference run of shared/golden as DoRA and as PiSSA, by PEFT in fp32 on one CPU process.

usage: variants_reference.py GOLDEN/tiny-llama31 OUT_FOLDER     (needs torch, transformers, peft and safetensors)

Rows, batches, recipe and ranks are those of reference.json. DoRA begins with the A and B of adapter_init and the
magnitudes that PEFT gives them, PiSSA with PEFT's own svd. Beside every step's loss and gradient norm it writes two
numbers of every tensor of what it saves and merges, its L2 norm and the sum of tensor[i] * cos(i) over its flattened
values, which see every element. Of PiSSA, whose singular vectors have no sign, they are of scale * B A; its adapter is
saved as PEFT converts it for the original model.

training-core/src/test/resources/dev/anneal/training/trainer/{dora,pissa}_reference.json are what it wrote.
"""

import json
import sys
import tempfile
from pathlib import Path

import peft
import torch
import transformers
from full import batch, numbers, train
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

CASES = {
    "dora": {"use_dora": True},
    "pissa": {"init_lora_weights": "pissa"},
}


def base(golden):
    return AutoModelForCausalLM.from_pretrained(
        golden / "model", dtype=torch.float32, attn_implementation="eager"
    )


def adapted(golden, lora, settings):
    config = LoraConfig(
        task_type="CAUSAL_LM",
        r=lora["r"],
        lora_alpha=lora["lora_alpha"],
        target_modules=lora["target_modules"],
        **settings,
    )
    model = get_peft_model(base(golden), config)
    if "init_lora_weights" not in settings:
        initial = load_file(golden / "adapter_init" / "adapter_model.safetensors")
        names = {name.replace(".weight", ".default.weight"): value for name, value in initial.items()}
        _, unexpected = model.load_state_dict(names, strict=False)
        assert not unexpected
    return model.train()


def products(adapter, scale):
    """scale * B A of every module."""
    return {
        name.removesuffix(".lora_A.weight"): scale
        * adapter[name.replace("lora_A", "lora_B")].double()
        @ adapter[name].double()
        for name in adapter
        if "lora_A" in name
    }


def run(golden, reference, case, settings, rows):
    lora = reference["lora"]
    scale = lora["lora_alpha"] / lora["r"]
    model = adapted(golden, lora, settings)
    result = {
        "versions": {"torch": torch.__version__, "transformers": transformers.__version__, "peft": peft.__version__},
        "recipe": reference["recipe"],
        "lora": {**lora, **settings},
    }
    with tempfile.TemporaryDirectory() as folder:
        initial, final = Path(folder) / "initial", Path(folder) / "final"
        model.save_pretrained(initial)
        first = load_file(initial / "adapter_model.safetensors")
        if case == "pissa":
            result["initial"] = numbers(products(first, scale))
            saving = {"path_initial_model_for_weight_conversion": initial}
        else:
            result["initial"] = numbers({k: v for k, v in first.items() if "magnitude" in k})
            saving = {}
        trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
        result["steps"] = train(model, trained, reference["recipe"], rows)
        model.save_pretrained(final, **saving)
        adapter = load_file(final / "adapter_model.safetensors")
        result["config"] = json.loads((final / "adapter_config.json").read_text())
        # where the model lies
        del result["config"]["base_model_name_or_path"]
        result["shapes"] = {name: list(tensor.shape) for name, tensor in sorted(adapter.items())}
        result["final"] = numbers(products(adapter, scale) if case == "pissa" else adapter)

        loaded = PeftModel.from_pretrained(base(golden), final).eval()
        ids, mask, _ = batch(rows[:2])
        with torch.no_grad():
            logits = loaded(input_ids=ids, attention_mask=mask).logits
            merged = loaded.merge_and_unload()
            assert (merged(input_ids=ids, attention_mask=mask).logits - logits).abs().max() < 1e-4
        length = len(rows[0]["input_ids"])
        result["logits"] = numbers({"first row": logits[0, :length]})
        state = merged.state_dict()
        result["merged"] = numbers({n: t for n, t in state.items() if "proj" in n})
    return result


def main():
    golden, out = Path(sys.argv[1]), Path(sys.argv[2])
    reference = json.loads((golden / "reference.json").read_text())
    rows = [json.loads(line) for line in (golden / "rows.jsonl").open()]
    torch.set_num_threads(1)
    for case, settings in CASES.items():
        result = run(golden, reference, case, settings, rows)
        (out / f"{case}_reference.json").write_text(json.dumps(result, indent=1) + "\n")
        print(case, *(f"{step['loss']:.6f}" for step in result["steps"]))


if __name__ == "__main__":
    main()
