"""What runs cost, roughly: work from the sizes of models and texts, time from earlier runs or a measured rate."""

import json
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from xlv.batch.plan import DONE, Run
from xlv.cache import fingerprint
from xlv.corpus.pairs import full_texts
from xlv.edition.notebook import profile_of
from xlv.models.presets import PRESETS
from xlv.models.weights import identity, split_revision
from xlv.settings import ControlSettings

BYTES_PER_TOKEN = 4  # of UTF-8 text, roughly; it cancels where a rate was measured on earlier runs
INSTRUCTION_TOKENS = 25  # of an instruction in its template, roughly
NOTEBOOK_SECONDS = 10  # kernel, imports and figures of a notebook
SHARE_OF_PEAK = 0.4  # of a matrix product's speed that a forward pass reaches, roughly


@dataclass(frozen=True)
class Cost:
    """Estimate for a run: `parameters` of its model, `tokens` read or generated, `seconds`; None where nothing tells.
    `basis` says what the seconds come from."""

    parameters: float | None
    tokens: float
    seconds: float | None
    basis: str

    @property
    def work(self) -> float | None:
        """Floating-point operations, two for each parameter and token."""
        return None if self.parameters is None else 2 * self.parameters * self.tokens


def estimate(runs: Sequence[Run]) -> dict[str, Cost]:
    """The cost of each run by name: as long as the same run took before, else from the rate of earlier runs of the
    batch, else from the speed of a matrix product on this machine."""
    earlier = _earlier(runs[0].folder.parent)
    rate = _rate([one for one in earlier if one["work"]])
    result = {}
    for run in runs:
        size, tokens = parameter_count(run.model), _tokens(run)
        same = [one["seconds"] for one in earlier if one["kind"] == kind(run)]
        if same:
            result[run.name] = Cost(size, tokens, float(np.median(same)), "the same run before")
        elif size is None:
            result[run.name] = Cost(size, tokens, None, "unknown size of model")
        else:
            here = rate or SHARE_OF_PEAK * _matmul_rate()
            spent = 2 * size * tokens / here + NOTEBOOK_SECONDS * len(run.notebooks)
            source = "of earlier runs" if rate else "measured here, rough"
            result[run.name] = Cost(size, tokens, spent, f"{here / 1e9:.3g} GFLOP/s {source}")
    return result


def _rate(earlier: Sequence[dict]) -> float | None:
    """Operations a second of earlier runs, without what their notebooks take anyway; None without any."""
    seconds = [max(0.1 * one["seconds"], one["seconds"] - NOTEBOOK_SECONDS * one["notebooks"]) for one in earlier]
    return sum(one["work"] for one in earlier) / sum(seconds) if earlier else None


def kind(run: Run) -> str:
    """What runs have in common that take equally long: all but the seed."""
    parameters = {name: value for name, value in run.parameters.items() if name not in ("seed", "results")}
    return fingerprint(identity(run.model), parameters, run.notebooks)


def _earlier(folder: Path) -> list[dict]:
    """Kind, work and seconds of the runs recorded in a batch's folder."""
    records = []
    for path in folder.glob(f"*/{DONE}"):
        try:
            records.append(json.loads(path.read_text(encoding="utf-8"))["cost"])
        except (OSError, ValueError, KeyError):
            continue  # not a whole record: it tells nothing
    return records


def parameter_count(model: str) -> float | None:
    """Parameters of a model: of a folder as its safetensors files say, else as its name says; None if neither does."""
    found = [_stored_parameters(path) for path in Path(model).expanduser().glob("*.safetensors")]
    if found:
        return None if None in found else float(sum(found))
    name = PRESETS[model].hub if model in PRESETS else split_revision(model)[0]
    sizes = re.findall(r"(?<![\w.])(\d+(?:[._]\d+)?)(b|m)(\d*)(?![a-z])", Path(name).name.lower().replace("_", "."))
    if not sizes:
        return None
    number, unit, rest = sizes[-1]
    return float(f"{number}.{rest}" if rest else number) * {"b": 1e9, "m": 1e6}[unit]


def _stored_parameters(path: Path) -> int | None:
    """The number of values in a safetensors file, from its header; None for one without a sound header."""
    try:
        with open(path, "rb") as stream:
            size = int.from_bytes(stream.read(8), "little")
            header = json.loads(stream.read(size)) if size < 1e8 else None
        return sum(int(np.prod(about["shape"])) for name, about in header.items() if name != "__metadata__")
    except (ValueError, TypeError, KeyError, AttributeError):
        return None


def _tokens(run: Run) -> float:
    profile = profile_of(dict(run.parameters))
    tokens = _text_tokens(fingerprint({**run.parameters, "models": "", "results": "", "seed": 0}), profile.study.table)
    return tokens + (_control_tokens(profile.control) if "q4_control" in run.notebooks else 0)


_KNOWN: dict[str, float] = {}


def _text_tokens(settings: str, table) -> float:
    """Tokens of the distinct texts of a table, made once a kind of settings."""
    if settings not in _KNOWN:
        texts = set(sum(full_texts(table()), []))
        _KNOWN[settings] = sum(len(text.encode()) for text in texts) / BYTES_PER_TOKEN
    return _KNOWN[settings]


def _control_tokens(settings: ControlSettings) -> float:
    """Tokens of question 4: the search, the main conditions by generation, comparisons and dose curves by score."""
    search = len(settings.doses) * len(settings.windows) * 2 * settings.search_prompts * 2
    length = INSTRUCTION_TOKENS + (settings.tokens if settings.generate else 0)
    main = len(settings.targets) * 3 * settings.prompts * 2
    others = 2 * (settings.random + len(settings.sources) + 3) + 2 * len(settings.response_doses)
    compared = len(settings.targets) * others * settings.score_prompts * 2
    return main * length + (search + compared) * INSTRUCTION_TOKENS


@cache
def _matmul_rate(size: int = 1024) -> float:
    """Floating-point operations a second of an fp32 matrix product on this machine, the best of five."""
    a = np.ones((size, size), dtype=np.float32)
    best = np.inf
    for _ in range(5):
        begun = time.perf_counter()
        a @ a
        best = min(best, time.perf_counter() - begun)
    return 2 * size**3 / best
