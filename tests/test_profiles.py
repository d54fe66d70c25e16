"""Named sizes of run, what parameters make of them, and keys that differ wherever settings do."""

import re
from dataclasses import fields, is_dataclass, replace
from pathlib import Path

import pytest

from xlv.corpus.languages import LANGUAGES
from xlv.profiles import LONGEST, PROFILES, Profile, as_folder, key_of, names, profile_of
from xlv.settings import ControlSettings, Settings


@pytest.mark.parametrize("name", PROFILES)
def test_profiles_are_named_and_speak_the_corpus_s_languages(name):
    profile = Profile.named(name)
    assert profile is PROFILES[name] and profile.name == name
    assert {*profile.control.targets, *profile.control.compare.sources} <= {*LANGUAGES, "pooled"}


def test_an_unknown_profile_is_refused():
    with pytest.raises(ValueError, match="unknown profile 'huge': choose one of quick, medium, full"):
        Profile.named("huge")


def test_profiles_grow():
    quick, medium, full = (PROFILES[name] for name in ("quick", "medium", "full"))
    assert quick.study.cohort == medium.study.cohort == "second" and quick.study.pairs == 48
    assert full.study.cohort == "all" and full.study.pairs is None and len(quick.study.concepts) == 3
    assert quick.control.prompts < medium.control.prompts < full.control.prompts
    assert full.study.dtype == "fp32" and full.study.controls and full.study.baselines


def test_profiles_can_be_narrowed():
    narrow = PROFILES["quick"].changed(languages=("en", "sw"), pairs=8, seed=3)
    assert narrow.study.languages == ("en", "sw") and narrow.control.targets == ("en", "sw")
    assert PROFILES["full"].changed(languages=("en", "fr")).control.compare.sources == ("en", "fr", "pooled")
    assert narrow.study.pairs == narrow.control.pairs == 8 and PROFILES["quick"].control.pairs == 16
    assert narrow.study.seed == narrow.control.seed == 3
    assert PROFILES["quick"].changed(languages=("ta", "de", "hu")).control.targets == ("hu", "ta")
    assert PROFILES["quick"].changed(languages=("de",)).control.targets == PROFILES["quick"].control.targets
    assert PROFILES["quick"].changed(languages=None, pairs=None) == PROFILES["quick"]


def test_narrowing_is_validated_as_well():
    with pytest.raises(ValueError, match="pairs is 1"):
        PROFILES["quick"].changed(pairs=1)


def test_a_corpus_folder_brings_its_own_cohorts_and_what_is_asked_for_is_kept():
    quick = PROFILES["quick"].changed(data="folder").study
    assert (quick.concepts, quick.cohort, quick.pairs) == (None, "all", 48)
    assert key_of(replace(quick, template="raw"), "0123456789") == "quick-raw-bf16,data=folder-012345"
    assert PROFILES["quick"].changed(data="folder", cohort="second").study.cohort == "second"
    assert profile_of("quick", cohort="first").study.cohort == "first"


def test_a_corpus_folder_brings_its_own_concepts_and_serves_control_where_it_has_a_control_set(tmp_path):
    full = PROFILES["full"]
    assert full.changed(data="folder").study.concepts is None
    assert full.changed(data="folder", concepts=("courage",)).study.concepts == ("courage",)
    assert full.changed(pairs=8).study.concepts == full.study.concepts
    without = full.changed(data=str(tmp_path))
    assert without.study.data == str(tmp_path) and without.control.data is None
    assert without.notes() == [f"{tmp_path} has no control set: question 4 asks the instructions that come with xlv"]
    (tmp_path / "control").mkdir()
    for code in ("de", "fr", "sw"):
        (tmp_path / "control" / f"{code}.tsv").touch()
    own = full.changed(data=str(tmp_path))
    assert (own.control.data, own.control.source, own.control.targets) == (str(tmp_path), "fr", ("fr", "sw"))
    assert own.control.compare.sources == ("fr", "pooled")
    place = tmp_path / "control" / "openings.yaml"
    unknown = f"no openings of refusals are known in de, give them in {place}"
    assert own.notes() == [f"question 4 is asked in fr, sw only: {unknown}"]
    [note] = full.changed(data=str(tmp_path), languages=("sw", "fi")).notes()
    assert note == "question 4 is asked in sw only: there are no instructions in fi"
    assert full.notes() == full.changed(languages=("fi",)).notes() == []
    place.write_text("de: {refusals: [Leider], answers: [Hier ist], declines: [leider]}")
    german = full.changed(data=str(tmp_path), languages=("de", "en"))
    assert (german.control.targets, german.control.source) == (("de",), "de")
    assert german.notes() == ["question 4 is asked in de only: there are no instructions in en"]
    place.write_text("de: {refusals: [Leider]}")
    with pytest.raises(ValueError, match=f"^{place}: de: answers: expected a list of texts"):
        full.changed(data=str(tmp_path))


def test_where_no_language_of_a_control_set_has_openings_the_built_in_one_is_asked(tmp_path):
    (tmp_path / "control").mkdir()
    (tmp_path / "control" / "de.tsv").touch()
    german = PROFILES["full"].changed(data=str(tmp_path))
    assert german.control.data is None and german.control.targets == PROFILES["full"].control.targets
    [note] = german.notes()
    assert "the instructions that come with xlv: no openings of refusals are known in de, give them in" in note


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"pairs": "16"}, "'pairs' is '16', expected int"),
        ({"pairs": True}, "'pairs' is True, expected int"),
        ({"languages": 3}, "'languages' is 3, expected str"),
        ({"profile": "huge"}, "unknown profile 'huge': choose one of quick, medium, full"),
        ({"pairs": 1}, "pairs is 1: expected at least 2"),
        ({"cohort": 2}, "'cohort' is 2, expected str"),
        ({"cohort": "third"}, "unknown cohort 'third': choose one of first, second, all"),
    ],
)
def test_values_of_another_kind_and_out_of_range_are_refused(given, message):
    with pytest.raises(ValueError, match=message):
        profile_of(**given)


