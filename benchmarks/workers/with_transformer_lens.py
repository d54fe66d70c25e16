"""transformer-lens: its bridge with a cache of every block's output at the last position, stopped before the head."""

import torch
from loading import DTYPES, batches, load
from transformer_lens.model_bridge import TransformerBridge


class Contender:
    final_norm = False  # it reads the output of the last block

    def __init__(self, folder: str, dtype: str) -> None:
        network, self.tokenizer = load(folder, dtype)
        self.tokenizer.padding_side = "left"
        self.model = TransformerBridge.boot_transformers(
            folder, dtype=DTYPES[dtype], device="cpu", tokenizer=self.tokenizer, hf_model=network
        )
        self.network = self.model.original_model
        self.names = [f"blocks.{k}.hook_out" for k in range(self.model.cfg.n_layers)]

    @torch.no_grad()
    def states(self, groups: list[list[str]]) -> torch.Tensor:
        return torch.cat([self.read(batch) for group in groups for batch in batches(group)])

    def read(self, texts: list[str]) -> torch.Tensor:
        inputs = self.tokenizer(texts, padding=True, return_tensors="pt")
        _, cache = self.model.run_with_cache(
            inputs["input_ids"],
            attention_mask=inputs["attention_mask"],
            return_type=None,
            names_filter=self.names,
            pos_slice=-1,
            stop_at_layer=len(self.names),
        )
        return torch.stack([cache[name].reshape(len(texts), -1) for name in self.names], dim=1)
