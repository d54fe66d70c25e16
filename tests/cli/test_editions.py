import os
from pathlib import Path

import torch

from tests.cli.command import here, refused, xlv
from tests.corpus.importers.authors import write_res
from xlv.models.presets import BOOK_MODELS
from xlv.profiles import PROFILES
from xlv.settings import Loading


def test_a_book_is_built_of_the_small_models_or_of_those_named_and_its_index_is_said(monkeypatch, tmp_path):
    built = []

    def build(models, profile, out, results, *, loading, overwrite, progress):
        built.append((models, profile, out, results, loading, overwrite))
        return out / "index.html"

    monkeypatch.setattr("xlv.edition.book.build_edition", build)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "corpus").mkdir()
    assert here("book").stdout == f"The book: {Path('build/index.html')}\n"
    given = (
        "--models",
        "a, b",
        "--profile",
        "full",
        "--data",
        "corpus",
        "--cohort",
        "first",
        "--out",
        "there",
        "--results",
        "r",
        "--seed",
        "3",
    )
    here(
        "book", *given, "--dtype", "bf16", "--template", "chat", "--device", "cpu", "--trust-remote-code", "--overwrite"
    )
    [first, second] = built
    assert first[:2] == (BOOK_MODELS, PROFILES["quick"]) and first[3:] == (None, Loading(), False)
    wanted = PROFILES["full"].changed(data="corpus", cohort="first", seed=3, dtype="bf16", template="chat")
    assert second == (("a", "b"), wanted, Path("there"), Path("r"), Loading("cpu", True), True)


def test_a_batch_s_spec_that_is_missing_is_named():
    assert "no spec at no-such.yaml" in refused(here("batch", "no-such.yaml"))


def test_imported_results_are_counted_and_where_they_lie_is_said(tmp_path):
    write_res(tmp_path / "res")
    (tmp_path / "res" / "my-model" / "morality" / "reader_dict.pk").unlink()
    done = here("import-results", tmp_path / "res", "--out", tmp_path / "out")
    assert done.stdout.splitlines() == [
        "llama2-chat-7b-published: 2 concepts, 4 languages, accuracies, cosines",
        "my-model-published: 2 concepts, 4 languages, accuracies, no vectors, so no cosines",
        f"Results: {tmp_path / 'out'}; name them among --models, with --results {tmp_path / 'out'}",
    ]


class Call:
    def __init__(self, *arguments):
        self.arguments = arguments

    def __reduce__(self):
        return os.system, self.arguments


def test_a_hostile_file_of_results_ends_in_one_line_and_leaves_nothing(tmp_path):
    folder = tmp_path / "res" / "my-model" / "morality"
    folder.mkdir(parents=True)
    torch.save({"en": Call(f"touch {tmp_path / 'ran'}")}, folder / "acc.pk")
    assert "posix.system" in refused(xlv("import-results", str(tmp_path / "res"), "--out", str(tmp_path / "out")))
    assert not (tmp_path / "ran").exists() and not (tmp_path / "out").exists()
