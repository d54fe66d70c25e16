"""Named sizes of run, what parameters and options make of them, and the key under which results are filed."""

import re
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Self

from xlv.cache import fingerprint
from xlv.openings import PLACE, own_openings
from xlv.schema import POOLED
from xlv.settings import Comparisons, ControlSettings, Search, Settings, typed

LONGEST = 80  # characters of a key


@dataclass(frozen=True)
class Profile:
    """A named size of run: settings of questions 1 to 3 (`study`) and of question 4 (`control`)."""

    name: str
    study: Settings
    control: ControlSettings

    @staticmethod
    def named(name: str) -> "Profile":
        """The profile of a name; raises ValueError for an unknown one."""
        if name not in PROFILES:
            raise ValueError(f"unknown profile {name!r}: choose one of {', '.join(PROFILES)}")
        return PROFILES[name]

    def changed(self, *, languages: tuple[str, ...] | None = None, data: str | None = None, **more: object) -> Self:
        """The profile with some settings replaced; None leaves one as it is.

        A corpus folder brings its own concepts and cohorts. Pairs, dtype and the seed go for question 4 too, languages
        for its targets (those with openings of refusals, if there are any) and its further sources, and a corpus folder
        if it has a control set, in the languages of that set. Raises ValueError for malformed openings.
        """
        asked = {"languages": languages, "data": data, **more}
        wanted = (_OF_A_FOLDER if data else {}) | {name: value for name, value in asked.items() if value is not None}
        common = {name: wanted[name] for name in ("pairs", "dtype", "seed") if name in wanted}
        there = tuple(code for code in with_openings(data) if code in control_languages(data))
        if there:
            common["data"] = data
        if there or languages:
            asked = [code for code in there or ALL if code in (languages or there)]
            common["targets"] = tuple(asked) or there or self.control.targets
            sources = tuple(code for code in self.control.compare.sources if code in (*asked, POOLED))
            common["compare"] = replace(self.control.compare, sources=sources)
            if there and self.control.source not in there:
                common["source"] = common["targets"][0]
        return replace(self, study=replace(self.study, **wanted), control=replace(self.control, **common))

    def notes(self) -> list[str]:
        """What question 4 does otherwise than the rest, to be said before anything is computed."""
        there, study, targets = control_languages(self.study.data), self.study, self.control.targets
        if not study.data:
            return []
        known, ours = with_openings(study.data), "question 4 asks the instructions that come with xlv"
        if not there:
            return [f"{study.data} has no control set: {ours}"]
        left = [code for code in study.languages or there if code not in targets]
        openings, instructions = (
            [c for c in left if (c in there and c not in known) == none] for none in (True, False)
        )
        why = (
            [f"no openings of refusals are known in {', '.join(openings)}, give them in {Path(study.data, PLACE)}"]
            if openings
            else []
        )
        if not self.control.data:
            return [f"{study.data}: {ours}: {why[0]}"]
        why += [f"there are no instructions in {', '.join(instructions)}"] if instructions else []
        return [f"question 4 is asked in {', '.join(targets)} only: {'; '.join(why)}"] if left else []


ALL = ("en", "fr", "zh", "es", "pt", "vi", "ca", "id", "ja", "ko", "fi", "hu", "ta", "te", "sw", "ny")
_OF_A_FOLDER = {"concepts": None, "cohort": "all"}  # what a corpus folder has, where nothing else is asked for
_BEST_READ = ("deontology", "toxicity", "harmfulness")  # by small models, of whose pairs there are the most
_FEW_CONCEPTS = Settings(concepts=_BEST_READ, cohort="second", pairs=48, neutral=16, baselines=False)
# Three minutes on two cores for a model of half a billion weights; so many instructions as claim 8 takes.
_SHORT = Search(prompts=12, neutral=8, doses=(0.01, 0.02, 0.04), confirmed=1)
_FEWEST = Comparisons(prompts=4, random=1, random_generated=1, detailed=())
_QUICK = ControlSettings(targets=("en", "fr", "zh"), pairs=16, prompts=16, tokens=12, search=_SHORT, compare=_FEWEST)
_FEW = Comparisons(prompts=12, random=3, random_generated=1, detailed=("en", "zh"))
_SIX = ("en", "fr", "zh", "es", "ja", "sw")
_MEDIUM = ControlSettings(targets=ALL, generated=_SIX, pairs=32, search=Search(neutral=16), compare=_FEW)
_FULL = ControlSettings(targets=ALL, prompts=80, compare=Comparisons(sources=("en", "zh", "fr", POOLED), late=_SIX))
PROFILES = {
    "quick": Profile("quick", _FEW_CONCEPTS, _QUICK),
    "medium": Profile("medium", Settings(controls=True, cohort="second", pairs=32), _MEDIUM),
    "full": Profile("full", Settings(controls=True, dtype="fp32"), _FULL),
}


