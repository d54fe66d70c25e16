"""GGUF files: converted to safetensors, once."""

import shutil
from pathlib import Path

from xlv import cache
from xlv.cache import Progress
from xlv.models.advice import ModelError, quiet

_CONVERTER = 1
_CHECKSUM = "model.safetensors.sha256"


def converted(sha256: str) -> Path:
    return cache.cache_root() / "weights" / f"{sha256[:16]}-v{_CONVERTER}"


def convert(gguf: Path, sha256: str, name: str, progress: Progress) -> Path:
    """De-quantise a GGUF file to an fp32 safetensors folder, once; returns the folder."""
    folder = converted(sha256)
    if folder.exists():
        recorded = (folder / _CHECKSUM).read_text().strip() if (folder / _CHECKSUM).exists() else "none"
        if cache.file_sha256(folder / "model.safetensors") != recorded:
            shutil.rmtree(folder)
            remedy = "run the same command again to unpack it anew"
            raise ModelError(f"{folder} was damaged and has been removed: {remedy}")
        return folder
    cache.need_space(folder.parent, gguf.stat().st_size * 9, f"unpacking {name}")
    progress(f"unpacking {name}", 0, 1)
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    try:
        with quiet():
            where = {"pretrained_model_name_or_path": str(gguf.parent), "gguf_file": gguf.name}
            model = AutoModelForCausalLM.from_pretrained(**where, dtype=torch.float32)
            tokenizer = AutoTokenizer.from_pretrained(**where)
    except Exception as error:  # the readers below raise many kinds for a damaged file
        raise ModelError(f"{gguf} cannot be read as a GGUF model ({error}): fetch or copy it again") from error
    model.hf_quantizer = None  # the weights are plain fp32 now, and save_pretrained refuses marked ones
    model.config.__dict__.pop("quantization_config", None)
    if hasattr(model, "is_quantized"):
        model.is_quantized = False
    with cache.whole_folder(folder) as temporary:
        with quiet():
            model.save_pretrained(temporary, max_shard_size="1TB")
            tokenizer.save_pretrained(temporary)
        (temporary / _CHECKSUM).write_text(cache.file_sha256(temporary / "model.safetensors") + "\n")
    progress(f"unpacking {name}", 1, 1)
    return folder
