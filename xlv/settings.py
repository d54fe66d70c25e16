"""What a run depends on, besides the model: validated at construction, hashed into every result."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import pandas as pd

from xlv.corpus.concepts import CONCEPTS
from xlv.corpus.languages import LANGUAGES
from xlv.corpus.pairs import load_pairs


@dataclass(frozen=True)
class Settings:
    """What a run of questions 1 to 3 depends on, besides the model.

    `pairs` is the number of pairs a concept (None: all), `neutral` that of neutral sentences a language; `baselines`
    says whether likelihood, on `likelihood_pairs` a concept, and an untrained model are measured; `concepts` and
    `languages` None mean all of the corpus; `data` a corpus folder, None the built-in one. `seed` draws the folds, the
    resamples and the untrained model.
    Raises ValueError for an unknown template or dtype when the model is loaded.
    """

    concepts: tuple[str, ...] | None = None
    languages: tuple[str, ...] | None = None
    pairs: int | None = None
    neutral: int | None = None
    likelihood_pairs: int | None = 8
    baselines: bool = True
    data: str | None = None
    dtype: str = "bf16"
    template: str = "raw"
    seed: int = 0

    @property
    def folder(self) -> Path | None:
        """The corpus folder, None for the built-in one."""
        return Path(self.data) if self.data else None

    def table(self) -> pd.DataFrame:
        """The pairs these settings ask for; raises CorpusError if the corpus does not have them."""
        return load_pairs(self.concepts, self.languages, pairs=self.pairs, data=self.folder)


@dataclass(frozen=True)
class ControlSettings:
    """What a run of question 4 depends on, besides the model.

    `source` is the language whose vector controls and on whose search split layers and strength are chosen;
    `prompts` the number of instructions of each kind a language, `search_prompts` and `neutral` those of the
    search; `tokens` the length of completions (32 at most; without `generate` there are none, and all is by score).
    The search tries each of `doses` (|s|·‖v‖ over the mean residual norm) in each of `windows` (spans of relative
    depth), within `max_divergence` nats a token of the unsteered model on neutral sentences; the best `confirmed` of a
    direction are tried by generation, with at most `max_broken` more broken completions.
    Comparisons: further `sources` at settings searched on them, the vectors of the `contrast` concept, and `random`
    vectors of equal dose; on the first `score_prompts` instructions of a kind by score everywhere, on all and by
    generation in the `detailed` languages (of random vectors, the first `random_generated`). `response_doses` are those
    of the dose–response curves. `judge` is `rules`, `chat:MODEL` or `classifier:MODEL:LABEL`; `seed` draws the random
    vectors.
    Raises ValueError for values out of range.
    """

    source: str = "en"
    targets: tuple[str, ...] = ("en", "fr", "zh", "ja", "sw")
    concept: str = "harmfulness"
    pairs: int | None = None
    prompts: int = 40
    search_prompts: int = 24
    neutral: int = 24
    tokens: int = 32
    generate: bool = True
    random: int = 19
    random_generated: int = 2
    sources: tuple[str, ...] = ()
    contrast: str = "sentiment"
    detailed: tuple[str, ...] = ("en", "fr", "zh", "ja", "sw")
    score_prompts: int = 12
    response_doses: tuple[float, ...] = (0.0025, 0.005, 0.01, 0.02, 0.04, 0.08)
    dtype: str = "bf16"
    template: str = "chat"
    judge: str = "rules"
    data: str | None = None
    doses: tuple[float, ...] = (0.005, 0.01, 0.02, 0.04)
    windows: tuple[tuple[float, float], ...] = ((0.2, 0.45), (0.4, 0.7), (0.6, 0.9), (0.2, 0.9))
    max_divergence: float = 0.25
    confirmed: int = 3
    max_broken: float = 0.10
    seed: int = 0

    def __post_init__(self) -> None:
        if not 1 <= self.tokens <= 32:
            raise ValueError(
                f"expected 1 to 32 tokens a completion, got {self.tokens}: refusals show in the first words"
            )
        if min(self.prompts, self.search_prompts, self.neutral) < 2:
            raise ValueError("expected at least 2 prompts of each kind and 2 neutral sentences")
        if min(self.score_prompts, self.confirmed) < 1:
            raise ValueError("expected at least 1 prompt to score and 1 setting to confirm")

    @property
    def folder(self) -> Path | None:
        """The corpus folder, None for the built-in one."""
        return Path(self.data) if self.data else None

    @property
    def detailed_targets(self) -> tuple[str, ...]:
        """The target languages in which comparisons are made by generation."""
        return tuple(code for code in self.targets if code in self.detailed)


@dataclass(frozen=True)
class Loading:
    """How a model is loaded; nothing of it enters a fingerprint, for it does not change what is computed.

    `device` is cpu, cuda, cuda:1 …, auto (spread over what is there), or None: cuda if there is one;
    `trust_remote_code` runs code that the model brings.
    """

    device: str | None = None
    trust_remote_code: bool = False


DEFAULT_LOADING = Loading()


@dataclass(frozen=True)
class Profile:
    """A named size of run: settings of questions 1 to 3 and of question 4."""

    name: str
    study: Settings
    control: ControlSettings

    @staticmethod
    def named(name: str) -> Self:
        """The profile of a name; raises ValueError for an unknown one."""
        if name not in PROFILES:
            raise ValueError(f"unknown profile {name!r}: choose one of {', '.join(PROFILES)}")
        return PROFILES[name]

    def changed(
        self,
        *,
        languages: tuple[str, ...] | None = None,
        pairs: int | None = None,
        data: str | None = None,
        seed: int | None = None,
        **study: object,
    ) -> Self:
        """The profile with some settings replaced; None leaves one as it is.

        A corpus folder brings its own concepts. Pairs and the seed go for question 4 too, languages for its targets (if
        any of them remains) and its further sources, and a corpus folder if it has a control set.
        """
        wanted = {key: value for key, value in (("pairs", pairs), ("data", data), ("seed", seed)) if value is not None}
        common = {
            key: value for key, value in wanted.items() if key != "data" or (Path(str(value)) / "control").is_dir()
        }
        wanted |= {key: value for key, value in (("languages", languages), *study.items()) if value is not None}
        if data and not study.get("concepts"):
            wanted["concepts"] = None  # all that the folder has, not those of the built-in corpus
        targets, sources = (
            tuple(code for code in codes if not languages or code in languages)
            for codes in (self.control.targets, self.control.sources)
        )
        control = replace(self.control, **common, targets=targets or self.control.targets, sources=sources)
        return replace(self, study=replace(self.study, **wanted), control=control)


ALL_TARGETS = tuple(LANGUAGES)
PROFILES = {
    profile.name: profile
    for profile in (
        Profile(
            "quick",
            Settings(pairs=16, neutral=16, baselines=False),
            ControlSettings(
                targets=("en", "fr", "zh", "ja", "sw"),
                pairs=16,
                prompts=8,
                search_prompts=8,
                neutral=8,
                tokens=24,
                random=2,
                random_generated=0,
                detailed=("en",),
                score_prompts=4,
                doses=(0.01, 0.02, 0.04),
                confirmed=2,
                response_doses=(0.01, 0.04),
            ),
        ),
        Profile(
            "medium",
            Settings(concepts=tuple(CONCEPTS), pairs=32),
            ControlSettings(
                targets=ALL_TARGETS,
                pairs=32,
                prompts=20,
                search_prompts=16,
                neutral=16,
                random=3,
                random_generated=1,
                detailed=("en", "zh", "sw"),
                score_prompts=4,
                response_doses=(0.01, 0.02, 0.04),
            ),
        ),
        Profile(
            "full",
            Settings(concepts=tuple(CONCEPTS), dtype="fp32"),
            ControlSettings(targets=ALL_TARGETS, sources=("en", "zh", "fr")),
        ),
    )
}
