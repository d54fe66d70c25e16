"""Results on disk: what SCHEMA declares and nothing else, whole files, refusals in one line."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from xlv import __version__
from xlv.results import ResultsError, check, has_published, is_published, load, result_path, save
from xlv.schema import ATTRIBUTES, COORDINATES, HEADLINES, SCHEMA, VERSION, schema_page

COMMITTED = Path(__file__).parents[1] / "book" / "results"


def small(**more) -> xr.Dataset:
    """Recognition of one concept in two languages."""
    dims = ("protocol", "concept", "source", "target")
    accuracy = np.array([[0.9, 0.7], [0.6, 0.8]])[None, None]
    coords = {"protocol": ["cv"], "concept": ["morality"], "source": ["en", "fr"], "target": ["en", "fr"]}
    return xr.Dataset({"accuracy": (dims, accuracy), **more}, coords)


def refused(call, *given) -> str:
    """The message of the ResultsError that a call ends in: one line."""
    with pytest.raises(ResultsError) as found:
        call(*given)
    assert "\n" not in str(found.value)
    return str(found.value)


def test_results_are_read_as_they_were_written(tmp_path):
    path = result_path(tmp_path, "my-model", "recognition")
    assert path == tmp_path / "my-model" / "recognition.nc"
    save(small(), path, {"settings": "one", "model": "my-model"})
    found = load(path)
    np.testing.assert_allclose(found["accuracy"], small()["accuracy"], atol=1e-6)
    assert found["accuracy"].sel(source="en", target="fr").item() == pytest.approx(0.7)
    given = {"schema": VERSION, "xlv": __version__, "settings": "one", "model": "my-model"}
    assert found.attrs == dict.fromkeys(ATTRIBUTES, "") | given


def test_units_and_meanings_go_with_the_variables(tmp_path):
    path = tmp_path / "recognition.nc"
    save(small(neutral_nats=(("source", "sentence"), np.ones((2, 3)))), path, {})
    with xr.open_dataset(path) as plain:  # as a reader opens it who knows nothing of xlv
        for name, unit in (("accuracy", "share"), ("neutral_nats", "nats")):
            assert plain[name].attrs["units"] == unit
            assert plain[name].attrs["long_name"] == SCHEMA["recognition"][name].meaning


def test_numbers_are_stored_in_fp32_and_no_finer_than_declared(tmp_path):
    dims = SCHEMA["recognition"]["resampled"].dims
    values = np.random.default_rng(0).uniform(size=(50, 2, 2))
    save(small(resampled=(dims, values)), tmp_path / "recognition.nc", {})
    found = load(tmp_path / "recognition.nc")["resampled"]
    assert found.dtype == np.float32 and SCHEMA["recognition"]["resampled"].digits == 4
    assert 0 < np.abs(found.values - values).max() < 1e-4


def test_results_are_written_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "m" / "recognition.nc"
    save(small(), path, {"settings": "one"})
    monkeypatch.setattr(xr.Dataset, "to_netcdf", lambda *_a, **_k: (_ for _ in ()).throw(OSError("no space left")))
    with pytest.raises(OSError, match="no space"):
        save(small(), path, {"settings": "two"})
    assert load(path).attrs["settings"] == "one" and [f.name for f in path.parent.iterdir()] == ["recognition.nc"]


def test_a_variable_that_is_not_declared_is_refused(tmp_path):
    path = tmp_path / "recognition.nc"
    message = refused(save, small(mood=("source", [1.0, 2.0])), path, {})
    assert message == "recognition: 'mood' has dimensions ('source',), expected no such variable"
    assert not path.exists()


def test_wrong_dimensions_are_refused(tmp_path):
    turned = small().transpose("target", "source", ...)
    message = refused(save, turned, tmp_path / "recognition.nc", {})
    expected = "expected the dimensions ('protocol', 'concept', 'source', 'target')"
    assert message == f"recognition: 'accuracy' has dimensions ('target', 'source', 'protocol', 'concept'), {expected}"


def test_a_file_without_its_headline_is_refused(tmp_path):
    message = refused(check, small(group=(("concept", "pair"), [[0.0]])).drop_vars("accuracy"), "recognition")
    assert message == "recognition: no variable 'accuracy', which every such file has"


def test_questions_are_known_by_name(tmp_path):
    assert "unknown question 'weather': expected one of recognition, consistency, control" in refused(
        save, small(), tmp_path / "weather.nc", {}
    )


def test_a_file_of_an_older_schema_is_refused_with_the_script_that_converts_it(tmp_path):
    path = tmp_path / "recognition.nc"
    small().assign_attrs(schema=3, xlv="0.1.0").to_netcdf(path)  # without the seal that later ones have
    assert "scripts/convert_results.py" in refused(load, path)
    sealed(path)
    assert f"it has schema 3, expected {VERSION}" in refused(load, path)
    xr.Dataset({"x": ("a", [1.0])}).to_netcdf(path)
    sealed(path)
    assert "has schema None" in refused(load, path)


def test_a_file_that_claims_the_schema_and_holds_something_else_is_refused(tmp_path):
    path = tmp_path / "recognition.nc"
    xr.Dataset({"x": ("a", [1.0])}, attrs={"schema": VERSION}).to_netcdf(path)
    sealed(path)
    assert "expected no such variable" in refused(load, path)


def test_missing_and_damaged_files_say_what_to_do(tmp_path):
    path = tmp_path / "results" / "m" / "recognition.nc"
    assert f"no results at {path}: expected a file that `xlv run` wrote" in refused(load, path)
    save(small(), path, {})
    path.write_bytes(path.read_bytes()[:50])
    assert "take it away and run again" in refused(load, path)


def sealed(path: Path) -> None:
    """Give a file the end that results have."""
    path.write_bytes(path.read_bytes() + b"\nxlv-sha256:" + hashlib.sha256(path.read_bytes()).hexdigest().encode())


def test_a_flipped_bit_anywhere_is_found(tmp_path):
    path = tmp_path / "recognition.nc"
    save(small(), path, {})
    whole = path.read_bytes()
    for place in np.random.default_rng(0).integers(0, len(whole), 50):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 4]) + whole[place + 1 :])
        assert "damaged" in refused(load, path)
    path.write_bytes(whole)
    assert load(path).equals(load(path))


FOREIGN = {
    "not a share": (small() * 7, {}, "'accuracy' holds what is no share"),
    "text": (small().astype(str), {}, "'accuracy' holds what is no share"),
    "no languages": (small().drop_vars("source"), {}, "no coordinate for 'source'"),
    "no title": (small(), {"title": 3}, "no attribute 'title'"),
    "another question": (small().rename(accuracy="cosine"), {}, "expected no such variable"),
}


@pytest.mark.parametrize("case", FOREIGN)
def test_a_sealed_file_that_holds_something_else_is_refused(tmp_path, case):
    dataset, more, message = FOREIGN[case]
    path = tmp_path / "recognition.nc"
    about = dict.fromkeys(ATTRIBUTES, "") | {"schema": VERSION} | more
    dataset.assign_attrs(about).to_netcdf(path)
    sealed(path)
    assert message in refused(load, path)


def test_published_results_say_so_themselves(tmp_path):
    assert not has_published(tmp_path, "m")
    save(small(), tmp_path / "m" / "recognition.nc", {})
    assert not has_published(tmp_path, "m")
    save(small(), tmp_path / "m" / "recognition.nc", {"published": "the authors' repository"})
    assert has_published(tmp_path, "m") and is_published(load(tmp_path / "m" / "recognition.nc"))


@pytest.mark.parametrize("question", SCHEMA)
def test_every_variable_says_its_unit_and_meaning(question):
    assert HEADLINES[question] in SCHEMA[question]
    for name, variable in SCHEMA[question].items():
        assert name.isidentifier() and variable.dims and variable.unit and len(variable.meaning) > 10
        assert not variable.meaning.endswith(".") and "|" not in variable.unit + variable.meaning


def test_the_page_lists_every_variable_and_coordinate():
    page = schema_page()
    for question, variables in SCHEMA.items():
        section = page.split(f"{question}.nc")[1].split("\n## ")[0]
        for name, variable in variables.items():
            row = f"| `{name}` | {', '.join(variable.dims)} | {variable.unit} | {variable.meaning} |"
            assert section.count(row) == 1, name
    assert all(f"| `{name}` | {meaning} |" in page for name, meaning in (COORDINATES | ATTRIBUTES).items())


@pytest.mark.parametrize("path", sorted(COMMITTED.rglob("*.nc")), ids=lambda path: str(path.relative_to(COMMITTED)))
def test_the_book_s_results_are_of_this_schema(path):
    found = load(path)
    assert found.attrs["model"] == path.parent.name
    if "correct" in found:
        np.testing.assert_allclose(found["accuracy"], found["correct"].mean("pair"), atol=1e-6)
