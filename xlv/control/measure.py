"""Measuring one cell, through a journal: prompts scored and completed under a steering, or effects on neutral texts."""

import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from xlv.cache import cache_root, fingerprint, writing
from xlv.control import refusal
from xlv.control.conditions import UNSTEERED, Steering
from xlv.control.texts import in_language
from xlv.models.activations import extract
from xlv.models.decoding import ReadPrompts, length_batches
from xlv.models.model import Model
from xlv.schema import REFUSAL
from xlv.settings import ControlSettings

Measure = Callable[[list[int]], Sequence]  # values of the items of some indices
Direction = tuple[str, int, torch.Tensor]  # a name that knows its content, a layer and a vector
Effect = list[float]  # nats of divergence, nats of the sentence, tokens predicted; sums over a sentence


class Journal:
    """What is measured, by cell and item, so that an interrupted run can go on and a larger one use it again.

    Appended to a JSON-lines file as soon as it is known; without a path, kept in memory. A cell is named by a
    fingerprint of what was done, an item by the hash of a text: a run with more prompts, languages or conditions
    measures only what is new. Holds scores, classes and opening words of refusals, never a completion.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path, self.known = path, {}
        if path is None or not path.is_file():
            return
        for line in json_lines(path):
            match line:
                case [str(cell), {**values}]:  # anything else is no line of ours
                    self.known.setdefault(cell, {}).update(values)
        if not path.read_bytes().endswith(b"\n"):
            self._append("\n")

    def recall(self, cell: str, items: Sequence[str], measure: Measure, enough=lambda value: True) -> list:
        """The value of each item of a cell: from the journal if it is `enough`, else measured now, all together."""
        known = self.known.setdefault(cell, {})
        missing = [i for i, item in enumerate(items) if item not in known or not enough(known[item])]
        if missing:
            values = {items[i]: value for i, value in zip(missing, measure(missing), strict=True)}
            self._append(json.dumps([cell, values], ensure_ascii=False) + "\n")
            known.update(values)
        return [known[item] for item in items]

    def _append(self, line: str) -> None:
        if self.path is not None:
            with writing(self.path.parent), open(self.path, "a", encoding="utf-8") as stream:
                stream.write(line)


def _sound(row: object, size: int) -> bool:
    """Whether what a journal holds of an item can be what was written of it: so many values, a number first."""
    return isinstance(row, list) and len(row) == size and isinstance(row[0], float)


def json_lines(path: Path) -> Iterator:
    """The values of a file of JSON lines; one cut short by a kill, or damaged, is left out."""
    for line in path.read_bytes().split(b"\n"):
        try:
            yield json.loads(line)
        except ValueError:
            continue


def refusal_scores(read: ReadPrompts, code: str, tables: refusal.Tables = refusal.TABLES) -> np.ndarray:
    """Refusal score `[prompt]` in nats of prompts in language `code`: log-odds of a refusal opening.

    log P(a refusal opening) − log P(an answer opening), openings of the prompt's language and of English, several
    tokens each. It needs no generation, is smooth where refusal rates are flat, and exists for models that never
    refuse. Raises ValueError for a language without openings.
    """
    refusals, answers = refusal.openings(code, tables)
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

    def effects(self, indices: Sequence[int], steered: AbstractContextManager) -> list[Effect]:
        """Effects on sentences of a context that steers the model; call it outside of any.

        KL divergence in nats from the unsteered next-token distribution to the steered one, summed over all places;
        negative log-likelihood in nats given the first token; number of tokens.
        """
        self._unsteered = self._unsteered or [self._logs(i) for i in range(len(self.ids))]
        found = []
        with steered:
            for i in indices:
                before, after = self._unsteered[i], self._logs(i)
                divergence = (before.exp() * (before - after)).sum()
                targets = torch.tensor(self.ids[i][1:], device=after.device)
                nats = -after[:-1].gather(-1, targets[:, None]).sum()
                found.append([float(divergence), float(nats), float(len(self.ids[i]))])
        return found


class Reading(NamedTuple):
    """What is kept of one prompt: its refusal score in nats; of its completion, if there was one, the class, whether it
    is in the prompt's language, and the opening words if it is a refusal by the rules."""

    score: float
    outcome: str | None = None
    faithful: bool | None = None
    opening: str | None = None


