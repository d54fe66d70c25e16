"""Results of question 4 of a tiny model: random weights know no refusal, what must hold is the bookkeeping."""

from dataclasses import replace

import pytest

from tests.conftest import tiny_network
from xlv.control.evaluate import evaluate
from xlv.control.measure import Bench
from xlv.models.blocks import find_blocks
from xlv.models.model import Model
from xlv.results import load, save
from xlv.settings import Comparisons, ControlSettings, Search

SETTINGS = ControlSettings(
    targets=("en", "sw"),
    pairs=8,
    prompts=3,
    tokens=4,
    search=Search(
        prompts=3, neutral=3, doses=(0.05, 0.3), windows=((0.2, 0.5), (0.4, 0.9)), confirmed=2, max_divergence=5.0
    ),
    compare=Comparisons(sources=("en", "fr", "pooled"), detailed=("en",), random=2, random_generated=1, prompts=2),
)


_KNOWN: dict = {}  # made once, whichever conftest asks


@pytest.fixture(scope="session")
def found(tmp_path_factory, tokenizer):
    """Results of a tiny chat model and of a tiny base model by score alone, as read from disk; not to be changed."""
    if _KNOWN:
        return _KNOWN
    folder, network = tmp_path_factory.mktemp("results"), tiny_network("llama")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XLV_CACHE", str(folder / "cache"))
        for name, template in (("chat", "chat"), ("base", "raw")):
            model = Model(name, network, tokenizer, find_blocks(network), "fp32", template, name)
            settings, path = replace(SETTINGS, generate=template == "chat"), folder / name / "control.nc"
            save(evaluate(Bench(model, settings.tokens), settings), path, {"title": name, "model": name})
            _KNOWN[name] = load(path)
    return _KNOWN
