import builtins
import os
import pickle
import subprocess
import sys
import types
from pathlib import Path

import numpy as np
import pytest
import torch

from xlv.corpus.importers.published import import_results
from xlv.edition.notebook import open_results
from xlv.questions.consistency.cosines import cosines
from xlv.report import as_published
from xlv.results import ResultsError, has_published, load
from xlv.settings import Settings
from xlv.study import run_study

LANGUAGES, LAYERS, WIDTH = ["en", "fr", "zh", "sw"], 3, 8


@pytest.fixture
def readers(monkeypatch):
    """The authors' module while files are written; it is gone when they are read."""
    module = types.ModuleType("repe.rep_readers")
    module.ClusterMeanRepReader = type("ClusterMeanRepReader", (), {"__module__": "repe.rep_readers"})
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "repe", types.ModuleType("repe"))
        patch.setitem(sys.modules, "repe.rep_readers", module)
        yield module


def accuracies(generator):
    table = {
        source: {target: {k: np.mean(generator.random(5)) for k in range(1, LAYERS + 1)} for target in LANGUAGES}
        for source in LANGUAGES
    }
    table["en"]["fr"][1] = 1  # a plain number is as good as NumPy's
    return table


def reader_of(module, generator, dtype=np.float32):
    reader = module.ClusterMeanRepReader()
    reader.direction_method = "cluster_mean"
    reader.directions = {k: generator.standard_normal((1, WIDTH)).astype(dtype) for k in range(1, LAYERS + 1)}
    reader.direction_signs = {k: [-1] for k in range(1, LAYERS + 1)}
    return reader


@pytest.fixture
def res(tmp_path, readers):
    """The authors' folder with two models of two concepts; returns the folder and what was written."""
    generator, written = np.random.default_rng(0), {}
    for model, dtype in (("llama2-chat-7B", np.float32), ("my-model", np.float16)):
        for concept in ("harmfulness", "morality"):
            folder = tmp_path / "res" / model / concept
            folder.mkdir(parents=True)
            acc = accuracies(generator)
            directions = {code: reader_of(readers, generator, dtype) for code in LANGUAGES}
            torch.save(acc, folder / "acc.pk")
            torch.save(directions, folder / "reader_dict.pk")
            written[model, concept] = acc, {code: reader.directions for code, reader in directions.items()}
    (tmp_path / "res" / "llama2-chat-7B|my-model").mkdir()  # where the authors keep drawings
    return tmp_path / "res", written


def test_every_accuracy_and_cosine_comes_over(res, tmp_path):
    folder, written = res
    assert set(import_results(folder, tmp_path / "out")) == {"llama2-chat-7b-published", "my-model-published"}
    for model, name in (("llama2-chat-7B", "llama2-chat-7b"), ("my-model", "my-model")):
        found = load(tmp_path / "out" / f"{name}-published" / "recognition.nc")
        alike = load(tmp_path / "out" / f"{name}-published" / "consistency.nc")
        assert found["accuracy"].dims == ("protocol", "concept", "source", "target", "layer")
        for concept in ("harmfulness", "morality"):
            acc, directions = written[model, concept]
            for source in LANGUAGES:
                for target in LANGUAGES:
                    cell = found["accuracy"].sel(protocol="paper", concept=concept, source=source, target=target)
                    np.testing.assert_allclose(cell, list(acc[source][target].values()), atol=1e-6)
            vectors = np.stack([directions[code][2][0] for code in LANGUAGES]).astype(float)[:, None]
            expected = cosines(np.einsum("lid,mjd->limj", vectors, vectors))
            np.testing.assert_allclose(alike["cosine"].sel(concept=concept, layer=2), expected, atol=1e-3)
    assert found.attrs["model"] == "my-model"
    assert load(tmp_path / "out" / "llama2-chat-7b-published" / "recognition.nc").attrs["title"] == (
        "LLaMA 2 chat 7B (published)"
    )


