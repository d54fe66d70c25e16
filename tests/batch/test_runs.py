import os
import re
import shutil

import nbformat
import pytest

from tests.cli.command import here, refused
from xlv.batch.runs import DONE, MARK, plan
from xlv.batch.spec import read_spec
from xlv.cache import file_sha256
from xlv.corpus.pairs import BUILT_IN


def planned(spec, **changes):
    return plan(read_spec(spec(**changes)))


def test_every_combination_is_a_run_but_the_excluded_ones(spec):
    runs = planned(spec)
    names = [f"{model}-seed-{seed}" for model in ("llama", "gpt2", "bloom") for seed in (0, 1)]
    assert [run.name for run in runs] == names and len({run.folder for run in runs}) == 6
    assert runs[1].parameters["seed"] == 1 and runs[1].parameters["languages"] == "en,sw"
    left = planned(spec, exclude=[{"models": "gpt2"}, {"models": "bloom", "seed": 0}])
    assert [run.name for run in left] == [names[0], names[1], names[5]]
    with pytest.raises(ValueError, match="exclude takes all of them out"):
        planned(spec, exclude=[{"seed": 0}, {"seed": 1}])


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"profile": "huge"}, "unknown profile 'huge'"),
        ({"languages": "en,xx"}, "unknown language 'xx'"),
        ({"concepts": "courage"}, "unknown concept 'courage'"),
        ({"pairs": 1}, "pairs is 1: expected .*at least 2"),
        ({"data": "nowhere"}, "no folder .*nowhere"),
    ],
)
def test_values_that_there_are_not_are_refused_before_anything_starts(spec, parameters, message):
    with pytest.raises(ValueError, match=message):
        planned(spec, parameters=parameters)


def test_unknown_models_and_two_of_one_name_are_refused(spec, repository):
    with pytest.raises(ValueError, match="unknown model 'lama'"):
        planned(spec, matrix={"models": ["lama"]})
    with pytest.raises(ValueError, match="are both llama: name each model once"):
        planned(spec, matrix={"models": ["llama", "org/llama"]})


def test_two_runs_of_one_name_are_refused(spec, repository):
    for folder in ("a/b", "a-b"):
        shutil.copytree(BUILT_IN / "morality", repository / folder / "morality")
    parameters = {"profile": "quick", "languages": "en,sw", "pairs": 8}
    for matrix, name in (
        ({"models": ["llama"], "data": ["a/b", "a-b"]}, "llama-data-a-b"),
        ({"models": ["llama", "./llama"]}, "llama"),
    ):
        with pytest.raises(ValueError, match=f"two runs are called {name}: "):
            planned(spec, matrix=matrix, parameters=parameters)


def test_more_combinations_than_anybody_runs_are_refused_at_once(spec):
    with pytest.raises(ValueError, match="has 6,003 combinations: expected at most 5,000"):
        planned(spec, matrix={"models": ["llama", "gpt2", "bloom"], "seed": list(range(2001))})


@pytest.mark.parametrize(
    ("out", "message"),
    [
        (".", "holds other things: name a folder that is new or empty"),
        ("..", "holds other things"),
        ("spec.yaml", "holds other things"),
        ("book/new", "among what the runs read: name a folder elsewhere"),
        ("notebooks/new", "among what the runs read"),
        ("corpus/new", "among what the runs read"),
        ("open", "but other users can change .*/open: name a folder of your own"),
        ("open/new", "but other users can change .*/open"),
        ("foreign/new", "but other users can change .*/foreign"),
    ],
)
def test_a_batch_has_its_folder_to_itself(spec, repository, out, message):
    shutil.copytree(BUILT_IN / "morality", repository / "corpus" / "morality")
    (repository / "open").mkdir()
    (repository / "open").chmod(0o777)
    (repository / "foreign").mkdir()
    if os.getuid() == 0:
        os.chown(repository / "foreign", 65534, 65534)
    elif "foreign" in out:
        pytest.skip("only root can give a folder to another user")
    before = sorted(repository.rglob("*"))
    path = spec(out=out, parameters={"profile": "quick", "data": "corpus", "languages": "en,sw", "pairs": 8})
    for arguments in ((), ("--dry-run",)):
        assert re.search(message, refused(here("batch", path, *arguments)))
    assert sorted({*repository.rglob("*")} - {path}) == sorted({*before} - {path})


