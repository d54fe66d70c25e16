"""What a run depends on, besides the model: validated at construction, hashed into every result."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

DTYPES = ("fp32", "bf16", "fp16")
TEMPLATES = ("raw", "chat", "llama2")
COHORTS = ("first", "second")  # rules were formed on the first; the second, of other situations, confirms
NO_NAME = re.compile(r"[\0-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]|[^/]{256}")  # in what names a file


def typed(*kinds: type, **values: object) -> None:
    """Raise ValueError for a parameter of another type than these, or one that can name no folder but should."""
    for name, value in values.items():
        if type(value) not in kinds or (name in ("data", "results") and NO_NAME.search(value)):
            hint = "; papermill's -p makes numbers of names, its -r does not" if kinds[0] is str else ""
            raise ValueError(f"the parameter {name!r} is {value!r}, expected {kinds[0].__name__}{hint}")


def _at_least(least: float, **values: float | None) -> None:
    for name, value in values.items():
        if value is not None and (isinstance(value, bool | str) or not value >= least):
            raise ValueError(f"{name} is {value!r}: expected at least {least:g}")


def named_once(**names: Sequence[str] | None) -> None:
    """Refuse lists that are a single text, hold what is no name, or hold a name twice."""
    for name, values in names.items():
        if isinstance(values, str) or any(not isinstance(value, str) or not value for value in values or ()):
            raise ValueError(f"{name} is {values!r}: expected a tuple of names")
        if twice := [value for value in values or () if values.count(value) > 1]:
            raise ValueError(f"{name}: {twice[0]} is given twice, so that its pairs would count twice: name it once")


def known_dtype(dtype: str) -> str:
    """The dtype if it is one of DTYPES, else ValueError."""
    if dtype not in DTYPES:
        raise ValueError(f"unknown dtype {dtype!r}: choose one of {', '.join(DTYPES)}")
    return dtype


def known_template(template: str) -> str:
    """The template if it is one of TEMPLATES or a pattern, else ValueError."""
    if template not in TEMPLATES and "{input}" not in template:
        raise ValueError(
            f"unknown template {template!r}: choose one of {', '.join(TEMPLATES)}, or a pattern that contains {{input}}"
        )
    return template


@dataclass(frozen=True, kw_only=True)
class _Reading:
    """What every run depends on: the corpus, how a model reads it, and the seed."""

    pairs: int | None = None
    data: str | None = None
    dtype: str = "bf16"
    template: str = ""
    seed: int = 0

    def __post_init__(self) -> None:
        _at_least(2, pairs=self.pairs)
        _at_least(0, seed=self.seed)
        if self.seed >= 2**32:
            raise ValueError(f"seed is {self.seed}: expected less than {2**32}")
        known_dtype(self.dtype), known_template(self.template or "raw")

    @property
    def folder(self) -> Path | None:
        """The corpus folder, None for the built-in one."""
        return Path(self.data) if self.data else None


@dataclass(frozen=True, kw_only=True)
class Settings(_Reading):
    """What a run of questions 1 to 3 depends on, besides the model. Raises ValueError for values out of range.

    concepts          names; None: all values of the corpus, and with `controls` its control concepts
    controls          whether the control concepts, which are no values, are read too
    languages         ISO 639-1 codes; None: all that the concepts share
    cohort            which pairs of the corpus: one of COHORTS, or all
    pairs             pairs of those per concept, the first so many; None: all
    neutral           neutral sentences per language, by which competence is measured; None: all
    likelihood_pairs  pairs per concept whose likelihood is measured; None: all
    baselines         whether likelihood and an untrained model are measured
    data              folder of the corpus; None: the built-in one
    dtype             numbers that the model computes in, one of DTYPES
    template          how a text becomes a prompt: one of TEMPLATES, or a pattern with {input}; empty: the paper's for
                      its models, raw for others
    seed              draws folds, resamples, null distributions and the untrained model
    """

    concepts: tuple[str, ...] | None = None
    controls: bool = False
    languages: tuple[str, ...] | None = None
    cohort: str = "all"
    neutral: int | None = None
    likelihood_pairs: int | None = 8
    baselines: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        _at_least(1, neutral=self.neutral, likelihood_pairs=self.likelihood_pairs)
        if self.cohort not in (*COHORTS, "all"):
            raise ValueError(f"unknown cohort {self.cohort!r}: choose one of {', '.join(COHORTS)}, all")
        named_once(concepts=self.concepts, languages=self.languages)


@dataclass(frozen=True)
class Search:
    """The search for layers and strength on the source's search split, by score; the best confirmed by generation.

    prompts         instructions of each kind, at least 2
    doses           |s|·‖v‖ as shares of the mean residual norm
    windows         spans of relative depth, 0 to 1
    neutral         neutral sentences on which side effects are measured, at least 2
    max_divergence  nats per token by which predictions on them may move
    confirmed       settings per direction that are tried by generation
    max_broken      share by which broken completions may grow
    """

    prompts: int = 24
    doses: tuple[float, ...] = (0.005, 0.01, 0.02, 0.04)
    windows: tuple[tuple[float, float], ...] = ((0.2, 0.45), (0.4, 0.7), (0.6, 0.9), (0.2, 0.9))
    neutral: int = 24
    max_divergence: float = 0.25
    confirmed: int = 3
    max_broken: float = 0.10

    def __post_init__(self) -> None:
        _at_least(2, prompts=self.prompts, neutral=self.neutral)
        _at_least(1, confirmed=self.confirmed)
        _at_least(0, max_divergence=self.max_divergence, max_broken=self.max_broken)
        for low, high in self.windows:
            if not 0 <= low < high <= 1:
                raise ValueError(f"expected windows of relative depth between 0 and 1, got {low:g} to {high:g}")


@dataclass(frozen=True)
class Comparisons:
    """What the source's vector is held against, each at equal dose.

    prompts           instructions of each kind that are scored, at least 1
    sources           further source languages, at settings searched on them; `pooled`: the mean of all targets' vectors
    contrast          concept whose vector is compared; empty: none
    random            random vectors per direction, of which the first `random_generated` are generated with, too
    detailed          target languages in which other sources, own vectors and ablation are measured by generation
    late              languages in which refusals are looked for in longer completions, too
    """

    prompts: int = 12
    sources: tuple[str, ...] = ()
    contrast: str = "sentiment"
    random: int = 19
    random_generated: int = 2
    detailed: tuple[str, ...] = ("en", "fr", "zh", "ja", "sw")
    late: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _at_least(1, prompts=self.prompts)
        _at_least(0, random=self.random, random_generated=self.random_generated)
        named_once(sources=self.sources, late=self.late)


@dataclass(frozen=True, kw_only=True)
class ControlSettings(_Reading):
    """What a run of question 4 depends on, besides the model. Raises ValueError for values out of range.

    source     language whose vector controls, and on whose search split layers and strength are chosen
    targets    languages in which control is measured
    concept    concept whose vector controls, made of the first `pairs` pairs (None: all)
    prompts    instructions of each kind per language, at least 2: the last so many
    tokens     length of completions, 1 to 32: refusals show in the first words
    generate   whether there are completions at all; without, everything is by score
    generated  languages with completions; None: all
    judge      who calls a completion a refusal: rules, chat:MODEL or classifier:MODEL:LABEL
    search     see Search; `compare`: see Comparisons
    data, dtype, template  as in Settings; `seed` draws the random vectors
    """

    source: str = "en"
    targets: tuple[str, ...] = ("en", "fr", "zh", "ja", "sw")
    concept: str = "harmfulness"
    prompts: int = 40
    tokens: int = 32
    generate: bool = True
    generated: tuple[str, ...] | None = None
    judge: str = "rules"
    search: Search = Search()
    compare: Comparisons = Comparisons()
    template: str = "chat"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 1 <= self.tokens <= 32:
            raise ValueError(
                f"expected 1 to 32 tokens per completion, got {self.tokens}: refusals show in the first words"
            )
        _at_least(2, prompts=self.prompts)
        named_once(targets=self.targets, generated=self.generated), known_template(self.template)
        if not re.fullmatch(r"rules|chat:.+|classifier:.+:.+", self.judge):
            raise ValueError(f"unknown judge {self.judge!r}: expected rules, chat:MODEL or classifier:MODEL:LABEL")

    def is_generated(self, code: str) -> bool:
        """Whether there are completions in a language."""
        return self.generate and (self.generated is None or code in self.generated)

    @property
    def detailed_targets(self) -> tuple[str, ...]:
        """The target languages in which all comparisons are made, if completions are generated at all."""
        return tuple(code for code in self.targets if code in self.compare.detailed)


@dataclass(frozen=True)
class Loading:
    """How a model is loaded; nothing of it enters a fingerprint, for it does not change what is computed.

    device             cpu, cuda, cuda:1 …, auto (spread over what is there), or None: cuda if there is one
    trust_remote_code  whether code that the model brings is run
    """

    device: str | None = None
    trust_remote_code: bool = False

    def __post_init__(self) -> None:
        typed(str, type(None), device=self.device), typed(bool, trust_remote_code=self.trust_remote_code)


DEFAULT_LOADING = Loading()
