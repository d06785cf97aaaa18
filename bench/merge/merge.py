"""Merges an adapter into a random model of a given shape on this machine's disk, beside a plain copy of the same files.

usage: merge.py WORK [SHAPE [DTYPE]]     WORK: a new folder on the disk that is measured; SHAPE: 8b, 405b or tiny; needs numpy

Of 405b the files hold headers and nothing else (sparse), and the plan of the merge is printed.

Printed are the time and rate of the copy (cp, then sync) and of submit.sh merge (then sync), the ratio, and the largest
resident memory of a process of the merge. Page caches are dropped before each where the user may (root).
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

HOME = Path(__file__).resolve().parents[2]
SHAPES = {
    "8b": dict(vocab_size=128256, hidden_size=4096, intermediate_size=14336, num_hidden_layers=32, num_attention_heads=32, num_key_value_heads=8),
    "405b": dict(vocab_size=128256, hidden_size=16384, intermediate_size=53248, num_hidden_layers=126, num_attention_heads=128, num_key_value_heads=8),
    "tiny": dict(vocab_size=4096, hidden_size=256, intermediate_size=512, num_hidden_layers=4, num_attention_heads=8, num_key_value_heads=2),
}
SHARD_BYTES, RANK = 5_000_000_000, 64
SPARSE = {"405b"}
noise = np.random.default_rng(14)


def bf16(rows, columns, deviation=0.02):
    values = noise.standard_normal((rows, columns), dtype=np.float32) * deviation
    return (values.view(np.uint32) >> 16).astype(np.uint16)


def write(path, tensors, sparse):
    """tensors: name -> (dtype, shape, function that makes the data)"""
    header, end = {"__metadata__": {"format": "pt"}}, 0
    for name, (dtype, shape, _) in tensors.items():
        size = int(np.prod(shape)) * (2 if dtype == "BF16" else 4)
        header[name] = dict(dtype=dtype, shape=shape, data_offsets=[end, end + size])
        end += size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as out:
        out.write(len(text).to_bytes(8, "little") + text)
        if sparse:
            out.truncate(8 + len(text) + end)
            return
        for _, _, make in tensors.values():
            out.write(make().tobytes())


def linears(shape):
    hidden, inner = shape["hidden_size"], shape["intermediate_size"]
    keys = hidden // shape["num_attention_heads"] * shape["num_key_value_heads"]
    attention = {"q_proj": (hidden, hidden), "k_proj": (keys, hidden), "v_proj": (keys, hidden), "o_proj": (hidden, hidden)}
    mlp = {"gate_proj": (inner, hidden), "up_proj": (inner, hidden), "down_proj": (hidden, inner)}
    for layer in range(shape["num_hidden_layers"]):
        for parent, modules in (("self_attn", attention), ("mlp", mlp)):
            for name, dims in modules.items():
                yield f"model.layers.{layer}.{parent}.{name}", dims


def make_model(folder, shape, sparse):
    folder.mkdir()
    config = dict(shape, architectures=["LlamaForCausalLM"], model_type="llama", max_position_embeddings=8192, rms_norm_eps=1e-5, rope_theta=500000.0, tie_word_embeddings=False, torch_dtype="bfloat16")
    (folder / "config.json").write_text(json.dumps(config))
    vocabulary, hidden = [shape["vocab_size"], shape["hidden_size"]], shape["hidden_size"]
    ones = lambda: np.full((hidden,), 0x3F80, np.uint16)
    tensors = {"model.embed_tokens.weight": ("BF16", vocabulary, lambda: bf16(*vocabulary))}
    for name, dims in linears(shape):
        tensors[name + ".weight"] = ("BF16", list(dims), lambda dims=dims: bf16(*dims))
    for layer in range(shape["num_hidden_layers"]):
        for norm in ("input_layernorm", "post_attention_layernorm"):
            tensors[f"model.layers.{layer}.{norm}.weight"] = ("BF16", [hidden], ones)
    tensors["model.norm.weight"] = ("BF16", [hidden], ones)
    tensors["lm_head.weight"] = ("BF16", vocabulary, lambda: bf16(*vocabulary))
    shards, size = [{}], 0
    for name, tensor in tensors.items():
        bytes_ = int(np.prod(tensor[1])) * 2
        if shards[-1] and size + bytes_ > SHARD_BYTES:
            shards.append({})
            size = 0
        shards[-1][name] = tensor
        size += bytes_
    weight_map = {}
    for i, shard in enumerate(shards):
        file = f"model-{i + 1:05d}-of-{len(shards):05d}.safetensors"
        write(folder / file, shard, sparse)
        weight_map.update(dict.fromkeys(shard, file))
    (folder / "model.safetensors.index.json").write_text(json.dumps(dict(metadata={}, weight_map=weight_map)))


def make_adapter(folder, model, shape, sparse):
    folder.mkdir()
    modules = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
    config = dict(peft_type="LORA", task_type="CAUSAL_LM", r=RANK, lora_alpha=RANK, target_modules=modules, base_model_name_or_path=str(model), bias="none")
    (folder / "adapter_config.json").write_text(json.dumps(config))
    normal = lambda *dims: noise.standard_normal(dims, dtype=np.float32) * 0.01
    tensors = {}
    for name, (rows, columns) in linears(shape):
        tensors[f"base_model.model.{name}.lora_A.weight"] = ("F32", [RANK, columns], lambda c=columns: normal(RANK, c))
        tensors[f"base_model.model.{name}.lora_B.weight"] = ("F32", [rows, RANK], lambda r=rows: normal(r, RANK))
    write(folder / "adapter_model.safetensors", tensors, sparse)


def measured(command):
    os.sync()
    try:
        Path("/proc/sys/vm/drop_caches").write_text("3")
    except OSError:
        print("page caches are not dropped: not permitted")
    start = time.perf_counter()
    largest = 0
    with tempfile.TemporaryFile("w+") as said:
        process = subprocess.Popen([str(word) for word in command], stdout=said, stderr=subprocess.STDOUT, text=True)
        while process.poll() is None:
            largest = max(largest, *map(peak, family(process.pid)))
            time.sleep(0.1)
        os.sync()
        seconds = time.perf_counter() - start
        said.seek(0)
        text = said.read()
    if process.returncode:
        raise SystemExit(text)
    return seconds, text, largest


def family(pid):
    yield pid
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            found = children.read_text().split()
        except OSError:
            continue
        for child in found:
            yield from family(int(child))


# not ru_maxrss: what starts a program hands it its own peak, here that of making the model
def peak(pid):
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    return sum(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM"))


def main(work, shape="8b", dtype=None):
    work = Path(work).resolve()
    work.mkdir(parents=True)
    model, adapter, copy, merged = (work / name for name in ("model", "adapter", "copy", "merged"))
    make_model(model, SHAPES[shape], shape in SPARSE)
    make_adapter(adapter, model, SHAPES[shape], shape in SPARSE)
    more = ["--dtype", dtype] if dtype else []
    command = [HOME / "submit.sh", "merge", "--adapter", adapter, "--output", merged, *more]
    if shape in SPARSE:
        seconds, said, _ = measured([*command, "--dry-run"])
        print(said + f"planned in {seconds:.1f} s")
        return
    gigabytes = sum(file.stat().st_size for file in model.iterdir()) / 1e9
    copied, _, _ = measured(["cp", "-r", model, copy])
    shutil.rmtree(copy)
    seconds, said, memory = measured(command)
    print(said)
    print(f"{gigabytes:.2f} GB, {len(os.sched_getaffinity(0))} cores")
    print(f"cp     {copied:7.1f} s  {gigabytes / copied:.3f} GB/s")
    print(f"merge  {seconds:7.1f} s  {gigabytes / seconds:.3f} GB/s, largest process {memory / 1e9:.2f} GB")
    print(f"merge over cp: {copied / seconds:.2f}")


if __name__ == "__main__":
    if not 2 <= len(sys.argv) <= 4:
        raise SystemExit(__doc__)
    main(*sys.argv[1:])