def control_languages(data: str | None) -> list[str]:
    """The languages of a corpus folder's own control set, whose names end in `.tsv`; none without one."""
    return sorted(path.stem for path in Path(data).glob("control/*.tsv")) if data else []


def with_openings(data: str | None) -> tuple[str, ...]:
    """Languages in which it is known how refusals open: the sixteen, and those that a corpus folder brings."""
    return tuple(dict.fromkeys((*ALL, *own_openings(data))))


def names(text: str) -> tuple[str, ...] | None:
    """Names separated by commas; None for none."""
    return tuple(part.strip() for part in text.split(",") if part.strip()) or None


def profile_of(
    profile: str = "full",
    *,
    data: str = "",
    languages: str = "",
    concepts: str = "",
    cohort: str = "",
    pairs: int = 0,
    seed: int = 0,
    dtype: str = "",
    template: str = "",
    baselines: bool | None = None,
    judge: str = "rules",
    generated: str = "",
) -> Profile:
    """The profile that parameters or options ask for; what is empty, 0 or None stays as the profile has it.

    Raises ValueError for an unknown profile, values of another type, and what `Settings` refuses.
    """
    texts = {"data": data, "cohort": cohort, "dtype": dtype, "template": template}
    typed(str, profile=profile, languages=languages, concepts=concepts, judge=judge, generated=generated, **texts)
    typed(int, pairs=pairs, seed=seed), typed(bool, type(None), baselines=baselines)
    listed = {"languages": names(languages), "concepts": names(concepts)}
    if unknown := [code for code in listed["languages"] or () if not data and code not in ALL]:
        raise ValueError(f"unknown language {unknown[0]!r}: choose from {', '.join(ALL)}")
    if data and not Path(data).is_dir():  # question 4 would be asked of the built-in one
        raise ValueError(f"no folder {data}: expected {{concept}}/{{language}}.tsv below it")
    chosen = {name: value or None for name, value in {**texts, "pairs": pairs, "seed": seed}.items()}
    found = Profile.named(profile).changed(**listed, **chosen, baselines=baselines)
    spoken = names(generated) or found.control.generated
    return replace(found, control=replace(found.control, judge=judge, generated=spoken))


def key_of(settings: Settings | ControlSettings, corpus: str = "") -> str:
    """A folder's name for settings: the nearest profile, template, dtype, and where they differ from that profile.

    `quick-raw-bf16`, `full-chat-fp32,languages=en+fr,pairs=8`. Different settings have different keys; `corpus` is the
    fingerprint of a corpus folder, whose name stands in its key.
    """
    part = "control" if isinstance(settings, ControlSettings) else "study"
    own = _flat(asdict(settings) | {"data": settings.data and f"{Path(settings.data).resolve().name}-{corpus[:6]}"})
    choices = []
    for name, profile in PROFILES.items():
        usual = _flat(asdict(getattr(profile, part)) | {"template": settings.template, "dtype": settings.dtype})
        usual |= _OF_A_FOLDER if settings.data else {}
        different = {what: value for what, value in own.items() if value != usual[what]}
        choices.append((len(different), settings.dtype != getattr(profile, part).dtype, name, different))
    *_, name, different = min(choices, key=lambda choice: choice[:2])
    template = "default" if not settings.template else settings.template if settings.template.isalnum() else "own"
    key = ",".join([f"{name}-{template}-{settings.dtype}", *(f"{what}={_said(v)}" for what, v in different.items())])
    atoms = [atom for value in different.values() for atom in (value if isinstance(value, tuple) else [value])]
    plain = template == (settings.template or "default") and all(re.fullmatch(r"[\w.@-]*", str(atom)) for atom in atoms)
    return as_folder(key if plain else f"{key}-{fingerprint(own)[:8]}")


def as_folder(name: str) -> str:
    """A name as a folder may be called; one that is too long or has other characters ends in a hash of the whole."""
    if re.fullmatch(r"[-\w.@+,=]+", name) and len(name) <= LONGEST:
        return name
    return re.sub(r"[^-\w.@+,=]+", "-", name)[: LONGEST - 9] + "-" + fingerprint(name)[:8]


def _flat(settings: dict) -> dict[str, object]:
    """Settings with those of a part of them beside the rest, as `search.prompts`."""
    inner = {f"{k}.{name}": v for k, part in settings.items() if isinstance(part, dict) for name, v in part.items()}
    return {k: value for k, value in settings.items() if not isinstance(value, dict)} | inner


def _said(value: object) -> str:
    if isinstance(value, tuple):
        return "+".join(map(_said, value)) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "all" if value is None else str(value) or "none"
