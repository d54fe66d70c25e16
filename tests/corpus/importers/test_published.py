import builtins
import os
import pickle
import subprocess
import sys

import numpy as np
import pytest
import torch

from tests.corpus.importers.authors import LANGUAGES, WIDTH, authors_module, reader_of, write_res
from xlv.corpus.importers.published import read_inert, read_results
from xlv.questions.consistency.cosines import cosines
from xlv.results import ResultsError, check


@pytest.fixture
def res(tmp_path):
    """The authors' folder, and what was written into it."""
    return tmp_path / "res", write_res(tmp_path / "res")


def test_every_accuracy_and_cosine_comes_over(res):
    folder, written = res
    found = read_results(folder)
    assert [model.folder for model in found] == ["llama2-chat-7B", "my-model"]
    for model in found:
        check(model.recognition, "recognition")
        check(model.consistency, "consistency")
        assert model.recognition["accuracy"].dims == ("protocol", "concept", "source", "target")
        for concept in ("harmfulness", "morality"):
            acc, directions = written[model.folder, concept]
            for source in LANGUAGES:
                for target in LANGUAGES:
                    cell = model.recognition.sel(protocol="paper", concept=concept, source=source, target=target)
                    expected = list(acc[source][target].values())
                    np.testing.assert_allclose(cell["accuracy_by_layer"], expected, atol=1e-6)
                    assert cell["accuracy"] == max(expected)
                    assert expected[int(cell["chosen_layer"]) - 1] == max(expected)
            vectors = np.stack([directions[code][2][0] for code in LANGUAGES]).astype(float)[:, None]
            expected = cosines(vectors[:, 0])
            alike = model.consistency["cosine"].sel(concept=concept, layer=2)
            np.testing.assert_allclose(alike, expected, atol=1e-3)


def test_concepts_whose_languages_come_in_another_order_are_put_in_one(res):
    folder, written = res
    acc, path = written["my-model", "morality"][0], folder / "my-model" / "morality" / "acc.pk"
    turned = {source: dict(reversed(acc[source].items())) for source in reversed(acc)}
    before = read_results(folder / "my-model")[0].recognition
    torch.save(turned, path)
    assert read_results(folder / "my-model")[0].recognition.equals(before)
    torch.save({"en": {"en": acc["en"]["en"]}}, path)
    with pytest.raises(ResultsError, match=r"morality/acc\.pk does not have the languages and layers of .*harmfulness"):
        read_results(folder)


def test_one_model_s_folder_without_vectors_has_no_cosines(res):
    folder, _ = res
    (folder / "my-model" / "morality" / "reader_dict.pk").unlink()
    [model] = read_results(folder / "my-model")
    assert model.folder == "my-model" and model.consistency is None
    assert len(read_results(folder)) == 2


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
        read_results(folder)
    assert not marker.exists()
    assert "repe" not in sys.modules


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
    yield "dictionary by language codes", {}


@pytest.mark.parametrize("number", range(9))
def test_accuracies_of_another_form_are_refused(res, number):
    folder, written = res
    message, value = list(bad_accuracy(written["my-model", "morality"][0]))[number]
    torch.save(value, folder / "my-model" / "morality" / "acc.pk")
    with pytest.raises(ResultsError, match=message):
        read_results(folder)


@pytest.mark.parametrize("kind", ["tensor", "no reader", "width", "zero", "language", "layers"])
def test_vectors_of_another_form_are_refused(res, kind):
    folder, _ = res
    generator = np.random.default_rng(1)
    with authors_module() as module:
        value = {code: reader_of(module, generator) for code in LANGUAGES}
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
        if kind == "layers":
            del value["sw"].directions[3]
        torch.save(value, folder / "my-model" / "morality" / "reader_dict.pk")
    with pytest.raises(ResultsError, match="expected|length zero|lacks the language"):
        read_results(folder)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
def test_a_truncated_file_gives_one_clear_error(res, share):
    folder, _ = res
    path = folder / "my-model" / "morality" / "acc.pk"
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(ResultsError, match="damaged or was not written by torch.save"):
        read_inert(path)


def test_a_folder_without_results_says_what_is_expected(tmp_path):
    with pytest.raises(ResultsError, match=r"acc\.pk"):
        read_results(tmp_path)
