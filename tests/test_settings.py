"""Settings are validated when they are made; each message says what was expected."""

from dataclasses import FrozenInstanceError, asdict, fields

import pytest

from xlv.cache import fingerprint
from xlv.settings import (
    DTYPES,
    TEMPLATES,
    Comparisons,
    ControlSettings,
    Loading,
    Search,
    Settings,
    known_dtype,
    known_template,
)


@pytest.mark.parametrize(
    ("make", "wrong", "message"),
    [
        (Settings, {"pairs": 1}, "pairs is 1: expected at least 2"),
        (Settings, {"pairs": True}, "pairs is True: expected at least 2"),
        (Settings, {"languages": ("en", "fr", "en")}, "languages: en is given twice"),
        (Settings, {"concepts": ("courage", "courage")}, "concepts: courage is given twice"),
        (Settings, {"languages": "en"}, "languages is 'en': expected a tuple of names"),
        (ControlSettings, {"targets": ("sw", "sw")}, "targets: sw is given twice"),
        (Comparisons, {"sources": ("en", "en")}, "sources: en is given twice"),
        (Settings, {"neutral": 0}, "neutral is 0: expected at least 1"),
        (Settings, {"likelihood_pairs": 0}, "likelihood_pairs is 0: expected at least 1"),
        (Settings, {"seed": -1}, "seed is -1: expected at least 0"),
        (Settings, {"dtype": "int3"}, "unknown dtype 'int3': choose one of fp32, bf16, fp16"),
        (Settings, {"template": "polite"}, r"unknown template 'polite': choose one of raw, .* contains \{input\}"),
        (ControlSettings, {"tokens": 0}, "expected 1 to 32 tokens per completion, got 0"),
        (ControlSettings, {"tokens": 33}, "expected 1 to 32 tokens per completion, got 33"),
        (ControlSettings, {"pairs": 1}, "pairs is 1: expected at least 2"),
        (ControlSettings, {"prompts": 1}, "prompts is 1: expected at least 2"),
        (ControlSettings, {"seed": -1}, "seed is -1: expected at least 0"),
        (ControlSettings, {"dtype": "fp8"}, "unknown dtype 'fp8': choose one of"),
        (ControlSettings, {"template": ""}, "unknown template '': choose one of"),
        (Search, {"prompts": 1}, "prompts is 1: expected at least 2"),
        (Search, {"neutral": 1}, "neutral is 1: expected at least 2"),
        (Search, {"confirmed": 0}, "confirmed is 0: expected at least 1"),
        (Search, {"max_divergence": -0.1}, "max_divergence is -0.1: expected at least 0"),
        (Search, {"max_divergence": float("nan")}, "max_divergence is nan: expected at least 0"),
        (Search, {"max_broken": -0.1}, "max_broken is -0.1: expected at least 0"),
        (Search, {"windows": ((0.5, 0.5),)}, "expected windows of relative depth between 0 and 1, got 0.5 to 0.5"),
        (Search, {"windows": ((0.2, 0.4), (0.9, 1.1))}, "between 0 and 1, got 0.9 to 1.1"),
        (Comparisons, {"prompts": 0}, "prompts is 0: expected at least 1"),
        (Comparisons, {"random": -1}, "random is -1: expected at least 0"),
        (Comparisons, {"random_generated": -1}, "random_generated is -1: expected at least 0"),
    ],
)
def test_values_out_of_range_are_refused_with_what_was_expected(make, wrong, message):
    with pytest.raises(ValueError, match=message) as found:
        make(**wrong)
    assert "\n" not in str(found.value)


@pytest.mark.parametrize(
    "judge", ["oracle", "rules:strict", "chat", "chat:", "classifier:model", "classifier::label", ""]
)
def test_judges_that_are_none_are_refused(judge):
    with pytest.raises(
        ValueError, match=f"unknown judge '{judge}': expected rules, chat:MODEL or classifier:MODEL:LABEL"
    ):
        ControlSettings(judge=judge)


@pytest.mark.parametrize("make", [Settings, ControlSettings, Search, Comparisons, Loading])
def test_settings_cannot_be_changed_and_every_field_is_documented(make):
    made = make()
    for field in fields(make):
        assert field.name in make.__doc__ and len(make.__doc__.splitlines()) > 3
        with pytest.raises(FrozenInstanceError):
            setattr(made, field.name, None)


@pytest.mark.parametrize(
    "judge", ["rules", "chat:qwen2.5-coder-1.5b", "chat:org/name@v1", "classifier:org/name:refusal"]
)
def test_judges_are_named_by_kind_model_and_label(judge):
    assert ControlSettings(judge=judge).judge == judge


def test_dtypes_and_templates_are_known_by_name_or_pattern():
    assert [known_dtype(name) for name in DTYPES] == list(DTYPES)
    assert [known_template(name) for name in (*TEMPLATES, "Q: {input}")] == [*TEMPLATES, "Q: {input}"]


def test_every_setting_enters_the_fingerprint_of_a_run():
    changed = [
        Settings(seed=1),
        Settings(pairs=2),
        Settings(neutral=1),
        Settings(template="chat"),
        Settings(controls=True),
    ]
    assert len({fingerprint(asdict(settings)) for settings in (Settings(), *changed)}) == 6
    nested = [ControlSettings(search=Search(confirmed=1)), ControlSettings(compare=Comparisons(random=1))]
    assert len({fingerprint(asdict(settings)) for settings in (ControlSettings(), *nested)}) == 3


def test_a_folder_is_a_path_or_the_built_in_corpus():
    assert Settings().folder is None and Settings(data="my-corpus").folder.name == "my-corpus"


def test_detailed_targets_are_those_that_are_measured_at_all():
    settings = ControlSettings(targets=("en", "sw", "fr"), compare=Comparisons(detailed=("fr", "zh", "en")))
    assert settings.detailed_targets == ("en", "fr")
