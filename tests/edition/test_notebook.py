"""What notebooks call: parameters that are checked, results that are found."""

import shutil

import nbformat
import papermill
import pytest
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from xlv.archive import place
from xlv.edition import notebook
from xlv.edition.notebook import check_parameters, open_ledger, open_results
from xlv.questions.claims.ledger import CLAIMS
from xlv.questions.claims.verdicts import OF_TWO
from xlv.results import ResultsError, load, save

OWN = 'models = "a"  # names\nprofile: str = "full"\npairs = 0\nprotocol = "cv"'


@pytest.fixture
def cells(monkeypatch):
    """Run cells one after the other as a notebook would: `cells("x = 1", "y = 2")`."""
    shell = InteractiveShell(config=Config({"HistoryManager": {"enabled": False}}))
    monkeypatch.setattr(notebook, "get_ipython", lambda: shell)

    def run(*sources: str) -> None:
        for source in sources:
            shell.run_cell(source, store_history=True)

    return run


def test_what_papermill_hands_over_is_compared_with_the_parameters_cell(cells):
    cells(OWN, '# Parameters\nmodels = "b"\npairs = 8\n')
    check_parameters()
    cells(OWN, '# Parameters\nmodel = "b"\n')
    with pytest.raises(
        ValueError, match="unknown parameter 'model': this notebook has models, profile, pairs, protocol"
    ):
        check_parameters()


def test_a_reader_s_variables_do_no_harm(cells):
    cells(OWN, "alpha = 0.3", "model = 'mine'  # not handed over by papermill")
    check_parameters()
    cells("beta = 1", "no Python at all", "%lsmagic")
    check_parameters()


def test_papermill_s_cell_can_be_run_again_at_any_time(cells):
    cells(OWN, '# Parameters\nmodels = "b"', "alpha = 0.3", '# Parameters\nmodels = "c"\npairs = 8')
    check_parameters()
    cells("# Parameters\npair = 8")
    with pytest.raises(ValueError, match="unknown parameter 'pair'"):
        check_parameters()


def test_a_protocol_is_cv_or_paper(cells):
    cells(OWN, '# Parameters\nprotocol = "best"')
    with pytest.raises(ValueError, match="'protocol' is 'best': choose cv or paper"):
        check_parameters()


def test_outside_a_notebook_there_is_nothing_to_check():
    check_parameters()


def test_stored_results_are_shown_whatever_their_size_and_nothing_is_computed(studied, monkeypatch):
    for name in ("run_study", "run_control"):
        monkeypatch.setattr(notebook, name, lambda *_a, **_k: pytest.fail("something was computed"))
    for question in ("recognition", "consistency", "control"):
        found = open_results("my-model", question, results=str(studied), profile="stored")
        assert found["my-model"].identical(load(studied / "my-model" / f"{question}.nc"))
    with pytest.raises(ResultsError, match="no results at .*other/recognition.nc"):
        open_results("other", "recognition", results=str(studied), profile="stored")
    assert open_results("other", "control", results=str(studied), profile="stored") == {}


def test_one_model_at_least_is_named():
    with pytest.raises(ValueError, match="no model is named"):
        open_results(" , ", "recognition")


def test_the_reference_results_are_shown_where_no_other_size_is_asked_for(monkeypatch, tmp_path):
    asked = []
    monkeypatch.setattr(notebook, "run_study", lambda model, settings, out, **_how: asked.append((model, out)))
    found = open_results("smollm2-135m", "recognition")
    assert found["smollm2-135m"].attrs["model"] == "smollm2-135m" and asked == []
    others = ({"pairs": 8}, {"dtype": "bf16"}, {"template": "llama2"}, {"seed": 1}, {"profile": "quick"})
    for changed in (*others, {"cohort": "first"}, {"template": "chat", "seed": 1}):
        with pytest.raises(ResultsError, match="no results"):
            open_results("smollm2-135m", "recognition", **changed)
    assert asked == [("smollm2-135m", tmp_path / "cache" / "results")] * 7


def test_the_chat_reading_of_the_reference_lies_beside_the_raw_one(monkeypatch, tmp_path):
    reference, asked, model = tmp_path / "reference", [], "qwen2.5-coder-0.5b"
    shutil.copytree(notebook._reference() / model, reference / model)
    raw = load(reference / model / "recognition.nc")
    about = {key: value for key, value in raw.attrs.items() if key not in ("schema", "xlv")}
    save(raw, reference / model / "chat" / "recognition.nc", about | {"template": "chat"})
    monkeypatch.setattr(notebook, "_reference", lambda: reference)
    monkeypatch.setattr(notebook, "run_study", lambda model, *_a, **_k: asked.append(model))
    for template in ("", "chat"):
        assert open_results(model, "recognition", template=template)[model].attrs["template"] == (template or "raw")
        assert open_results(model, "control", template=template)[model].attrs["model"] == model
    shutil.rmtree(reference / model / "chat")
    with pytest.raises(ResultsError, match="no results"):
        open_results(model, "recognition", template="chat")
    assert asked == [model]