@dataclass
class Bench:
    """A model on the bench: what reads, generates, judges and remembers.

    `tokens` is the length of completions; `keep` is a private file that gets every completion judged, and only ever
    given by someone who asked for completions to be kept.
    """

    model: Model
    tokens: int
    judge: refusal.Judge = field(default_factory=refusal.RuleJudge)
    journal: Journal = field(default_factory=Journal)
    keep: Path | None = None
    batch_size: int = 40

    def measure(
        self, steering: Steering, code: str, prompts: Sequence[str], *, generate: bool, condition: str = ""
    ) -> list[Reading]:
        """Score, and if `generate` also complete and judge, prompts in language `code` under a steering.

        The name of the `condition` goes with kept completions. Raises ValueError for a language without openings.
        """
        rules = refusal.rules_fingerprint(self.judge.tables)
        cell = fingerprint("prompts", rules, self.judge.name, self.tokens, steering.key, code)
        items = [fingerprint(prompt) for prompt in prompts]

        def missing(indices: list[int]) -> list[list]:
            with steering.apply(self.model):
                found = self._read(steering, code, [prompts[i] for i in indices], generate, condition)
            # A score once written stays: another batch would move it by a rounding error.
            old = [self.journal.known[cell].get(items[i]) for i in indices]
            pairs = zip(old, found, strict=True)
            return [[before[0] if _sound(before, 4) else row[0], *row[1:]] for before, row in pairs]

        def enough(row: list) -> bool:
            return _sound(row, 4) and (not generate or row[1] is not None)

        rows = self.journal.recall(cell, items, missing, enough)
        return [Reading(*row) for row in rows]

    def heights(self, directions: Sequence[Direction], texts: Sequence[str], under: Steering = UNSTEERED) -> np.ndarray:
        """Projections `[text, direction]` of texts' last tokens on vectors, each in its layer, under a steering.

        Of each direction there is a name that knows its content, the layer and the vector; all are read at once.
        """
        cell = fingerprint("heights", under.key, [(name, layer) for name, layer, _ in directions])

        def measure(indices: list[int]) -> list[list[float]]:
            with under.apply(self.model):
                states = extract(self.model, [texts[i] for i in indices]).float()
            return torch.stack([states[:, k - 1] @ v.to(states) for _, k, v in directions], dim=1).tolist()

        items = [fingerprint(text) for text in texts]
        return np.array(self.journal.recall(cell, items, measure, lambda row: _sound(row, len(directions))))

    def side_effects(self, steering: Steering, neutral: Neutral) -> list[Effect]:
        """Effects of a steering on neutral sentences; see `Neutral.effects`."""
        cell, items = fingerprint("neutral", steering.key), [fingerprint(text) for text in neutral.texts]
        measure = partial(neutral.effects, steered=steering.apply(self.model))
        return self.journal.recall(cell, items, measure, enough=lambda row: _sound(row, 3))

    def _read(self, steering: Steering, code: str, prompts: list[str], generate: bool, condition: str) -> list[Reading]:
        found = {}
        for batch in length_batches(self.model, prompts, self.batch_size, steering.system):
            texts = [prompts[i] for i in batch]
            read = ReadPrompts(self.model, texts, steering.system, ahead=64 + self.tokens)
            scores = refusal_scores(read, code, self.judge.tables).tolist()
            rows = self._judged(read, code, texts, condition) if generate else [()] * len(batch)
            found |= {i: Reading(score, *row) for i, score, row in zip(batch, scores, rows, strict=True)}
        return [found[i] for i in range(len(prompts))]

    def _judged(self, read: ReadPrompts, code: str, prompts: list[str], condition: str) -> list[tuple]:
        completions, rows = read.complete(self.tokens), []
        outcomes = self.judge.classify(prompts, completions, code)
        for prompt, completion, outcome in zip(prompts, completions, outcomes, strict=True):
            if self.keep:
                record = {"model": self.model.name, "condition": condition, "language": code, "prompt": prompt}
                line = json.dumps({**record, "completion": completion, "judged": outcome}, ensure_ascii=False)
                write_private(self.keep, line + "\n", append=True)
            opening = refusal.opening_words(completion, code, tables=self.judge.tables) if outcome == REFUSAL else None
            rows.append((outcome, in_language(completion, code), opening))
        return rows


def bench_for(model: Model, settings: ControlSettings, *, keep_completions: bool = False) -> Bench:
    """The bench of a loaded model, with the judge that the settings name and a journal in the cache.

    With `keep_completions` all completions go to a private file, `completions/{fingerprint of the model}.jsonl` in the
    cache, never elsewhere. They exist only where they are generated now, so they are kept in step with a journal of
    their own. Raises what loading the judge and the openings of the corpus raises.
    """
    journal = cache_root() / "journals" / f"{model.fingerprint}{'-kept' if keep_completions else ''}.jsonl"
    kept = cache_root() / "completions" / f"{model.fingerprint}.jsonl" if keep_completions else None
    judge = refusal.judge_named(settings.judge)
    judge.tables = refusal.tables_of(settings.folder)
    return Bench(model, settings.tokens, judge, Journal(journal), kept)


def write_private(path: Path, text: str, *, append: bool = False) -> None:
    """Write a file that only its owner can read (mode 0600)."""
    mode = os.O_WRONLY | os.O_CREAT | (os.O_APPEND if append else os.O_TRUNC)
    with writing(path.parent), os.fdopen(os.open(path, mode, 0o600), "w", encoding="utf-8") as stream:
        os.fchmod(stream.fileno(), 0o600)
        stream.write(text)
