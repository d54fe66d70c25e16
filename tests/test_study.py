"""The paper's steps in order for one model: what is asked, what a result depends on, what is not computed twice."""

import json
from dataclasses import asdict, replace
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import xarray as xr

from xlv import cache, study
from xlv.archive import place
from xlv.corpus.pairs import CorpusError, pairs_of, texts_of
from xlv.corpus.shortcut import surface_margins
from xlv.models import load
from xlv.models.activations import concept_states
from xlv.models.load import load_model
from xlv.models.vectors import ConceptVectors, concept_vectors
from xlv.models.weights import resolve
from xlv.questions.consistency.cosines import cosines
from xlv.results import load as load_results
from xlv.results import save
from xlv.schema import SCHEMA
from xlv.settings import Comparisons, ControlSettings, Search, Settings
from xlv.statistics.vectors import hits, own
from xlv.study import baselines, control_texts, run_control, run_study

SETTINGS = Settings(concepts=("morality", "tense"), languages=("en", "fr", "sw"), pairs=12, neutral=3, dtype="fp32")
CONTROL = ControlSettings(
    targets=("en", "sw"),
    pairs=8,
    prompts=2,
    tokens=2,
    search=Search(prompts=2, doses=(0.01,), windows=((0.4, 0.7),), neutral=2, confirmed=1),
    compare=Comparisons(prompts=1, contrast="", random=1, random_generated=1, detailed=()),
    dtype="fp32",
)


class Stop(Exception):
    pass


def stamp(monkeypatch, model="smollm2-135m", settings=SETTINGS, **loading) -> str:
    """What a result is filed under: the fingerprint with which what is known is looked up; nothing is computed."""
    asked = []

    def known(_path, fingerprint, _model, _overwrite):
        asked.append(fingerprint)
        raise Stop

    run = run_control if isinstance(settings, ControlSettings) else run_study
    with monkeypatch.context() as patch, pytest.raises(Stop):
        patch.setattr(study, "known", known)
        run(model, settings, Path("nowhere"), **loading)
    return asked[0]


@pytest.fixture
def corpus(tmp_path) -> Path:
    """A corpus of one concept with neutral sentences of its own."""
    folder = tmp_path / "corpus"
    (folder / "courage").mkdir(parents=True), (folder / "neutral").mkdir()
    for code in ("en", "fr"):
        rows = [f"{k}\t{k // 2}\tI spoke up {k} {code}.\tI kept silent {k} {code}." for k in range(8)]
        (folder / "courage" / f"{code}.tsv").write_text("\n".join(["id\tgroup\tpositive\tnegative", *rows]) + "\n")
        (folder / "neutral" / f"{code}.tsv").write_text(f"id\ttext\n1\tThe river bends {code}.\n2\tSalt melts.\n")
    return folder


def test_a_stamp_is_the_same_for_the_same_question(monkeypatch):
    assert stamp(monkeypatch) == stamp(monkeypatch, loading=study.Loading(device="cpu"))


@pytest.mark.parametrize("settings", [SETTINGS, CONTROL], ids=["study", "control"])
def test_a_stamp_changes_with_the_extractor_and_the_settings(monkeypatch, settings):
    known = [
        stamp(monkeypatch, settings=settings),
        stamp(monkeypatch, settings=replace(settings, seed=1)),
        stamp(monkeypatch, settings=replace(settings, pairs=10)),
        stamp(monkeypatch, settings=replace(settings, template="llama2")),
    ]
    monkeypatch.setattr(study, "EXTRACTOR", cache.EXTRACTOR + 1)
    assert len({*known, stamp(monkeypatch, settings=settings)}) == 5


def test_a_stamp_changes_with_the_analysis(monkeypatch):
    known = stamp(monkeypatch)
    monkeypatch.setattr(study, "ANALYSIS", study.ANALYSIS + 1)
    assert stamp(monkeypatch) != known


def test_a_stamp_changes_with_pairs_and_with_neutral_sentences(monkeypatch, corpus):
    settings = Settings(data=str(corpus), dtype="fp32")
    known = [stamp(monkeypatch, settings=settings)]
    for path in (corpus / "neutral" / "fr.tsv", corpus / "courage" / "fr.tsv"):
        path.write_text(path.read_text().replace("fr.", "en français."))
        known.append(stamp(monkeypatch, settings=settings))
    assert len(set(known)) == 3


