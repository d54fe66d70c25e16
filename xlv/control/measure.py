"""Measuring one cell: prompts of a language under one steering, by score and by generation, through the journal."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from xlv.cache import fingerprint
from xlv.control.conditions import Steering
from xlv.control.fidelity import in_language
from xlv.control.journal import Journal
from xlv.control.judges import Judge, RuleJudge
from xlv.control.names import REFUSAL
from xlv.control.neutral import Effect, Neutral
from xlv.control.refusal import RULES, opening_words
from xlv.control.score import scores_of
from xlv.models.decoding import ReadPrompts, length_batches
from xlv.models.load import Model

Keep = Callable[[dict[str, str]], None]


class Found(NamedTuple):
    """What is kept of one prompt: its refusal score in nats; of its completion, if there was one, the class, whether it
    is in the prompt's language, and the opening words if it is a refusal by the rules."""

    score: float
    outcome: str | None = None
    faithful: bool | None = None
    opening: str | None = None


@dataclass
class Bench:
    """A model on the bench: what reads, generates, judges and remembers.

    `tokens` is the length of completions; `keep` is called with every completion judged, and only ever given by
    someone who asked for completions to be kept.
    """

    model: Model
    tokens: int
    judge: Judge = field(default_factory=RuleJudge)
    journal: Journal = field(default_factory=Journal)
    keep: Keep | None = None
    batch_size: int = 40

    def measure(
        self, steering: Steering, code: str, prompts: Sequence[str], *, generate: bool, condition: str = ""
    ) -> list[Found]:
        """Score, and if `generate` also complete and judge, prompts in language `code` under a steering.

        The name of the `condition` goes with kept completions. The model is steered only while something is missing in
        the journal.
        """

        cell = fingerprint("prompts", RULES, self.judge.name, self.tokens, steering.key, code)
        items = [fingerprint(prompt) for prompt in prompts]

        def missing(indices: list[int]) -> list[list]:
            with steering.apply(self.model):
                found = self._read(steering, code, [prompts[i] for i in indices], generate, condition)
            # A score once written stays: another batch would move it by a rounding error.
            old = [self.journal.known[cell].get(items[i], row) for i, row in zip(indices, found, strict=True)]
            return [[before[0], *row[1:]] for before, row in zip(old, found, strict=True)]

        rows = self.journal.recall(cell, items, missing, enough=lambda row: not generate or row[1] is not None)
        return [Found(*row) for row in rows]

    def side_effects(self, steering: Steering, neutral: Neutral) -> list[Effect]:
        """Effects of a steering on neutral sentences; see `Neutral.effects`."""

        def missing(indices: list[int]) -> list[Effect]:
            neutral.read_unsteered()
            with steering.apply(self.model):
                return neutral.effects(indices)

        return self.journal.recall(
            fingerprint("neutral", steering.key), [fingerprint(text) for text in neutral.texts], missing
        )

    def _read(self, steering: Steering, code: str, prompts: list[str], generate: bool, condition: str) -> list[Found]:
        found = [Found(0.0)] * len(prompts)
        for batch in length_batches(self.model, prompts, self.batch_size, steering.system):
            texts = [prompts[i] for i in batch]
            read = ReadPrompts(self.model, texts, steering.system)
            scores = scores_of(read, code).tolist()
            rows = self._judged(read, code, texts, condition) if generate else [()] * len(batch)
            for i, score, row in zip(batch, scores, rows, strict=True):
                found[i] = Found(score, *row)
        return found

    def _judged(self, read: ReadPrompts, code: str, prompts: list[str], condition: str) -> list[tuple]:
        completions = read.complete(self.tokens)
        outcomes = self.judge.classify(prompts, completions, code)
        rows = []
        for prompt, completion, outcome in zip(prompts, completions, outcomes, strict=True):
            if self.keep:
                about = {"condition": condition, "language": code, "prompt": prompt}
                self.keep({**about, "completion": completion, "judged": outcome})
            opening = opening_words(completion, code) if outcome == REFUSAL else None
            rows.append((outcome, in_language(completion, code), opening))
        return rows