def test_one_model_s_folder_without_vectors_gives_recognition_only(res, tmp_path):
    folder, _ = res
    (folder / "my-model" / "morality" / "reader_dict.pk").unlink()
    assert import_results(folder / "my-model", tmp_path / "out")["my-model-published"].cosine is None
    assert [p.name for p in (tmp_path / "out" / "my-model-published").iterdir()] == ["recognition.nc"]


class Call:
    """Pickles as a call of a function."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def hostile(marker):
    touch = f"open({str(marker)!r}, 'w').close()"
    return {
        "posix.system": Call(os.system, f"touch {marker}"),
        "eval": Call(builtins.eval, f"__import__('os').system('touch {marker}')"),
        "exec": Call(builtins.exec, touch),
        "subprocess.Popen": Call(subprocess.Popen, ["touch", str(marker)]),
        "getattr": Call(builtins.getattr, 1, "real"),
        "open": Call(builtins.open, str(marker), "w"),
        "numpy.fromfile": Call(np.fromfile, "/dev/null"),
        "torch.load": Call(torch.load, str(marker)),
    }


@pytest.mark.parametrize("name", [*hostile("x")])
@pytest.mark.parametrize("file", ["acc.pk", "reader_dict.pk"])
@pytest.mark.parametrize("write", [torch.save, lambda value, path: path.write_bytes(pickle.dumps(value, protocol=2))])
def test_a_file_that_calls_something_is_refused_by_name_and_nothing_runs(res, tmp_path, name, file, write):
    folder, written = res
    marker, path = tmp_path / "it-ran", folder / "my-model" / "morality" / file
    value = dict(written["my-model", "morality"][0])
    write(value | {"sw": hostile(marker)[name]}, path)
    with pytest.raises(ResultsError, match=f"{file} names .*{name.split('.')[-1]}.*nothing of it was run"):
        import_results(folder, tmp_path / "out")
    assert not marker.exists() and not (tmp_path / "out").exists()
    assert "repe" not in sys.modules or not hasattr(sys.modules["repe"], "__path__")


def bad_accuracy(acc):
    tensor = {**acc, "sw": {**acc["sw"], "en": {k: torch.tensor(0.5) for k in (1, 2, 3)}}}
    yield "got Tensor", tensor
    yield "got Tensor", torch.zeros(3)
    yield "accuracies from 0 to 1", {**acc, "sw": {**acc["sw"], "en": {1: 0.5, 2: 0.5, 3: float("nan")}}}
    yield "accuracies from 0 to 1", {**acc, "sw": {**acc["sw"], "en": {1: 0.5, 2: 1.5, 3: 0.5}}}
    yield "same number of layers", {**acc, "sw": {**acc["sw"], "en": {1: 0.5, 2: 0.5}}}
    yield "layers 1 … L", {**acc, "sw": {**acc["sw"], "en": {0: 0.5, 1: 0.5, 2: 0.5}}}
    yield "targets of 'sw'", {**acc, "sw": {"en": acc["sw"]["en"]}}
    yield "language codes", {**acc, "<script>": acc["sw"]}
    yield "dictionary of languages", {}


@pytest.mark.parametrize("number", range(9))
def test_accuracies_of_another_form_are_refused_and_no_file_appears(res, tmp_path, number):
    folder, written = res
    message, value = list(bad_accuracy(written["my-model", "morality"][0]))[number]
    torch.save(value, folder / "my-model" / "morality" / "acc.pk")
    with pytest.raises(ResultsError, match=message):
        import_results(folder, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("kind", ["tensor", "no reader", "width", "zero", "language"])
def test_vectors_of_another_form_are_refused_and_no_file_appears(res, readers, tmp_path, kind):
    folder, _ = res
    generator = np.random.default_rng(1)
    value = {code: reader_of(readers, generator) for code in LANGUAGES}
    if kind == "tensor":
        value["sw"].directions[2] = torch.ones(1, WIDTH)
    if kind == "no reader":
        value["sw"] = value["sw"].directions
    if kind == "width":
        value["sw"].directions[2] = np.ones((1, WIDTH + 1))
    if kind == "zero":
        value["sw"].directions[2] = np.zeros((1, WIDTH), dtype=np.float32)
    if kind == "language":
        del value["sw"]
    torch.save(value, folder / "my-model" / "morality" / "reader_dict.pk")
    with pytest.raises(ResultsError, match="expected|length zero|lacks the language"):
        import_results(folder, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
def test_a_truncated_file_gives_one_clear_error_and_no_file_appears(res, tmp_path, share):
    folder, _ = res
    path = folder / "my-model" / "morality" / "acc.pk"
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(ResultsError, match="damaged or was not written by torch.save"):
        import_results(folder, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_folder_without_results_says_what_is_expected(tmp_path):
    with pytest.raises(ResultsError, match=r"acc\.pk"):
        import_results(tmp_path, tmp_path / "out")


@pytest.fixture
def beside(res, tiny_folder, tmp_path):
    """Published results and a study of our own in one folder, by question."""
    folder, _ = res
    out = tmp_path / "out"
    import_results(folder, out)
    settings = Settings(concepts=("morality",), languages=tuple(LANGUAGES), pairs=12, neutral=2, dtype="fp32")
    run_study(str(tiny_folder), settings, out)
    names = ("my-model", "llama2-chat-7b-published")
    return {q: {name: load(out / name / f"{q}.nc") for name in names} for q in ("recognition", "consistency")}, out


def test_published_results_stand_beside_ours_as_the_paper_measures(beside, res):
    (found, _), (_, written) = beside, res
    title = "LLaMA 2 chat 7B (published)"
    table = as_published.own_accuracy(found["recognition"])
    assert list(table.columns) == ["my-model", title] and list(table.index)[-1] == "mean"
    best = [max(written["llama2-chat-7B", c][0]["fr"]["fr"].values()) for c in ("harmfulness", "morality")]
    assert table.loc["French (fr)", title] == pytest.approx(np.mean(best))
    for draw, question in ((as_published.transfer_maps, "recognition"), (as_published.cosine_maps, "consistency")):
        assert [axes.get_title() for axes in draw(found[question]).axes[:2]] == ["my-model", title]
    words = as_published.answer(**found)
    assert f"**{title}**: own accuracy" in words and "import-results" not in words and "nan" not in words
    own = {question: {"my-model": results["my-model"]} for question, results in found.items()}
    assert "xlv import-results" in as_published.answer(**own)


def test_pages_that_need_pairs_leave_published_results_out_with_a_sentence(beside, tiny_folder, monkeypatch, capsys):
    found, out = beside
    monkeypatch.setattr("xlv.edition.notebook.run_study", lambda m, _s, _o: found["recognition"][Path(m).name])
    given = {
        "models": f"{tiny_folder},llama2-chat-7b-published",
        "results": str(out),
        "profile": "quick",
        "data": "",
        "languages": "",
        "concepts": "",
        "pairs": 0,
        "protocol": "cv",
    }
    for question in ("recognition", "consistency"):
        assert list(open_results(given, question)) == [str(tiny_folder)]
        assert len(open_results(given, question, published=True)) == 2
    assert capsys.readouterr().out.count("LLaMA 2 chat 7B (published): not shown on this page") == 1
    with pytest.raises(ValueError, match="none of the models has results of its own on recognition"):
        open_results({**given, "models": "llama2-chat-7b-published"}, "recognition")


def test_published_results_are_never_computed_anew_nor_steered(beside, monkeypatch):
    found, out = beside
    monkeypatch.setattr("xlv.models.load.load_model", lambda *_a, **_k: pytest.fail("a model was loaded"))
    again = run_study("llama2-chat-7b-published", Settings(), out)
    assert again.identical(found["recognition"]["llama2-chat-7b-published"])
    assert has_published(out, "llama2-chat-7b-published")