def test_a_stamp_changes_with_the_cohorts_of_the_same_texts(monkeypatch, corpus):
    settings = Settings(data=str(corpus), dtype="fp32")
    for path in (corpus / "courage").iterdir():
        head, *rows = path.read_text().splitlines()
        path.write_text("\n".join([f"{head}\tcohort", *(f"{row}\tfirst" for row in rows)]) + "\n")
    known = stamp(monkeypatch, settings=settings)
    for path in (corpus / "courage").iterdir():
        path.write_text(path.read_text().replace("first", "second"))
    assert stamp(monkeypatch, settings=settings) != known


def test_a_stamp_of_control_changes_with_instructions_and_with_the_judge(monkeypatch, tmp_path):
    known = [stamp(monkeypatch, settings=CONTROL), stamp(monkeypatch, settings=replace(CONTROL, judge="chat:x"))]
    original = study.corpus.load_instructions
    monkeypatch.setattr(study.corpus, "load_instructions", lambda code, **named: original(code, **named).iloc[::-1])
    known.append(stamp(monkeypatch, settings=CONTROL))
    assert len(set(known)) == 3


def test_a_stamp_of_control_is_the_same_when_the_corpus_gets_more_instructions_than_are_used(monkeypatch):
    original, known = study.corpus.load_instructions, stamp(monkeypatch, settings=CONTROL)

    def longer(code, *, split, limit, data):
        rows = pd.concat([original(code, split, data=data)] * 2)  # the newest are evaluated
        return (rows[-limit:] if split == "evaluation" else rows[:limit]).reset_index(drop=True)

    monkeypatch.setattr(study.corpus, "load_instructions", longer)
    assert stamp(monkeypatch, settings=CONTROL) == known


@pytest.mark.parametrize("groups", [1, 3])
def test_too_few_situations_are_found_before_anything_is_computed(corpus, monkeypatch, tmp_path, groups):
    monkeypatch.setattr("xlv.models.load.load_model", lambda *_a, **_k: pytest.fail("the model was loaded"))
    for path in (corpus / "courage").iterdir():
        head, *rows = path.read_text().splitlines()
        fields = [row.split("\t") for row in rows]
        rows = ["\t".join([one, str(int(one) % groups), *texts]) for one, _, *texts in fields]
        path.write_text("\n".join([head, *rows]) + "\n")
    with pytest.raises(CorpusError, match=f"courage has pairs of {groups} groups: expected 4 or more"):
        run_study("smollm2-135m", Settings(data=str(corpus)), tmp_path)


