"""The explorer page: accuracies and cosines of all models as text, small enough to stand in the page itself."""

import json
from base64 import b64encode
from collections.abc import Sequence

import numpy as np
import xarray as xr
from IPython.display import HTML

from xlv.corpus.languages import language
from xlv.questions.common import resource_order, value_concepts
from xlv.questions.transfer.one_way import one_way
from xlv.report.formats import say
from xlv.results import Results


def packed(array: np.ndarray, low: float, high: float, bits: int = 8) -> dict[str, object]:
    """An array as base64 of unsigned little-endian codes of 8 or 16 bits, in C order.

    Code `k` stands for `low + k / (2**bits - 2) * (high - low)`, the largest for NaN: a value comes back within half
    of that step. Raises ValueError for values outside `low` … `high`.
    """
    array = np.asarray(array, dtype=float)
    outside = (array < low - 1e-3) | (array > high + 1e-3)  # a cosine may pass one by a rounding error
    if outside.any():
        raise ValueError(f"expected values between {low} and {high}, got {array[outside][0]}")
    top = 2**bits - 2
    steps = np.rint((np.clip(array, low, high) - low) / (high - low) * top)
    codes = np.where(np.isnan(array), top + 1, steps).astype(f"<u{bits // 8}")
    return {"bits": bits, "low": low, "high": high, "data": b64encode(codes.tobytes()).decode()}


def model_data(recognition: xr.Dataset, consistency: xr.Dataset, protocol: str = "cv") -> dict[str, object]:
    """What the page needs of one model: arrays by layer in 8 bits, at the chosen layer in 16 as on other pages.

    Arrays are `[concept, source, target]` and `layer`, if by layer; `pairs` `[concept]`, the number of test pairs of a
    cell. The cosine's chosen layer is the concept's, the median of the layers that `cv` chose."""
    places = {name: recognition[name] for name in ("concept", "source", "target")}
    found, alike = recognition.sel(protocol=protocol), consistency.sel(places)
    values, (order, basis) = value_concepts(recognition), resource_order(recognition)
    codes = [str(code) for code in recognition["source"].values]
    return {
        "title": recognition.attrs["title"],
        "text": "chat template" if recognition.attrs.get("template") == "chat" else "raw text",
        "languages": [{k: getattr(language(c), k) for k in ("code", "name", "label", "family")} for c in codes],
        "order": [codes.index(code) for code in order],
        "basis": basis,
        "concepts": [{"name": str(c), "value": str(c) in values} for c in recognition["concept"].values],
        "pairs": found["correct"].count("pair").min(("source", "target")).values.tolist(),
        "layers": recognition.sizes["layer"],
        "accuracy": packed(found["accuracy_by_layer"].values, 0, 1),
        "chosen_accuracy": packed(found["accuracy"].values, 0, 1, bits=16),
        "chosen_layer": packed(found["chosen_layer"].values, 0, 254),
        "cosine": packed(alike["cosine"].values, -1, 1),
        "chosen_cosine": packed(alike["cosine"].sel(layer=alike["chosen_layer"]).values, -1, 1, bits=16),
    }


def most_to_see(models: list[dict[str, object]], recognition: Results, protocol: str) -> dict[str, str]:
    """Title and value concept with the strongest triangle, U, on which the explorer opens."""
    found = {}
    for model, dataset in zip(models, recognition.values(), strict=True):
        accuracy, ranks = dataset["accuracy"].sel(protocol=protocol), np.argsort(model["order"])
        for concept in value_concepts(dataset):
            found[model["title"], concept] = float(one_way(accuracy.sel(concept=concept).values, ranks).total)
    title, concept = max(found, key=lambda key: np.nan_to_num(found[key], nan=-np.inf))
    return {"model": title, "concept": concept}


def data_text(raw: Sequence[Results], chat: Sequence[Results] = ({}, {}), protocol: str = "cv") -> str:
    """Data of all models as JSON that can stand in a script element; `raw` and `chat` as in `explorer`."""
    first, models = [], []
    for recognition, consistency in (raw, chat):
        models += [model_data(dataset, consistency[name], protocol) for name, dataset in recognition.items()]
        first = first or list(models)
    found = {"protocol": protocol, "open": most_to_see(first, raw[0], protocol), "models": models}
    return json.dumps(found, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")


def explorer(raw: Sequence[Results], chat: Sequence[Results] = ({}, {}), protocol: str = "cv") -> HTML:
    """The place where `book/_static/explorer.js` draws the explorer, with its data.

    `raw` and `chat` are recognition and consistency by model: as the run read its texts, and the chat reading of those
    models that have one beside it.
    """
    place = f'<div class="xlv-explorer"><p>{say("explorer", "fallback")}</p></div>'
    return HTML(f'{place}\n<script type="application/json" id="xlv-data">{data_text(raw, chat, protocol)}</script>')
