"""Side effects of a control on neutral sentences: how far predictions move, and what it costs in perplexity."""

from collections.abc import Sequence

import torch

from xlv.models.load import Model

Effect = list[float]  # nats of divergence, nats of the sentence, tokens predicted; sums over a sentence


class Neutral:
    """Neutral sentences of one language as raw text, and what the unsteered model predicts in them."""

    @torch.inference_mode()
    def __init__(self, model: Model, texts: Sequence[str]) -> None:
        self.model, self.texts = model, list(texts)
        self.ids = model.with_template("raw").token_ids(self.texts)
        self._reference: list[torch.Tensor] | None = None

    def _logs(self, index: int) -> torch.Tensor:
        rows = torch.tensor([self.ids[index]], device=self.model.network.device)
        return self.model.network(input_ids=rows).logits[0].float().log_softmax(-1)

    @torch.inference_mode()
    def read_unsteered(self) -> None:
        """Keep the predictions of the model as it is now; call it outside every steering context."""
        if self._reference is None:
            self._reference = [self._logs(i) for i in range(len(self.ids))]

    @torch.inference_mode()
    def effects(self, indices: Sequence[int]) -> list[Effect]:
        """Effects on sentences under whatever steers the model now.

        KL divergence in nats from the unsteered next-token distribution to the steered one, summed over all places;
        negative log-likelihood in nats given the first token; number of tokens. Raises RuntimeError before
        `read_unsteered`.
        """
        if self._reference is None:
            raise RuntimeError("call read_unsteered() before the model is steered")
        found = []
        for i in indices:
            before, after = self._reference[i], self._logs(i)
            divergence = (before.exp() * (before - after)).sum()
            targets = torch.tensor(self.ids[i][1:], device=after.device)
            nats = -after[:-1].gather(-1, targets[:, None]).sum()
            found.append([float(divergence), float(nats), float(len(self.ids[i]))])
        return found


def mean_divergence(effects: Sequence[Effect]) -> float:
    """Mean KL divergence in nats a token."""
    return sum(e[0] for e in effects) / sum(e[2] for e in effects)
