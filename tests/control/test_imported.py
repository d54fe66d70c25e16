"""Question 4 on instructions that were imported, in a language whose openings the user brings."""

from dataclasses import replace

import numpy as np
import pytest

from tests.corpus.importers.test_recipes import exams
from tests.test_openings import GERMAN, write
from tests.test_study import CONTROL
from xlv.corpus.importers.recipes import convert
from xlv.corpus.pairs import CorpusError
from xlv.profiles import profile_of
from xlv.study import control_texts, run_control


@pytest.fixture
def corpus(tmp_path):
    files = tmp_path / "files"
    files.mkdir()
    exams(files, ["en", "de"])
    exams(files, ["en", "de"], "test", range(500, 506))
    convert("polyrefuse", files, tmp_path / "corpus")
    return tmp_path / "corpus"


def test_imported_instructions_are_asked_and_results_depend_on_the_openings_of_the_folder(
    tiny_folder, corpus, tmp_path
):
    place, settings = write(corpus, GERMAN), replace(CONTROL, data=str(corpus), targets=("en", "de"))
    assert profile_of("quick", data=str(corpus)).control.targets == ("en", "de")
    found = run_control(str(tiny_folder), settings, tmp_path / "out")
    assert list(found["target"].values) == ["en", "de"] and found["score"].isel(condition=0).notnull().all()
    assert (found["outcome"].isel(condition=0) >= 0).all()
    place.write_text(GERMAN.replace("Klar, hier ist", "Gern, das ist"), encoding="utf-8")
    other = run_control(str(tiny_folder), settings, tmp_path / "out")
    assert other.attrs["stamp"] != found.attrs["stamp"]
    plain = [dataset["score"].isel(condition=0).sel(target="en") for dataset in (found, other)]
    np.testing.assert_allclose(*plain, atol=1e-5)  # of German, one long opening among short ones moves next to nothing


def test_a_language_without_openings_is_left_out_with_a_word_or_refused_before_anything_is_computed(corpus):
    profile = profile_of("quick", data=str(corpus))
    assert profile.control.targets == ("en",)
    assert profile.notes() == [
        "question 4 is asked in en only: no openings of refusals are known in de, give them in "
        f"{corpus / 'control' / 'openings.yaml'}"
    ]
    with pytest.raises(ValueError, match="no refusal openings for the language 'de'"):
        control_texts(replace(CONTROL, data=str(corpus), targets=("de",)))


def test_an_instruction_that_stands_in_a_pair_is_refused(corpus):
    path = corpus / "harmfulness" / "en.tsv"
    asked = (corpus / "control" / "en.tsv").read_text(encoding="utf-8").splitlines()[1].split("\t")[-1]
    rows = path.read_text(encoding="utf-8").splitlines()
    rows[1] = "\t".join([*rows[1].split("\t")[:-1], asked])
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    with pytest.raises(CorpusError, match=r"^a text stands in harmfulness/en\.tsv and in the control set: "):
        control_texts(replace(CONTROL, data=str(corpus), targets=("en",)))