def test_a_profile_is_changed_by_what_is_not_empty():
    found = profile_of("quick", languages="en, sw", concepts="morality", pairs=8, seed=3)
    assert found.study.languages == found.control.targets == ("en", "sw")
    assert (found.study.concepts, found.study.pairs, found.study.seed) == (("morality",), 8, 3)
    assert profile_of("quick") == PROFILES["quick"]
    assert PROFILES["quick"].changed(dtype=None) == PROFILES["quick"]


def test_further_settings_of_the_study_are_changed_by_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match="no folder corpus: expected"):
        profile_of("quick", data="corpus")
    Path("corpus").mkdir()
    wanted = profile_of("quick", data="corpus", concepts="courage", languages="en,de", pairs=8).changed(template="chat")
    study = wanted.study
    assert (study.data, study.concepts, study.languages, study.pairs) == ("corpus", ("courage",), ("en", "de"), 8)
    assert study.template == "chat" and wanted.control.pairs == 8


def test_names_are_separated_by_commas_and_none_is_none():
    assert names("en, fr,,sw ") == ("en", "fr", "sw")
    assert names("") is None and names(" , ") is None


RAW = {"template": "raw"}


@pytest.mark.parametrize(
    ("given", "key"),
    [
        ({"profile": "quick"}, "quick-raw-bf16"),
        ({"profile": "full"}, "full-raw-fp32"),
        ({"profile": "full", "dtype": "bf16"}, "full-raw-bf16"),
        ({"profile": "full", "cohort": "second"}, "full-raw-fp32,cohort=second"),
        ({"profile": "quick", "cohort": "all"}, "quick-raw-bf16,cohort=all"),
        ({"profile": "quick", "baselines": True, "pairs": 8}, "quick-raw-bf16,pairs=8,baselines=yes"),
        ({"profile": "quick", "languages": "en,fr", "seed": 3}, "quick-raw-bf16,seed=3,languages=en+fr"),
    ],
)
def test_a_key_can_be_read(given, key):
    assert key_of(profile_of(**RAW, **given).study) == key


def test_a_key_of_question_4_is_its_own():
    assert key_of(PROFILES["quick"].control) == "quick-chat-bf16"
    assert key_of(PROFILES["quick"].changed(languages=("en", "sw")).control) == "quick-chat-bf16,targets=en+sw"


def test_a_corpus_stands_in_the_key_with_its_fingerprint():
    keys = {key_of(Settings(data="a/my corpus", template="raw"), stamp) for stamp in ("0123456789", "abcdef0123")}
    assert len(keys) == 2 and all(re.fullmatch(r"[\w.,=@+-]+", key) and "my-corpus" in key for key in keys)


OTHERS = {
    "concepts": [("morality",), ("fairness",), ("morality", "fairness"), ("morality+fairness",)],
    "languages": [("en",), ("fr",), ("en", "fr"), ("fr", "en")],
    "cohort": ["first", "second"],
    "targets": [("en",), ("en", "fr")],
    "sources": [("en",), ("fr",)],
    "detailed": [(), ("en",), ("en", "fr")],
    "generated": [(), ("en",), ("en", "fr")],
    "late": [(), ("en",), ("en", "fr")],
    "doses": [(0.01,), (0.02,), (0.01, 0.02)],
    "windows": [((0.2, 0.4),), ((0.2, 0.4), (0.3, 0.5))],
    "template": ["chat", "llama2", "Q: {input}", "Q- {input}"],
    "data": ["one", "two", "t/wo", "t-wo"],
    "dtype": ["fp32", "fp16"],
    "concept": ["fairness", "morality"],
    "contrast": ["", "tense"],
    "source": ["fr", "sw"],
    "tokens": [8, 16],
    "judge": ["chat:a/b", "chat:a-b", "classifier:a:b"],
}


def _changed(settings):
    """The settings, each with one field changed in all ways that are tried."""
    for field in fields(settings):
        value = getattr(settings, field.name)
        if is_dataclass(value):
            yield from (replace(settings, **{field.name: other}) for other in _changed(value))
        elif isinstance(value, bool):
            yield replace(settings, **{field.name: not value})
        elif field.name in OTHERS:
            yield from (replace(settings, **{field.name: other}) for other in OTHERS[field.name] if other != value)
        else:
            yield from (replace(settings, **{field.name: type(value or 2)((value or 2) * k)}) for k in (2, 3))


@pytest.mark.parametrize("base", [Settings(template="raw"), ControlSettings()], ids=["study", "control"])
def test_different_settings_have_different_keys(base):
    tried = [base, *_changed(base)]
    tried += [profile.study if isinstance(base, Settings) else profile.control for profile in PROFILES.values()]
    tried = [replace(one, template=one.template or "raw") for one in tried]
    keys = {key_of(one, "0123456789") for one in tried}
    assert len(keys) == len(set(tried)) > 20
    assert all(re.fullmatch(r"[\w.,=@+-]+", key) and len(key) <= LONGEST + 9 for key in keys)


def test_names_become_names_of_folders():
    assert as_folder("quick,pairs=8") == "quick,pairs=8"
    odd = {as_folder(name) for name in ("a/b", "a b", "a-b", "..", "a" * 200, "a" * 201)}
    assert len(odd) == 6 and all(re.fullmatch(r"[-\w.@+,=]+", name) and len(name) <= LONGEST for name in odd)
