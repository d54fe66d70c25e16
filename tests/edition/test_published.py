import shutil

import numpy as np
import pytest
import torch

from tests.corpus.importers.authors import LANGUAGES, write_res
from xlv.archive import place
from xlv.edition.notebook import open_results
from xlv.edition.published import import_results
from xlv.questions import as_published as tables
from xlv.report import answers
from xlv.report.figures.consistency import consistency_map
from xlv.report.figures.transfer import as_published as maps
from xlv.results import ResultsError, has_published, is_published, load
from xlv.settings import Settings
from xlv.study import run_study

OURS, THEIRS = "my-model", "llama2-chat-7b-published"


@pytest.fixture
def res(tmp_path):
    """The authors' folder, and what was written into it."""
    return tmp_path / "res", write_res(tmp_path / "res")


def test_results_are_written_under_the_names_of_our_presets_with_where_they_come_from(res, tmp_path):
    folder, written = res
    assert list(import_results(folder, tmp_path / "out")) == [THEIRS, "my-model-published"]
    found = {name: load(tmp_path / "out" / name / "recognition.nc") for name in (THEIRS, "my-model-published")}
    assert all(is_published(dataset) for dataset in found.values())
    assert found["my-model-published"].attrs["model"] == "my-model"
    assert found["my-model-published"].attrs["title"] == "my-model (published)"
    about = found[THEIRS].attrs
    assert (about["title"], about["template"], about["corpus"]) == ("LLaMA 2 chat 7B (published)", "llama2", "MVALUE")
    cell = found[THEIRS]["accuracy"].sel(protocol="paper", concept="morality", source="fr", target="sw")
    expected = max(written["llama2-chat-7B", "morality"][0]["fr"]["sw"].values())
    assert float(cell) == pytest.approx(expected, abs=1e-6)
    alike = load(tmp_path / "out" / THEIRS / "consistency.nc")["cosine"]
    np.testing.assert_allclose(alike.sel(source="fr", target="fr"), 1, atol=1e-6)


def test_the_small_qwen_gets_the_name_that_we_know_it_by(res, tmp_path):
    folder, _ = res
    (folder / "my-model").rename(folder / "Qwen-chat-1B8")
    assert "qwen-chat-1.8b-published" in import_results(folder, tmp_path / "out")


def test_one_model_s_folder_without_vectors_gives_recognition_only(res, tmp_path):
    folder, _ = res
    (folder / "my-model" / "morality" / "reader_dict.pk").unlink()
    assert import_results(folder / "my-model", tmp_path / "out")["my-model-published"].consistency is None
    assert [path.name for path in (tmp_path / "out" / "my-model-published").iterdir()] == ["recognition.nc"]


@pytest.mark.parametrize("file", ["acc.pk", "reader_dict.pk"])
@pytest.mark.parametrize("spoil", [lambda path: torch.save({}, path), lambda path: path.write_bytes(b"\x80\x02")])
def test_nothing_is_written_where_a_single_file_is_refused(res, tmp_path, file, spoil):
    folder, _ = res
    spoil(folder / "my-model" / "morality" / file)  # the last one that is read
    with pytest.raises(ResultsError, match=f"morality/{file}"):
        import_results(folder, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.fixture
def beside(res, tiny_folder, tmp_path):
    """Published results and a study of our own in one folder, by question."""
    folder, _ = res
    out = tmp_path / "out"
    import_results(folder, out)
    settings = Settings(concepts=("morality",), languages=tuple(LANGUAGES), pairs=12, neutral=2, dtype="fp32")
    run_study(str(tiny_folder), settings, out)
    places = {OURS: place(str(tiny_folder), settings, out), THEIRS: out / THEIRS}
    return {q: {name: load(p / f"{q}.nc") for name, p in places.items()} for q in ("recognition", "consistency")}


def test_pages_that_need_pairs_leave_published_results_out_with_a_sentence(
    beside, tiny_folder, tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr("xlv.edition.notebook._computed", lambda _m, _w, q, *_a: beside[q][OURS])
    both, given = f"{tiny_folder},{THEIRS}", {"results": str(tmp_path / "out"), "profile": "quick"}
    for question in ("recognition", "consistency"):
        assert list(open_results(both, question, **given)) == [str(tiny_folder)]
        assert len(open_results(both, question, published=True, **given)) == 2
    assert capsys.readouterr().out.count("LLaMA 2 chat 7B (published): not shown on this page") == 1
    with pytest.raises(ValueError, match="none of the models has results of its own on recognition"):
        open_results(THEIRS, "recognition", **given)


def test_published_results_are_never_computed_anew_nor_steered(beside, tmp_path, monkeypatch):
    monkeypatch.setattr("xlv.models.load.load_model", lambda *_a, **_k: pytest.fail("a model was loaded"))
    again = run_study(THEIRS, Settings(), tmp_path / "out")
    assert again.identical(beside["recognition"][THEIRS])
    assert has_published(tmp_path / "out", THEIRS)


def test_published_results_stand_beside_ours_as_the_paper_measures(beside, res):
    recognition, consistency = beside["recognition"], beside["consistency"]
    title, (_, written) = "LLaMA 2 chat 7B (published)", res
    table = tables.own_accuracy(recognition)
    assert list(table.columns) == [OURS, title] and list(table.index)[-1] == "mean"
    best = [max(written["llama2-chat-7B", c][0]["fr"]["fr"].values()) for c in ("harmfulness", "morality")]
    assert table.loc["French (fr)", title] == pytest.approx(np.mean(best))
    for figure in (maps(recognition), consistency_map(consistency, plain=True)):
        assert [axes.get_title() for axes in figure.axes[:2]] == [OURS, title]
    words = answers.as_published(recognition, consistency)
    assert f"**{title}**: own accuracy" in words and "import-results" not in words and "nan" not in words
    assert "xlv import-results" in answers.as_published({OURS: recognition[OURS]}, {OURS: consistency[OURS]})


def test_two_folders_of_one_name_are_refused_and_nothing_is_written(tmp_path):
    folder = tmp_path / "res"
    write_res(folder)
    shutil.copytree(folder / "llama2-chat-7B", folder / "Llama2-Chat-7b")
    with pytest.raises(
        ResultsError, match="Llama2-Chat-7b and llama2-chat-7B are both llama2-chat-7b: keep one of them"
    ):
        import_results(folder, tmp_path / "out")
    assert not (tmp_path / "out").exists()
