"""Trains a real model with Anneal and with PEFT from the same adapter on the same rows, on the CPU in
fp32, and compares token ids, learned parts, losses, gradient norms, adapters and greedy texts; then asks both
models by `generate` and by transformers, greedily, with and without a repetition penalty.

usage: real.py MODEL ROWS WORK [--count 300] [--steps 12] [--threads 1]
       MODEL  a Llama folder of Hugging Face's with a chat template, such as ../shared/real-model/make.py makes
       ROWS   Alpaca rows as a JSON array; the first --count of them are taken
       WORK   a new folder
       both compute with as many threads, which should be as many as there are cores (taskset)
needs torch, transformers, peft and pyarrow; prints a table and exits with 1 where the two differ
"""

import argparse
import json
import math
import subprocess
import sys
import time
from pathlib import Path

import pyarrow.ipc as ipc
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig, get_linear_schedule_with_warmup

HOME = Path(__file__).resolve().parents[2]
MODULES = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
BATCH, LEARNING_RATE, WARMUP, HELD_OUT, SAMPLES, NEW_TOKENS = 4, 1e-3, 2, 32, 4, 48
# of `generate`
PROMPTS, LONGEST, PENALTIES = 8, 64, [1.0, 1.3]
# Stanford Alpaca's prompts
WITH_INPUT = (
    "Below is an instruction that describes a task, paired with an input that provides further context. "
    "Write a response that appropriately completes the request.\n\n"
    "### Instruction:\n{instruction}\n\n### Input:\n{input}\n\n### Response:"
)
WITHOUT_INPUT = (
    "Below is an instruction that describes a task. Write a response that appropriately completes the request.\n\n"
    "### Instruction:\n{instruction}\n\n### Response:"
)
# relative, but for the adapter's: absolute
LIMITS = {"loss": 2e-6, "grad_norm": 2e-5, "adapter": 1e-4, "held-out loss": 2e-6}


def anneal(arguments, rows, initial, run):
    keys = {
        "model.path": arguments.model.resolve(),
        "data.source": rows,
        "data.packing": "false",
        "data.shuffle": "false",
        "data.max_length": 1024,
        "data.eval_rows": HELD_OUT,
        "lora.init_from": initial,
        "lora.r": 16,
        "lora.alpha": 32,
        "training.max_steps": arguments.steps,
        "training.micro_batch_size": BATCH,
        "optimizer.learning_rate": LEARNING_RATE,
        "schedule.warmup_steps": WARMUP,
        "evaluation.sample_rows": SAMPLES,
        "evaluation.sample_tokens": NEW_TOKENS,
        "cluster.nodes": 1,
        "output.path": run,
    }
    master = f"local-cluster[1,{arguments.threads},2048]"
    command = [HOME / "submit.sh", "run", "--config", HOME / "conf/tiny.yaml", "--master", master]
    for key, value in keys.items():
        command += ["--set", f"{key}={value}"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit(f"{done.stdout}\nAnneal ended with {done.returncode}")
    (run.parent / "anneal.log").write_text(done.stdout)
    return done.stdout


def prepared(run, split):
    """Rows of a split, whose files are part-*.arrow and eval-*.arrow."""
    files = sorted((run / "dataset").rglob(f"{split}-*.arrow"))
    return [row for file in files for row in ipc.open_file(file).read_all().to_pylist()]


def reference_row(tokenizer, row):
    """Ids, and which of them are learned: the answer with its end of turn, and nothing behind it."""
    prompt = (WITH_INPUT if row.get("input") else WITHOUT_INPUT).format(**row)
    user = {"role": "user", "content": prompt}
    before = tokenizer.apply_chat_template([user], add_generation_prompt=True, tokenize=False)
    whole = tokenizer.apply_chat_template([user, {"role": "assistant", "content": row["output"]}], tokenize=False)
    assert whole.startswith(before)
    ids = tokenizer(whole, add_special_tokens=False)["input_ids"]
    first = len(tokenizer(before, add_special_tokens=False)["input_ids"])
    end = len(ids)
    while end > first and ids[end - 1] != tokenizer.eos_token_id:
        end -= 1
    return ids, [first, end]


def loss_sum(model, rows):
    """Cross-entropy over the learned tokens, summed, and their number."""
    length = max(len(row["input_ids"]) for row in rows)
    ids = torch.zeros(len(rows), length, dtype=torch.long)
    labels = torch.full_like(ids, -100)
    mask = torch.zeros_like(ids)
    for i, row in enumerate(rows):
        tokens = torch.tensor(row["input_ids"])
        ids[i, : len(tokens)] = tokens
        mask[i, : len(tokens)] = 1
        for start, end in zip(row["target_spans"][::2], row["target_spans"][1::2]):
            labels[i, start:end] = tokens[start:end]
    ids, labels, mask = (tensor.to(model.device) for tensor in (ids, labels, mask))
    logits = model(input_ids=ids, attention_mask=mask).logits[:, :-1]
    targets = labels[:, 1:]
    loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1).float(), targets.flatten(), reduction="sum")
    return loss, int((targets >= 0).sum())