@pytest.mark.parametrize("name", ["finetuned/gemma-3-270m", "someone/gemma-3-270m", "mine=org/other"])
def test_another_model_of_a_reference_s_name_has_results_of_its_own(monkeypatch, name):
    asked = []
    monkeypatch.setattr(notebook, "run_study", lambda model, *_a, **_k: asked.append(model))
    with pytest.raises(ResultsError, match="no results at"):
        open_results(name, "recognition")
    assert asked == [name]


def test_reference_results_of_other_weights_are_not_shown(monkeypatch):
    monkeypatch.setattr(notebook, "identity", lambda _model: "0" * 16)
    monkeypatch.setattr(notebook, "run_study", lambda *_a, **_k: None)
    with pytest.raises(ResultsError, match="no results at"):
        open_results("gemma-3-270m", "recognition")


def test_a_question_is_known_by_its_name():
    with pytest.raises(ValueError, match="unknown question 'weather': choose one of recognition, consistency, control"):
        open_results("gemma-3-270m", "weather")


def test_a_question_that_the_reference_did_not_ask_of_a_model_is_left_out():
    found = open_results("smollm2-135m,qwen2.5-coder-0.5b", "control")
    assert list(found) == ["qwen2.5-coder-0.5b"]


def test_what_is_not_there_is_computed_once(studied, tmp_path, monkeypatch):
    def study(model, settings, folder, **_how):
        shutil.copytree(studied / "my-model", place(model, settings, folder))

    monkeypatch.setattr(notebook, "run_study", study)
    given = {"results": str(tmp_path / "out"), "profile": "quick"}
    assert list(open_results("my-model", "consistency", **given)) == ["my-model"]


@pytest.fixture
def published(studied, tmp_path):
    """A folder with results of our own and results that the authors published, without vectors."""
    shutil.copytree(studied, tmp_path / "results")
    theirs = load(studied / "my-model" / "recognition.nc")[["accuracy"]]
    theirs = theirs.drop_attrs(deep=False).drop_vars([name for name in theirs.coords if name not in theirs.dims])
    save(theirs, tmp_path / "results" / "theirs" / "recognition.nc", {"title": "Theirs (published)", "published": "x"})
    return {"results": str(tmp_path / "results"), "profile": "stored"}


def test_pages_that_need_pairs_leave_published_results_out_with_a_sentence(published, capsys):
    notebook._leave_out.cache_clear()
    for question in ("recognition", "consistency"):
        assert list(open_results("my-model,theirs", question, **published)) == ["my-model"]
    assert capsys.readouterr().out.count("Theirs (published): not shown on this page") == 1
    assert list(open_results("my-model,theirs", "recognition", published=True, **published)) == ["my-model", "theirs"]
    assert list(open_results("my-model,theirs", "consistency", published=True, **published)) == ["my-model"]
    with pytest.raises(ValueError, match="none of the models has results of its own on recognition"):
        open_results("theirs", "recognition", **published)


def test_the_ledger_judges_every_claim_of_every_model_from_results_on_disk(studied):
    found = open_ledger("my-model", results=str(studied), profile="stored")
    assert found.titles == {"my-model": "my-model"} and found.unjudged == []
    assert set(found.verdicts["claim"]) == set(CLAIMS) - {*OF_TWO}
    assert set(found.verdicts["concept"]) == {"morality", "fairness", "harmfulness"}  # of claim 8 the last


def test_progress_in_a_notebook_is_one_line_that_is_gone_at_the_end(tmp_path):
    """As a kernel shows it: what was printed before stays out of it, and the page keeps nothing."""
    cells = ["from xlv.edition.notebook import _live", CELL]
    made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    made.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(made, tmp_path / "in.ipynb")
    ran = papermill.execute_notebook(tmp_path / "in.ipynb", tmp_path / "out.ipynb", progress_bar=False)
    assert [output.get("text") for output in ran.cells[1].outputs] == ["at the end\n"]


CELL = """
import time
with _live() as progress:
    for done in (0, 1, 2):
        progress("reading", done, 2)
        time.sleep(0.7)
print("at the end")
"""
