"""What every contender shares: loading a folder with transformers, padded batches, the memory of this process."""

from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}
BATCH = 32  # of peers, as their own defaults have it
STATUS, CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def load(folder: str, dtype: str):
    """A causal language model and its tokenizer from a local folder, on the processor."""
    network = AutoModelForCausalLM.from_pretrained(folder, torch_dtype=DTYPES[dtype]).eval().requires_grad_(False)
    return network, AutoTokenizer.from_pretrained(folder)


def batches(rows: list, size: int = BATCH) -> list[list]:
    """Rows in batches of `size`, in the order given."""
    return [rows[start : start + size] for start in range(0, len(rows), size)]


def touch(network: torch.nn.Module) -> None:
    """Read every parameter once, so that weights mapped from disk count as weights and not as working memory."""
    for parameter in network.parameters():
        parameter.sum()


def memory(field: str) -> int | None:
    """Bytes of this process: VmRSS now, VmHWM at most since `reset_peak`; None where the system does not say."""
    if not STATUS.exists():
        return None
    line = next(line for line in STATUS.read_text().splitlines() if line.startswith(f"{field}:"))
    return int(line.split()[1]) * 1024


def reset_peak() -> None:
    """Let the high-water mark of resident memory start anew from what is resident now."""
    if CLEAR.exists():
        CLEAR.write_text("5")


def forever(network) -> None:
    """Let generation go on to the last token asked for, so that all contenders make equally many."""
    network.generation_config.eos_token_id = None


def left_padded(tokenizer, prompts: list[str]) -> dict[str, torch.Tensor]:
    """Token ids and mask of prompts that already are in their template."""
    tokenizer.padding_side = "left"
    return dict(tokenizer(prompts, padding=True, add_special_tokens=False, return_tensors="pt"))


def greedy(network, tokenizer, prompts: list[str], tokens: int) -> list[str]:
    """Greedy completions of prompts, by `generate` of transformers."""
    inputs = left_padded(tokenizer, prompts)
    output = network.generate(
        **inputs,
        max_new_tokens=tokens,
        do_sample=False,
        temperature=None,
        top_p=None,
        top_k=None,
        repetition_penalty=1.0,
        pad_token_id=0,
    )
    return tokenizer.batch_decode(output[:, inputs["input_ids"].shape[1] :], skip_special_tokens=True)