def held_out(model, rows):
    with torch.no_grad():
        sums = [loss_sum(model, [row]) for row in rows]
    return sum(loss.item() for loss, _ in sums) / sum(count for _, count in sums)


def train(model, rows, steps, learning_rate=LEARNING_RATE, warmup=WARMUP):
    weights = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(weights, lr=learning_rate, weight_decay=0.0)
    schedule = get_linear_schedule_with_warmup(optimizer, warmup, steps)
    lines = []
    for step in range(steps):
        batch = [rows[(step * BATCH + i) % len(rows)] for i in range(BATCH)]
        began = time.perf_counter()
        total, count = loss_sum(model, batch)
        (total / count).backward()
        norm = math.sqrt(sum(weight.grad.double().square().sum().item() for weight in weights))
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        tokens = sum(len(row["input_ids"]) for row in batch)
        lines.append({"loss": total.item() / count, "grad_norm": norm, "rate": tokens / (time.perf_counter() - began)})
    return lines


def greedy(model, tokenizer, row):
    prompt = torch.tensor([row["input_ids"][: row["target_spans"][0]]])
    output = model.generate(prompt, attention_mask=torch.ones_like(prompt), max_new_tokens=NEW_TOKENS, do_sample=False)
    return " ".join(tokenizer.decode(output[0, prompt.shape[1] :], skip_special_tokens=True).split())


def asked(arguments, work, adapter, penalty):
    """The lines that the command `generate` gives for the prompts of WORK/prompts.jsonl."""
    output = work / f"answers-{'base' if adapter is None else 'adapter'}-{penalty}.jsonl"
    master = f"local-cluster[1,{arguments.threads},2048]"
    command = [HOME / "submit.sh", "generate", "--master", master, "--model", arguments.model.resolve()]
    command += ["--prompts", work / "prompts.jsonl", "--max-tokens", str(LONGEST), "--output", output]
    command += ["--repetition-penalty", str(penalty)]
    command += [] if adapter is None else ["--adapter", adapter]
    if subprocess.run(command).returncode:
        sys.exit("generate has failed")
    return [json.loads(line) for line in output.open()]


def stop_tokens(model, tokenizer):
    stops = {tokenizer.eos_token_id}
    for config in model.config, model.generation_config:
        named = config.eos_token_id
        stops.update(named if isinstance(named, list) else [] if named is None else [named])
    return stops


def continuation(model, tokenizer, prompt, stops, penalty):
    """What a line of `generate` says of a prompt, by transformers."""
    user = {"role": "user", "content": prompt}
    text = tokenizer.apply_chat_template([user], add_generation_prompt=True, tokenize=False)
    ids = torch.tensor([tokenizer(text, add_special_tokens=False)["input_ids"]])
    # in the model's own place, since whatever is missing would come from there; PEFT hands it down
    model.generation_config = GenerationConfig(
        max_new_tokens=LONGEST,
        do_sample=False,
        repetition_penalty=penalty,
        eos_token_id=sorted(stops),
        pad_token_id=min(stops),
    )
    output = model.generate(input_ids=ids, attention_mask=torch.ones_like(ids))
    new = output[0, ids.shape[1] :].tolist()
    stopped = new[-1] in stops
    new = new[:-1] if stopped else new
    return {
        "text": tokenizer.decode(new, skip_special_tokens=True, clean_up_tokenization_spaces=False),
        "finish_reason": "stop_token" if stopped else "max_tokens",
        "prompt_tokens": ids.shape[1],
        "tokens": len(new),
    }


