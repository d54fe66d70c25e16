import nbformat
import pytest

from tests.cli.command import xlv
from xlv.batch.runs import DONE, estimate, parameter_count, plan
from xlv.batch.spec import read_spec
from xlv.cache import file_sha256


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
        ({"pairs": 1}, "pairs is 1: expected at least 2"),
        ({"data": "nowhere"}, "no folder nowhere"),
    ],
)
def test_values_that_there_are_not_are_refused_before_anything_starts(spec, parameters, message):
    with pytest.raises(ValueError, match=message):
        planned(spec, parameters=parameters)


def test_unknown_models_and_two_of_one_name_are_refused(spec, repository):
    with pytest.raises(ValueError, match="unknown model 'lama'"):
        planned(spec, matrix={"models": ["lama"]})
    with pytest.raises(ValueError, match="under one name: rename one"):
        planned(spec, matrix={"models": ["llama", "org/llama"]})


def stored(run):
    return run.folder / "results" / "llama" / "recognition.nc"


@pytest.fixture
def done(spec):
    """Record the first run of a spec as done."""

    def record(run, seconds=42.0):
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
    notebook = nbformat.read(repository / "notebooks" / "short.ipynb", as_version=4)
    notebook.cells[1]["source"] += "\nprint(1)"
    source = (repository / "notebooks" / "short.ipynb").read_bytes()
    nbformat.write(notebook, repository / "notebooks" / "short.ipynb")
    assert not planned(spec)[0].record()
    (repository / "notebooks" / "short.ipynb").write_bytes(source)
    assert planned(spec)[0].record()
    weights = repository / "llama" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-4] + b"abcd")
    assert not planned(spec)[0].record()


def test_a_done_run_with_damaged_results_or_record_is_not_done(spec, done):
    run = done(planned(spec)[0])
    assert run.record()["files"] == {"results/llama/recognition.nc": file_sha256(stored(run))}
    stored(run).write_bytes(b"other")
    assert run.record() is None
    (run.folder / DONE).write_text("{")
    assert run.record() is None


def test_a_dry_run_prints_the_plan_and_starts_nothing(spec, done, repository):
    done(planned(spec)[0])
    shown = xlv("batch", str(spec()), "--dry-run")
    assert shown.returncode == 0, shown.stderr
    assert "6 runs, 1 of them done" in shown.stdout and "gpt2-seed-1" in shown.stdout and "0.1 M" in shown.stdout
    assert "0:00:42" in shown.stdout and "the same run before" in shown.stdout
    assert not (repository / "out" / "notebooks").exists()


def test_a_bad_spec_ends_in_one_line_with_status_2(spec):
    done = xlv("batch", str(spec(retry=3)))
    assert done.returncode == 2 and "did you mean 'retries'" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    both = xlv("batch", str(spec()), "--workers", "2", "--scheduler", "tcp://localhost:1")
    assert both.returncode == 2 and "give one of them" in both.stderr


@pytest.mark.parametrize(
    ("model", "count"),
    [
        ("smollm2-135m", 135e6),
        ("qwen2.5-coder-0.5b", 0.5e9),
        ("bloomz-7b1", 7.1e9),
        ("qwen-chat-1.8b", 1.8e9),
        ("llama2-chat-70b", 70e9),
        ("org/model-7b-v2@main", 7e9),
        ("org/model", None),
        ("org/v2", None),
    ],
)
def test_the_size_of_a_model_is_read_from_its_name(model, count):
    assert parameter_count(model) == count


def test_the_size_of_a_folder_is_read_from_its_weights(tiny_folder, tiny):
    assert parameter_count(str(tiny_folder)) == tiny("llama").network.num_parameters()


def test_time_is_estimated_from_the_same_run_before_else_from_the_work_at_a_fixed_rate(spec, done):
    runs = planned(spec)
    fresh, _ = estimate(runs)["llama-seed-0"]
    assert fresh == pytest.approx(10 + 2 * parameter_count(runs[0].model) * runs[0].tokens / 3e10)
    done(runs[0])
    found = estimate(runs)
    assert found["llama-seed-0"] == found["llama-seed-1"] == (42.0, "the same run before")
    assert "tokens" in found["gpt2-seed-0"][1] and found["gpt2-seed-0"][0] > 10


def test_question_4_adds_its_prompts_and_completions_to_the_tokens(spec, repository):
    nbformat.write(
        nbformat.read(repository / "notebooks" / "short.ipynb", 4), repository / "notebooks/q4_control.ipynb"
    )
    asked, more = (planned(spec, notebooks=names)[0].tokens for names in (["short"], ["short", "q4_control"]))
    assert more == asked + 2 * 3 * 8 * 2 * (25 + 24)


def test_where_nothing_tells_the_time_no_time_is_told(spec):
    [run] = planned(spec, matrix={"models": ["org/model"]})
    assert estimate([run])["model"] == (None, "unknown size of model")
