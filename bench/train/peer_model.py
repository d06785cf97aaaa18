"""The peer's model: transformers' Llama of random weights in bf16 with PEFT's adapters, as a mode says.

A mode is words joined by "+": eager (nothing), compile (torch.compile), checkpoint (gradient checkpointing), liger
(Liger's kernels and its fused linear cross-entropy), fp8 (torchao's Float8Linear, scaled by rows, under LoRA), frozen8
(frozen_fp8.py).
"""
import torch

WORDS = {"eager", "compile", "checkpoint", "liger", "fp8", "frozen8"}
LLAMA_8B = dict(vocab_size=128256, hidden_size=4096, intermediate_size=14336, num_attention_heads=32,
                num_key_value_heads=8, head_dim=128)
# for a host without a GPU
TINY = dict(vocab_size=512, hidden_size=256, intermediate_size=512, num_attention_heads=4, num_key_value_heads=2, head_dim=64)
MODULES = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


def words_of(mode):
    words = set(mode.split("+"))
    if words - WORDS:
        raise ValueError(f"{mode}: no such words: {' '.join(sorted(words - WORDS))}; there are {' '.join(sorted(WORDS))}")
    return words


def model(shape, layers, mode, device):
    from peft import LoraConfig, get_peft_model
    from transformers import LlamaConfig, LlamaForCausalLM
    words = words_of(mode)
    config = LlamaConfig(num_hidden_layers=layers, attn_implementation="sdpa", rms_norm_eps=1e-5, max_position_embeddings=131072,
                         rope_theta=500000.0, tie_word_embeddings=False, **shape)
    torch.manual_seed(0)
    torch.set_default_dtype(torch.bfloat16)
    try:
        with torch.device(device):
            base = LlamaForCausalLM(config)
    finally:
        torch.set_default_dtype(torch.float32)
    if "liger" in words:
        from liger_kernel.transformers import apply_liger_kernel_to_llama
        apply_liger_kernel_to_llama(rope=True, rms_norm=True, swiglu=True, cross_entropy=False, fused_linear_cross_entropy=True, model=base)
    # adapters in bf16, as Anneal computes with them: the faster choice for the peer
    tuned = get_peft_model(base, LoraConfig(r=64, lora_alpha=64, target_modules=MODULES), autocast_adapter_dtype=False)
    if "fp8" in words:
        from torchao.float8 import Float8LinearConfig, convert_to_float8_training
        convert_to_float8_training(tuned, config=Float8LinearConfig.from_recipe_name("rowwise"),
                                   module_filter_fn=lambda module, name: name.endswith("base_layer"))
    if "frozen8" in words:
        from frozen_fp8 import FrozenFp8
        for layer in [m for m in tuned.modules() if isinstance(getattr(m, "base_layer", None), torch.nn.Linear)]:
            layer.base_layer = FrozenFp8(layer.base_layer)
    if "checkpoint" in words:
        tuned.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
        tuned.enable_input_require_grads()
    tuned.config.use_cache = False
    tuned.train()
    return torch.compile(tuned) if "compile" in words else tuned