def test_a_batch_goes_on_in_its_own_folder_and_beside_others_in_a_common_one(spec, repository):
    (repository / "common").mkdir()
    (repository / "common").chmod(0o1777)  # as /tmp is
    [*runs] = planned(spec, out="common/mine")
    runs[0].folder.mkdir(parents=True)
    with pytest.raises(ValueError, match="holds other things"):
        planned(spec, out="common/mine")
    (repository / "common" / "mine" / MARK).touch()
    assert [run.folder for run in planned(spec, out="common/mine")] == [run.folder for run in runs]


@pytest.mark.parametrize("matrix", [{"pairs": [8, 3]}, {"profile": ["quick"], "pairs": [3]}, {"seed": [0, -1]}])
def test_too_few_pairs_and_seeds_below_zero_are_refused_before_anything_starts(spec, repository, matrix):
    path = spec(matrix={"models": ["llama"], **matrix}, parameters={"concepts": "morality", "languages": "en,sw"})
    for arguments in ((), ("--dry-run",)):
        assert re.search("2 groups: expected 4 or more|whole number from 0", refused(here("batch", path, *arguments)))
    assert not (repository / "out").exists()


def stored(run):
    return run.folder / "results" / "llama" / "quick-raw-bf16" / "recognition.nc"


@pytest.fixture
def done(spec):
    """Record the first run of a spec as done."""

    def record(run, seconds=42.0):
        (run.folder.parents[1] / MARK).parent.mkdir(exist_ok=True)
        (run.folder.parents[1] / MARK).touch()
        stored(run).parent.mkdir(parents=True)
        stored(run).write_bytes(b"results")
        run.keep(seconds=seconds)
        return run

    return record


def test_a_done_run_is_known_until_anything_it_depends_on_changes(spec, done, repository):
    done(planned(spec)[0])
    assert [bool(run.record()) for run in planned(spec)] == [True] + [False] * 5
    more = planned(spec, matrix={"models": ["llama", "gpt2"], "seed": [0, 1, 2]})
    assert [bool(run.record()) for run in more] == [True] + [False] * 5  # a larger matrix keeps it
    assert not planned(spec, parameters={"profile": "quick", "languages": "en,fr", "pairs": 8})[0].record()
    notebook = nbformat.read(repository / "notebooks" / "q1_recognition.ipynb", as_version=4)
    notebook.cells[1]["source"] += "\nprint(1)"
    source = (repository / "notebooks" / "q1_recognition.ipynb").read_bytes()
    nbformat.write(notebook, repository / "notebooks" / "q1_recognition.ipynb")
    assert not planned(spec)[0].record()
    (repository / "notebooks" / "q1_recognition.ipynb").write_bytes(source)
    assert planned(spec)[0].record()
    weights = repository / "llama" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-4] + b"abcd")
    assert not planned(spec)[0].record()


def test_a_done_run_with_damaged_results_or_record_is_not_done(spec, done):
    run = done(planned(spec)[0])
    assert run.record()["files"] == {"results/llama/quick-raw-bf16/recognition.nc": file_sha256(stored(run))}
    stored(run).write_bytes(b"other")
    assert run.record() is None
    (run.folder / DONE).write_text("{")
    assert run.record() is None


def test_a_dry_run_prints_the_plan_and_starts_nothing(spec, done, repository):
    done(planned(spec)[0])
    shown = here("batch", spec(), "--dry-run")
    assert shown.exit_code == 0, shown.stderr
    assert "6 runs, 1 of them done" in shown.stdout and "gpt2-seed-1" in shown.stdout
    assert not (repository / "out" / "notebooks").exists()


def test_a_bad_spec_ends_in_one_line_with_status_2(spec):
    assert "did you mean 'retries'" in refused(here("batch", spec(retry=3)))
    assert "give one of them" in refused(here("batch", spec(), "--workers", 2, "--scheduler", "tcp://localhost:1"))
