"""Settings are validated when they are made; each message says what was expected."""

from dataclasses import FrozenInstanceError, asdict, fields

import pytest

from xlv.cache import fingerprint
from xlv.corpus.languages import LANGUAGES
from xlv.settings import (
    DTYPES,
    PROFILES,
    TEMPLATES,
    Comparisons,
    ControlSettings,
    Loading,
    Profile,
    Search,
    Settings,
    known_dtype,
    known_template,
)


@pytest.mark.parametrize(
    ("make", "wrong", "message"),
    [
        (Settings, {"pairs": 1}, "pairs is 1: expected at least 2"),
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


@pytest.mark.parametrize("name", PROFILES)
def test_profiles_are_named_and_speak_the_corpus_s_languages(name):
    profile = Profile.named(name)
    assert profile is PROFILES[name] and profile.name == name
    assert set(profile.control.targets) | set(profile.control.compare.sources) <= set(LANGUAGES)


def test_an_unknown_profile_is_refused():
    with pytest.raises(ValueError, match="unknown profile 'huge': choose one of quick, medium, full"):
        Profile.named("huge")


def test_profiles_grow():
    quick, medium, full = (PROFILES[name] for name in ("quick", "medium", "full"))
    assert quick.study.pairs < medium.study.pairs and full.study.pairs is None
    assert quick.control.prompts < medium.control.prompts < full.control.prompts
    assert full.study.dtype == "fp32" and full.study.controls and full.study.baselines


def test_profiles_can_be_narrowed():
    narrow = PROFILES["quick"].changed(languages=("en", "sw"), pairs=8, seed=3)
    assert narrow.study.languages == ("en", "sw") and narrow.control.targets == ("en", "sw")
    assert PROFILES["full"].changed(languages=("en", "fr")).control.compare.sources == ("en", "fr")
    assert narrow.study.pairs == narrow.control.pairs == 8 and PROFILES["quick"].study.pairs == 16
    assert narrow.study.seed == narrow.control.seed == 3
    assert PROFILES["quick"].changed(languages=("ta",)).control.targets == PROFILES["quick"].control.targets
    assert PROFILES["quick"].changed(languages=None, pairs=None) == PROFILES["quick"]


def test_narrowing_is_validated_as_well():
    with pytest.raises(ValueError, match="pairs is 1"):
        PROFILES["quick"].changed(pairs=1)


def test_a_corpus_folder_brings_its_own_concepts_and_serves_control_where_it_has_a_control_set(tmp_path):
    full = PROFILES["full"]
    assert full.changed(data="folder").study.concepts is None
    assert full.changed(data="folder", concepts=("courage",)).study.concepts == ("courage",)
    assert full.changed(pairs=8).study.concepts == full.study.concepts
    without = full.changed(data=str(tmp_path))
    assert without.study.data == str(tmp_path) and without.control.data is None
    (tmp_path / "control").mkdir()
    assert full.changed(data=str(tmp_path)).control.data == str(tmp_path)