@pytest.mark.parametrize(
    ("model", "settings", "message"),
    [
        ("smollm2-135m", Settings(concepts=("courage",)), "unknown concept 'courage'"),
        ("smollm2-135m", Settings(languages=("xx",)), "unknown language 'xx'"),
        ("no-such-model", Settings(languages=("en",), pairs=8), "unknown model 'no-such-model'"),
    ],
)
def test_what_is_not_known_is_refused(model, settings, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        run_study(model, settings, tmp_path)


@pytest.mark.parametrize("settings", [SETTINGS, CONTROL], ids=["study", "control"])
def test_a_text_longer_than_the_context_ends_a_run_before_the_first_is_read(tiny_folder, tmp_path, settings):
    config = json.loads((tiny_folder / "config.json").read_text())
    (tiny_folder / "config.json").write_text(json.dumps(config | {"max_position_embeddings": 12}))
    run = run_control if isinstance(settings, ControlSettings) else run_study
    with pytest.raises(ValueError, match=r"has \d+ tokens.*: the model can read 12"):
        run(str(tiny_folder), settings, tmp_path)
    assert not list((tmp_path / "cache").rglob("activations/*/*"))


def test_controls_are_read_when_asked_for():
    assert list(dict.fromkeys(pairs_of(Settings(languages=("en",), pairs=8))["concept"]))[-1] == "harmfulness"
    more = pairs_of(Settings(languages=("en",), pairs=8, controls=True))
    assert list(dict.fromkeys(more["concept"]))[-2:] == ["sentiment", "tense"]
    second = pairs_of(Settings(languages=("en",), pairs=8, controls=True, cohort="second"))
    assert len(second) == len(more) and list(second["cohort"]) == ["second"] * 7 * 8 + ["first"] * 2 * 8


@pytest.fixture(scope="module")
def in_cohorts(saved_model, tmp_path_factory):
    """A study of a concept with two cohorts and of one without, in a folder: its settings, table and results."""
    data, out = tmp_path_factory.mktemp("corpus"), tmp_path_factory.mktemp("results")
    for concept, code in product(("courage", "calm"), ("en", "fr")):
        (data / concept).mkdir(exist_ok=True)
        which = ["first", "first", "second"] if concept == "courage" else ["first"]
        rows = [
            f"{k}\t{k // 2}\t{('sw', 'en')[k % 2]}\t{which[k // 2 % len(which)]}\t"
            f"I {'stood' * (k % 2)} up {k}.\tI {'sat' * (k % 2)} down {k}."
            for k in range(24)
        ]
        header = "id\tgroup\torigin\tcohort\tpositive\tnegative"
        (data / concept / f"{code}.tsv").write_text("\n".join([header, *rows]) + "\n")
    settings = Settings(data=str(data), dtype="fp32", baselines=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XLV_CACHE", str(tmp_path_factory.mktemp("cache")))
        return settings, pairs_of(settings), run_study(str(saved_model), settings, out)


def test_surface_classifiers_are_trained_and_tested_within_each_cohort_and_all(in_cohorts):
    settings, table, found = in_cohorts
    surface = found["cohort_surface"]
    assert list(surface["cohort"].values) == ["first", "second", "all"]
    xr.testing.assert_equal(surface.sel(cohort="all", drop=True), xr.apply_ufunc(hits, found["surface"]))
    for concept in ("courage", "calm"):
        part = table[table["concept"] == concept]
        for name in ("first", "second"):
            cell = surface.sel(cohort=name, concept=concept)
            inside = (part[part["language"] == "en"]["cohort"] == name).to_numpy() & (concept == "courage")
            assert (cell.notnull() == inside).all()
            if inside.any():
                margins = surface_margins(part[part["cohort"] == name], ["en", "fr"])
                np.testing.assert_array_equal(cell.values[..., inside], hits(margins))


def test_each_cohort_is_trained_and_tested_within_itself_where_a_concept_has_it(in_cohorts):
    _, table, found = in_cohorts
    assert (table.groupby(["concept", "language", "cohort"]).size().unstack()["second"].dropna() == 8).all()
    accuracy = found["cohort_accuracy"]
    assert accuracy.sel(concept="courage").notnull().all() and accuracy.sel(cohort="all").notnull().all()
    assert accuracy.sel(concept="calm", cohort=["first", "second"]).isnull().all()
    np.testing.assert_allclose(accuracy.sel(cohort="all"), found["accuracy"].sel(protocol="cv"), atol=1e-6)


def test_each_pair_s_origin_is_stored(in_cohorts):
    _, table, found = in_cohorts
    for concept in ("courage", "calm"):
        rows = table[(table["concept"] == concept) & (table["language"] == "en")]
        places = found["origin"].sel(concept=concept).values[: len(rows)].astype(int)
        assert [str(found["written_in"].values[place]) for place in places] == rows["origin"].tolist()


@pytest.mark.parametrize("cohort", ["first", "second"])
def test_a_run_of_one_cohort_reads_its_pairs_and_says_so(in_cohorts, tiny_folder, tmp_path, cohort):
    settings = replace(in_cohorts[0], concepts=("courage",), cohort=cohort)
    found = run_study(str(tiny_folder), settings, tmp_path / "out")
    assert list(found["cohort_surface"]["cohort"].values) == ["all"] and found.attrs["cohort"] == cohort
    assert found.sizes["pair"] == (16 if cohort == "first" else 8)
    with pytest.raises(CorpusError, match="no pairs of the second cohort"):
        run_study(str(tiny_folder), replace(settings, concepts=("calm",), cohort="second"), tmp_path / "out")


@pytest.fixture(scope="module")
def studied(saved_model, tmp_path_factory):
    """A study of a tiny model: its folder, and that of the results."""
    out = tmp_path_factory.mktemp("results")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XLV_CACHE", str(tmp_path_factory.mktemp("cache")))
        run_study(str(saved_model), SETTINGS, out)
    return saved_model, out


@pytest.fixture
def stored(studied):
    folder, out = studied
    folder = place(str(folder), SETTINGS, out)
    return {question: load_results(folder / f"{question}.nc") for question in ("recognition", "consistency")}


def test_a_study_holds_every_variable_of_its_questions(stored):
    for question, dataset in stored.items():
        assert set(dataset.data_vars) == set(SCHEMA[question]) - {"resampled"}  # of earlier versions
    assert np.isfinite(stored["recognition"]["correct"].sel(protocol="cv")).all()


def test_where_results_come_from_goes_with_them(studied, stored):
    folder, _ = studied
    for dataset in stored.values():
        about = dataset.attrs
        assert about["model"] == about["title"] == folder.name and about["weights"] == resolve(str(folder)).fingerprint
        assert (about["dtype"], about["template"], about["seed"], about["revision"]) == ("fp32", "raw", 0, "")
        assert about["parameters"] == load_model(str(folder), dtype="fp32").network.num_parameters()
        assert json.loads(about["settings"]) == json.loads(json.dumps(asdict(SETTINGS))) | {
            "data": "",
            "template": "raw",
        }
        assert about["corpus"] and about["preset"] == ""


def test_numbers_are_those_of_the_states_of_the_texts(studied, stored):
    folder, _ = studied
    table = pairs_of(SETTINGS)
    states = concept_states(load_model(str(folder), dtype="fp32"), texts_of(table))["morality"]
    for k, here in enumerate(map(states, range(1, 5))):
        found = stored["consistency"]["cosine"].sel(concept="morality", layer=k + 1)
        np.testing.assert_allclose(found, cosines((here[:, :12] - here[:, 12:]).mean(axis=1)), atol=1e-4)
    cell = stored["recognition"].sel(concept="morality", protocol="cv")
    np.testing.assert_allclose(own(cell["accuracy"].values), own(cell["correct"].values).mean(axis=1), atol=1e-6)


def test_a_study_is_not_computed_twice(studied, stored, monkeypatch):
    folder, out = studied
    monkeypatch.setattr("xlv.models.load.load_model", lambda *_a, **_k: pytest.fail("the model was loaded again"))
    assert run_study(str(folder), SETTINGS, out).identical(stored["recognition"])
    monkeypatch.setattr(study, "EXTRACTOR", cache.EXTRACTOR + 1)  # but by another extractor it is
    with pytest.raises(pytest.fail.Exception, match="loaded again"):
        run_study(str(folder), SETTINGS, out)


def test_baselines_are_those_of_the_model_and_can_be_left_out(studied, stored, monkeypatch):
    folder, _ = studied
    model, table = load_model(str(folder), dtype="fp32"), pairs_of(SETTINGS)
    few = baselines(model, table, None, replace(SETTINGS, baselines=False), cache.silent)
    assert set(few) == {"token_overlap", "embedded"}
    for name, array in few.items():
        np.testing.assert_allclose(array, stored["recognition"][name], atol=1e-6)
    untrained = stored["recognition"]["untrained"]
    assert untrained.sel(source="en").notnull().all() and untrained.sel(source=["fr", "sw"]).isnull().all()
    assert (stored["recognition"]["likelihood"].notnull().sum("pair") == SETTINGS.likelihood_pairs).all()
    assert stored["recognition"].sizes["sentence"] == SETTINGS.neutral


def test_the_revision_stands_in_the_provenance_of_results(tiny_folder, tmp_path, monkeypatch):
    local = resolve(str(tiny_folder))
    monkeypatch.setattr(load, "resolve", lambda *_a, **_k: local)
    monkeypatch.setattr(study, "baselines", lambda *_given: {})
    settings = Settings(concepts=("morality",), languages=("en", "fr"), pairs=8, dtype="fp32")
    tagged = run_study("org/model@v1.0", settings, tmp_path)
    plain = run_study("org/model", settings, tmp_path)
    assert (tagged.attrs["revision"], tagged.attrs["model"]) == ("v1.0", "model@v1.0")
    assert plain.attrs["revision"] == "" and plain.attrs["identity"] != tagged.attrs["identity"]
    assert {path.name for path in tmp_path.glob("model*")} == {"model", "model@v1.0"}


def test_vectors_of_a_run_are_those_of_its_concepts_and_languages(tiny_folder, tmp_path, monkeypatch):
    settings = replace(SETTINGS, languages=("en", "sw"))
    loads, original = [], load.load_model
    monkeypatch.setattr(load, "load_model", lambda *given, **how: loads.append(given) or original(*given, **how))
    first = run_study(str(tiny_folder), settings, tmp_path / "out", vectors=True)
    assert run_study(str(tiny_folder), settings, tmp_path / "out").identical(first) and len(loads) == 1
    folder = place(str(tiny_folder), settings, tmp_path / "out") / "vectors"
    names = {f"{concept}_{code}.safetensors" for concept in ("morality", "tense") for code in ("en", "sw")}
    assert {path.name for path in folder.iterdir()} == names
    kept = ConceptVectors.load(folder / "morality_sw.safetensors")
    wanted = concept_vectors(load_model(str(tiny_folder), dtype="fp32"), "morality", "sw", pairs=12)
    assert kept.origin == wanted.origin and all(torch.equal(kept.layers[k], wanted.layers[k]) for k in wanted.layers)


def test_the_chat_reading_is_another_result_beside_the_raw_one(studied, stored, monkeypatch, tmp_path):
    folder, out = studied
    chat = replace(SETTINGS, template="chat", baselines=False)
    found = run_study(str(folder), chat, tmp_path)
    assert place(str(folder), chat, out).name != place(str(folder), replace(chat, template="raw"), out).name
    assert found.attrs["template"] == "chat" and found.attrs["corpus"] == stored["recognition"].attrs["corpus"]
    assert not np.allclose(found["margin"], stored["recognition"]["margin"], atol=1e-3)
    xr.testing.assert_equal(found["cohort_surface"], stored["recognition"]["cohort_surface"])


def test_question_4_makes_its_vectors_of_the_first_cohort(tiny_folder, tmp_path, monkeypatch):
    assert set(control_texts(replace(CONTROL, pairs=None))[0]["cohort"]) == {"first"}
    asked = []

    def made(*given, **how):
        asked.append(how["cohort"])
        return concept_vectors(*given, **how)

    monkeypatch.setattr("xlv.control.evaluate.concept_vectors", made)
    run_control(str(tiny_folder), CONTROL, tmp_path / "out")
    assert set(asked) == {"first"}


def test_control_is_not_measured_twice_and_says_where_it_comes_from(tiny_folder, tmp_path, monkeypatch):
    found = run_control(str(tiny_folder), CONTROL, tmp_path / "out")
    assert set(found.data_vars) <= set(SCHEMA["control"]) and list(found["target"].values) == ["en", "sw"]
    assert (found.attrs["model"], found.attrs["template"], found.attrs["dtype"]) == ("my-model", "chat", "fp32")
    monkeypatch.setattr("xlv.models.load.load_model", lambda *_a, **_k: pytest.fail("the model was loaded again"))
    assert run_control(str(tiny_folder), CONTROL, tmp_path / "out").identical(found)


def test_a_model_without_a_chat_template_is_asked_in_raw_text_and_by_score_alone(tiny_folder, tmp_path):
    (tiny_folder / "chat_template.jinja").unlink()
    found = run_control(str(tiny_folder), CONTROL, tmp_path / "out")
    assert found.attrs["template"] == "raw" and (found["outcome"] == -1).all()
    assert found["score"].notnull().any()


def test_results_that_are_the_authors_own_are_never_computed_anew(studied, stored, tmp_path, monkeypatch):
    dataset = stored["recognition"]
    about = {key: value for key, value in dataset.attrs.items() if key not in ("schema", "xlv")}
    save(dataset.assign_attrs({}), tmp_path / "m" / "recognition.nc", about | {"published": "the authors' repository"})
    monkeypatch.setattr("xlv.models.load.load_model", lambda *_a, **_k: pytest.fail("a model was loaded"))
    assert run_study("m", Settings(), tmp_path).attrs["published"] == "the authors' repository"


def test_all_else_is_saved_before_the_untrained_model_is_made_and_is_not_computed_again(
    studied, stored, tmp_path, monkeypatch
):
    folder, _ = studied

    def fail(*_given, **_how):
        raise MemoryError

    with monkeypatch.context() as patch, pytest.raises(MemoryError):
        patch.setattr("xlv.models.baselines.untrained", fail)
        run_study(str(folder), SETTINGS, tmp_path, vectors=True)
    half = load_results(place(str(folder), SETTINGS, tmp_path) / "recognition.nc")
    assert "untrained" not in half and half["likelihood"].identical(stored["recognition"]["likelihood"])
    assert len(list((place(str(folder), SETTINGS, tmp_path) / "vectors").iterdir())) == 6
    monkeypatch.setattr(study, "analyse", lambda *_a, **_k: pytest.fail("analysed again"))
    assert run_study(str(folder), SETTINGS, tmp_path).identical(stored["recognition"])
