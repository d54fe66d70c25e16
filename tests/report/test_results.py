import json
import shutil
from base64 import b64decode
from io import StringIO
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from xlv.edition.notebook import check_parameters, open_results
from xlv.questions.claims import ledger as claims
from xlv.questions.claims.rules import FAILS, HOLDS, OPEN
from xlv.questions.claims.verdicts import Finding, judge
from xlv.questions.consistency import tables as consistency
from xlv.questions.recognition import tables as recognition
from xlv.report import answers
from xlv.report.figures import claims as claims_figures
from xlv.report.figures import consistency as consistency_figures
from xlv.report.figures import recognition as recognition_figures
from xlv.report.figures import transfer as transfer_figures
from xlv.report.numbers import csv_text, numbers
from xlv.results import ResultsError, load, matching, save
from xlv.settings import PROFILES, Settings
from xlv.study import run_study

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


def test_results_are_written_whole_or_not_at_all(tmp_path, monkeypatch):
    dataset = xr.Dataset({"x": ("a", [1.0, 2.0])})
    path = tmp_path / "m" / "recognition.nc"
    save(dataset, path, {"settings": "one"})
    assert load(path)["x"].values.tolist() == [1.0, 2.0]
    assert matching(path, "one") is not None and matching(path, "two") is None
    monkeypatch.setattr(xr.Dataset, "to_netcdf", lambda *_a, **_k: (_ for _ in ()).throw(OSError("no space left")))
    with pytest.raises(OSError, match="no space"):
        save(dataset, path, {"settings": "two"})
    assert matching(path, "one") is not None and [f.name for f in path.parent.iterdir()] == ["recognition.nc"]


def test_missing_damaged_and_foreign_results_say_what_to_do(tmp_path):
    path = tmp_path / "m" / "recognition.nc"
    with pytest.raises(ResultsError, match="xlv run"):
        load(path)
    save(xr.Dataset({"x": ("a", [1.0])}), path, {})
    whole = path.read_bytes()
    path.write_bytes(whole[:50])
    with pytest.raises(ResultsError, match="delete it and run again"):
        load(path)
    xr.Dataset(attrs={"schema": 999}).to_netcdf(path)
    with pytest.raises(ResultsError, match="schema 999"):
        load(path)


@pytest.fixture
def studied(tiny_folder, tmp_path):
    settings = Settings(concepts=("morality", "tense"), languages=("en", "fr", "sw"), pairs=12, neutral=3, dtype="fp32")
    run_study(str(tiny_folder), settings, tmp_path / "results")
    return tiny_folder, settings, tmp_path / "results"


def test_a_study_of_a_folder_gives_labelled_results_and_is_not_computed_twice(studied, monkeypatch):
    folder, settings, out = studied
    dataset = load(out / "my-model" / "recognition.nc")
    assert dataset["accuracy"].dims == ("protocol", "concept", "source", "target", "layer")
    assert list(dataset["protocol"].values) == ["cv", "paper"]
    assert dataset.attrs["model"] == "my-model" and dataset.attrs["dtype"] == "fp32"
    assert np.isfinite(dataset["correct"].sel(protocol="cv")).all()
    monkeypatch.setattr("xlv.models.load.load_model", lambda *_a, **_k: pytest.fail("the model was loaded again"))
    again = run_study(str(folder), settings, out)
    assert again.identical(dataset)


def test_every_table_figure_and_answer_can_be_made_of_any_model_s_results(studied):
    _, _, out = studied
    found = {"my-model": load(out / "my-model" / "recognition.nc")}
    alike = {"my-model": load(out / "my-model" / "consistency.nc")}
    for draw in (
        recognition_figures.accuracy_by_language,
        recognition_figures.accuracy_by_concept,
        recognition_figures.accuracy_by_layer,
        recognition_figures.baselines,
        recognition_figures.readouts,
        recognition_figures.estimators,
        recognition_figures.learning_curve,
        recognition_figures.across_concepts,
        transfer_figures.transfer_map,
        transfer_figures.one_way_transfer,
        transfer_figures.additive_effects,
        transfer_figures.competence_order,
    ):
        assert draw(found).axes
    assert transfer_figures.transfer_by_concept(found).axes
    for draw in (
        consistency_figures.consistency_map,
        consistency_figures.linguistic_correlation,
        consistency_figures.layer_profile,
        consistency_figures.language_tree,
    ):
        assert draw(alike).axes
    regressions = consistency.regression_tables(alike, found)
    assert consistency_figures.regression(regressions).axes and "beside script" in answers.kinship(regressions)
    table = recognition.own_accuracy(found["my-model"])
    assert ((table["low"] <= table["accuracy"]) & (table["accuracy"] <= table["high"])).all()
    assert (table["pairs"] == 12).all()  # morality alone: tense is no value
    words = answers.recognition(found) + answers.transfer(found) + answers.consistency(alike)
    assert f"{table['accuracy'].mean():.2f}" in words


def test_the_answer_counts_languages_as_claim_1_does(studied):
    _, _, out = studied
    dataset, alike = load(out / "my-model" / "recognition.nc"), load(out / "my-model" / "consistency.nc")
    (first, *_) = judge(claims.evidence(dataset, alike))
    assert recognition.read(dataset) == first
    assert f"**{first.value:.0f} of {dataset.sizes['source']} languages**" in answers.recognition({"m": dataset})