def compare_generate(arguments, work, tokenizer, prompts, adapter):
    """Prints how many continuations are equal: text letter for letter, number of tokens, end. Whether all are."""
    lines = [json.dumps({"prompt": prompt}) for prompt in prompts]
    (work / "prompts.jsonl").write_text("\n".join(lines) + "\n")
    all_equal = True
    for folder in None, adapter:
        model = AutoModelForCausalLM.from_pretrained(arguments.model, dtype=torch.float32)
        stops = stop_tokens(model, tokenizer)
        model = model if folder is None else PeftModel.from_pretrained(model, folder)
        model.eval()
        for penalty in PENALTIES:
            ours = asked(arguments, work, folder, penalty)
            theirs = [continuation(model, tokenizer, prompt, stops, penalty) for prompt in prompts]
            equal = 0
            for line, expected in zip(ours, theirs, strict=True):
                if {name: line[name] for name in expected} == expected:
                    equal += 1
                else:
                    print(f"different: {line}\n           {expected}")
            all_equal &= equal == len(prompts)
            tokens = sum(expected["tokens"] for expected in theirs)
            which = "the base model" if folder is None else "the adapter"
            print(
                f"generate  {equal} of {len(prompts)} continuations equal, {tokens} tokens, "
                f"of {which} with repetition_penalty {penalty}"
            )
    return all_equal


def relative(found, expected):
    return max(abs(a - b) / abs(b) for a, b in zip(found, expected, strict=True))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("rows", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    arguments.work.mkdir(parents=True)
    work = arguments.work.resolve()
    torch.manual_seed(0)
    torch.set_num_threads(arguments.threads)

    rows = json.loads(arguments.rows.read_text())[: arguments.count]
    (work / "rows.json").write_text(json.dumps(rows))
    tokenizer = AutoTokenizer.from_pretrained(arguments.model)
    base = AutoModelForCausalLM.from_pretrained(arguments.model, dtype=torch.float32)
    config = LoraConfig(r=16, lora_alpha=32, target_modules=MODULES, task_type="CAUSAL_LM")
    get_peft_model(base, config).save_pretrained(work / "initial")
    run = work / "run"
    lines = anneal(arguments, work / "rows.json", work / "initial", run).splitlines()
    printed = [" ".join(line.split()[1:]) for line in lines if line.startswith("  after ")]
    metrics = [json.loads(line) for line in (run / "metrics.jsonl").open()]
    steps = [line for line in metrics if "loss" in line]
    evals = [line["eval_loss"] for line in metrics if "eval_loss" in line]
    ours, held = prepared(run, "part"), prepared(run, "eval")

    # rows are shuffled when they are prepared, so each is looked up
    expected = {tuple(ids): span for ids, span in (reference_row(tokenizer, row) for row in rows)}
    same = sum(expected.get(tuple(row["input_ids"])) == row["target_spans"] for row in ours + held)

    base = AutoModelForCausalLM.from_pretrained(arguments.model, dtype=torch.float32)
    model = PeftModel.from_pretrained(base, work / "initial", is_trainable=True)
    model.train()
    before = held_out(model, held)
    theirs = train(model, ours, arguments.steps)
    model.eval()
    after = held_out(model, held)
    model.save_pretrained(work / "peft")
    texts = [greedy(model, tokenizer, row) for row in held[:SAMPLES]]
    ours_adapter = load_file(run / "adapter/adapter_model.safetensors")
    peft_adapter = load_file(work / "peft/adapter_model.safetensors")
    assert ours_adapter.keys() == peft_adapter.keys()

    found = {
        "loss": relative([line["loss"] for line in steps], [line["loss"] for line in theirs]),
        "grad_norm": relative([line["grad_norm"] for line in steps], [line["grad_norm"] for line in theirs]),
        "adapter": max((ours_adapter[name] - peft_adapter[name]).abs().max().item() for name in ours_adapter),
        "held-out loss": relative(evals, [before, after]),
    }
    equal_texts = sum(ours_text == text for ours_text, text in zip(printed, texts))
    print(f"rows      ids and learned part of {same} of {len(ours) + len(held)} equal")
    for name, value in found.items():
        print(f"{name:<14} largest difference {value:.1e}, at most {LIMITS[name]:.0e}")
    print(f"texts     {equal_texts} of {len(texts)} greedy continuations equal")
    rates = sorted(line["tokens_per_second"] for line in steps), sorted(line["rate"] for line in theirs)
    ours_rate, theirs_rate = (rate[len(rate) // 2] for rate in rates)
    print(
        f"tokens/s  Anneal {ours_rate:.0f}, PEFT {theirs_rate:.0f} with {arguments.threads} threads each: "
        f"{ours_rate / theirs_rate:.2f}"
    )
    prompts = [(WITH_INPUT if row.get("input") else WITHOUT_INPUT).format(**row) for row in rows[:PROMPTS]]
    same_answers = compare_generate(arguments, work, tokenizer, prompts, run / "adapter")
    failed = same < len(ours) + len(held) or equal_texts < len(texts) or not same_answers
    sys.exit(failed or any(value > LIMITS[name] for name, value in found.items()))


if __name__ == "__main__":
    main()
