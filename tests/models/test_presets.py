import re

import pytest

from xlv.corpus.languages import LANGUAGES
from xlv.models.presets import BOOK_MODELS, PRESETS, caption
from xlv.settings import known_template

EMBEDDED = [preset for preset in PRESETS.values() if preset.embedded]
OF_THE_PAPER = [preset for preset in PRESETS.values() if not preset.embedded]


def test_four_models_are_embedded_and_nine_are_the_paper_s():
    assert (len(EMBEDDED), len(OF_THE_PAPER)) == (4, 9)
    assert set(BOOK_MODELS) <= {preset.name for preset in EMBEDDED}


@pytest.mark.parametrize("preset", EMBEDDED, ids=lambda preset: preset.name)
def test_embedded_presets_pair_requirements_with_members_and_pin_versions(preset):
    assert len(preset.wheels.requirements) == len(preset.wheels.members) == len(set(preset.wheels.requirements))
    assert all(
        re.fullmatch(r"[\w-]+==[\d.]+ --hash=sha256:[0-9a-f]{64}", requirement)
        for requirement in preset.wheels.requirements
    )
    for requirement, member in zip(preset.wheels.requirements, preset.wheels.members, strict=True):
        package = requirement.split("==")[0].replace("-", "_")
        assert member.startswith(f"{package}/") and "{" not in member
    assert re.fullmatch("[0-9a-f]{64}", preset.wheels.sha256)
    assert preset.quantisation.startswith("Q")


@pytest.mark.parametrize("preset", PRESETS.values(), ids=lambda preset: preset.name)
def test_every_preset_says_what_it_is(preset):
    assert PRESETS[preset.name] is preset and preset.title and preset.licence and preset.disk > 0
    assert re.fullmatch(r"[\w.-]+/[\w.-]+", preset.hub)
    assert set(preset.dominant) <= set(LANGUAGES) and preset.dominant
    assert known_template(preset.template) == preset.template
    assert set(preset.shares) <= set(LANGUAGES) and all(share > 0 for share in preset.shares.values())
    assert sum(preset.shares.values()) <= 100


def test_of_published_shares_the_dominant_languages_have_the_largest():
    for preset in PRESETS.values():
        if preset.shares:
            first = sorted(preset.shares, key=lambda code: -preset.shares[code])[: len(preset.dominant)]
            assert set(first) == set(preset.dominant), preset.name


def test_captions_say_the_quantisation():
    assert caption("gemma-3-270m") == f"{PRESETS['gemma-3-270m'].title} ({PRESETS['gemma-3-270m'].quantisation})"
    assert caption("bloomz-560m") == PRESETS["bloomz-560m"].title and caption("my-model") == "my-model"