def test_all_comparisons_with_relationships_of_languages_rest_on_the_same_cosines(studied):
    _, _, out = studied
    dataset = load(out / "my-model" / "consistency.nc")
    for hidden, kind in ((False, "corrected"), (True, "plain")):
        corrected = np.ones(dataset["corrected"].shape)
        corrected[:, 0, 1] = corrected[:, 1, 0] = np.nan if hidden else 1.0
        changed = dataset.assign(corrected=(dataset["corrected"].dims, corrected))
        pairs = dataset.sizes["source"] * (dataset.sizes["source"] - 1) // 2
        assert consistency.known_pairs(changed) == (pairs - hidden, pairs)
        pooled = consistency.pooled_consistency(changed)
        assert pooled.attrs["kind"] == consistency.linguistic_table(changed).attrs["kind"] == kind
        assert pooled.equals(consistency.consistency_matrix(changed, plain=hidden))


def test_unknown_and_ill_typed_notebook_parameters_raise():
    good = {
        "models": "a",
        "data": "",
        "results": "",
        "profile": "quick",
        "languages": "",
        "concepts": "",
        "pairs": 0,
        "protocol": "cv",
    }
    assert check_parameters({**good, "In": [], "_x": 1, "json": json}) == good
    with pytest.raises(ValueError, match="unknown parameter 'model'"):
        check_parameters({**good, "model": "a"})
    with pytest.raises(ValueError, match="expected int"):
        check_parameters({**good, "pairs": "16"})
    with pytest.raises(ValueError, match="choose cv or paper"):
        check_parameters({**good, "protocol": "best"})
    with pytest.raises(ValueError, match="unknown profile"):
        open_results({**good, "profile": "huge"}, "recognition")
    with pytest.raises(ValueError, match="name at least one model"):
        open_results({**good, "models": " , "}, "recognition")


def test_profiles_can_be_narrowed():
    narrow = PROFILES["quick"].changed(languages=("en", "sw"), pairs=8)
    assert narrow.study.languages == ("en", "sw") and narrow.control.targets == ("en", "sw")
    assert PROFILES["full"].changed(languages=("en", "fr")).control.sources == ("en", "fr")
    assert narrow.study.pairs == narrow.control.pairs == 8 and PROFILES["quick"].study.pairs == 16


def test_a_corpus_folder_brings_its_own_concepts():
    full = PROFILES["full"]
    assert full.changed(data="folder").study.concepts is None
    assert full.changed(data="folder", concepts=("courage",)).study.concepts == ("courage",)
    assert full.changed(pairs=8).study.concepts == full.study.concepts


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_notebooks_are_thin_and_clean(path):
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert not any(cell["outputs"] or cell["execution_count"] for cell in code)
    assert [cell["metadata"]["tags"][0] for cell in code].count("parameters") == 1
    for cell in code:
        lines = [line for line in "".join(cell["source"]).splitlines() if line.strip()]
        assert len(lines) <= 10 and not any(line.startswith(("def ", "class ")) for line in lines)
    prose = sum(len("".join(cell["source"])) for cell in cells if cell["cell_type"] == "markdown")
    assert path.stem in ("home", "corpus", "models") or prose > sum(len("".join(c["source"])) for c in code)


def test_numbers_to_download_are_those_of_the_table(studied):
    dataset = load(studied[2] / "my-model" / "recognition.nc")
    frame = pd.read_csv(StringIO(csv_text(recognition.own_accuracy, {"m": dataset})))
    assert list(frame["model"].unique()) == [dataset.attrs["title"]]
    np.testing.assert_allclose(frame["accuracy"], recognition.own_accuracy(dataset)["accuracy"], atol=1e-5)
    link = numbers("own", recognition.own_accuracy, {"m": dataset}).data
    data = b64decode(link.split("base64,")[1].split('"')[0]).decode()
    assert 'download="own.csv"' in link and data == csv_text(recognition.own_accuracy, {"m": dataset})


def test_baselines_can_be_left_out(tiny_folder, tmp_path):
    settings = Settings(
        concepts=("morality",), languages=("en", "sw"), pairs=12, neutral=3, dtype="fp32", baselines=False
    )
    dataset = run_study(str(tiny_folder), settings, tmp_path)
    assert "untrained" not in dataset and "likelihood" not in dataset
    table = recognition.baseline_table(dataset)
    assert "token embeddings" in table.index and "untrained model" not in table.index


def test_the_ledger_judges_every_claim_of_every_model_from_results_on_disk(tiny_folder, studied, tmp_path):
    _, settings, out = studied
    for name in ("small", "large"):
        shutil.copytree(out / "my-model", tmp_path / "ledger" / "series" / name)
    shutil.copytree(out / "my-model", tmp_path / "ledger" / "my-model")
    recognised, alike = (load(tmp_path / "ledger" / "my-model" / f"{q}.nc") for q in ("recognition", "consistency"))
    found = claims.findings({"large": recognised}, {"large": alike}, {}, {"small": recognised, "large": recognised})
    assert [f.claim for f in found["large"]] == list(range(1, 9))
    second = found["large"][1]
    assert second.value == 0 and second.low == second.high == 0 and second.verdict == FAILS
    table = claims.ledger(found, {"large": "My model"})
    assert len(table) == 8 and all(text.startswith((HOLDS, FAILS, OPEN)) for text in table["verdict"])
    assert table["verdict"].iloc[7] == f"{OPEN} (question 4 was not asked of this model)"
    assert claims.statistic(Finding(1, 7.0, 2.0, 10.0, OPEN)) == "7 (2 to 10)"
    assert claims.statistic(Finding(7, -0.0004, -0.0104, 0.01, OPEN)) == "0.000 (−0.010 to +0.010)"
    twice = claims.ledger({"a": found["large"], "b": found["large"]}, {"a": "A (Q4)", "b": "B (Q4)"})
    assert list(twice["claim"][:3]) == ["1", "", "2"] and list(twice["model"][:2]) == ["A", "B"]
    words = answers.claims(found, {"large": "My model"})
    assert "**My model**" in words and "question 4 was not asked" in words
    assert claims_figures.verdicts(found, {"large": "My model"}).axes
