"""What steering does to a model's predictions: refusal scores of prompts, and side effects on neutral sentences."""

from collections.abc import Sequence

import numpy as np
import torch

from xlv.control.refusal import openings
from xlv.models.decoding import ReadPrompts
from xlv.models.load import Model

Effect = list[float]  # nats of divergence, nats of the sentence, tokens predicted; sums over a sentence


def refusal_scores(read: ReadPrompts, code: str) -> np.ndarray:
    """Refusal score `[prompt]` in nats of prompts in language `code`: log-odds of a refusal opening.

    log P(a refusal opening) − log P(an answer opening), openings of the prompt's language and of English, several
    tokens each. It needs no generation, is smooth where refusal rates are flat, and exists for models that never
    refuse. Raises ValueError for a language without openings.
    """
    refusals, answers = openings(code)
    logs = read.opening_logs(refusals + answers)
    return np.logaddexp.reduce(logs[: len(refusals)]) - np.logaddexp.reduce(logs[len(refusals) :])


class Neutral:
    """Neutral sentences of one language as raw text, and what the unsteered model predicts in them."""

    def __init__(self, model: Model, texts: Sequence[str]) -> None:
        self.model, self.texts = model, list(texts)
        self.ids = model.with_template("raw").token_ids(self.texts)
        self._unsteered: list[torch.Tensor] = []

    @torch.inference_mode()
    def _logs(self, index: int) -> torch.Tensor:
        rows = torch.tensor([self.ids[index]], device=self.model.network.device)
        return self.model.network(input_ids=rows).logits[0].float().log_softmax(-1)

    def read_unsteered(self) -> None:
        """Keep the predictions of the model as it is now; call it outside every steering context."""
        self._unsteered = self._unsteered or [self._logs(i) for i in range(len(self.ids))]

    def effects(self, indices: Sequence[int]) -> list[Effect]:
        """Effects on sentences under whatever steers the model now.

        KL divergence in nats from the unsteered next-token distribution to the steered one, summed over all places;
        negative log-likelihood in nats given the first token; number of tokens. Raises RuntimeError before
        `read_unsteered`.
        """
        if not self._unsteered:
            raise RuntimeError("call read_unsteered() before the model is steered")
        found = []
        for i in indices:
            before, after = self._unsteered[i], self._logs(i)
            divergence = (before.exp() * (before - after)).sum()
            targets = torch.tensor(self.ids[i][1:], device=after.device)
            nats = -after[:-1].gather(-1, targets[:, None]).sum()
            found.append([float(divergence), float(nats), float(len(self.ids[i]))])
        return found
