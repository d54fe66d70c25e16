"""Stored results that are damaged, foreign or other than they should be, from seeds: refused in one line or read."""

import hashlib
import os
import random
from collections.abc import Callable

import netCDF4
import numpy as np
import pytest
import xarray as xr

from tests.control.measured import found as controlled  # noqa: F401 (a fixture)
from tests.questions.conftest import results as read  # noqa: F401 (a fixture)
from xlv.results import ResultsError, load, save
from xlv.schema import ATTRIBUTES, HEADLINES, SCHEMA, VERSION

pytestmark = pytest.mark.fuzz
SEAL = b"\nxlv-sha256:"
NUMBERED = {"shuffle", "draw", "resample", "sentence", "prompt", "response_prompt"}  # from 0 or 1
NUMBERED |= {"pair", "opening", "window", "block", "sign", "half", "half_block"}


def sealed(content: bytes) -> bytes:
    """Bytes with the end that results have."""
    return content + SEAL + hashlib.sha256(content).hexdigest().encode()


@pytest.fixture(scope="module")
def sound(read, controlled, tmp_path_factory) -> dict[str, tuple[xr.Dataset, bytes]]:  # noqa: F811
    """What was stored of each question and the file's bytes."""
    folder, kept = tmp_path_factory.mktemp("sound"), {}
    for question, dataset in {**read, "control": controlled["chat"]}.items():
        save(dataset, folder / f"{question}.nc", {"title": "A model", "model": "m"})
        kept[question] = load(folder / f"{question}.nc"), (folder / f"{question}.nc").read_bytes()
    return kept


def refused_in_one_line(call: Callable, *given) -> bool:
    with pytest.raises(ResultsError) as error:
        call(*given)
    return 10 < len(str(error.value)) and "\n" not in str(error.value)


def test_results_cut_short_lengthened_or_changed_are_refused(sound, tmp_path, runs):
    for seed in range(runs(2_000, sample=90)):
        dice = random.Random(seed)
        question = dice.choice([*sound])
        whole, path = sound[question][1], tmp_path / f"{question}.nc"
        place, fault = dice.randrange(len(whole)), dice.choice(("cut", "append", "flip", "put in", "lose", "zeros"))
        content = {
            "cut": whole[:place],
            "append": whole + dice.choice((b"\0", b"\n", whole, SEAL, dice.randbytes(9))),
            "flip": whole[:place] + bytes([whole[place] ^ 1 << dice.randrange(8)]) + whole[place + 1 :],
            "put in": whole[:place] + dice.randbytes(dice.randint(1, 9)) + whole[place:],
            "lose": whole[:place] + whole[place + dice.randint(1, 99) :],
            "zeros": whole[: place & ~511] + bytes(len(whole) - (place & ~511)),  # a disk that died
        }[fault]
        path.write_bytes(content)
        assert refused_in_one_line(load, path), f"seed {seed}: {fault}"


def named_dims(dataset: xr.Dataset) -> list[str]:
    return [str(dim) for dim in dataset.dims if dim not in NUMBERED]


def variable(dice: random.Random, dataset: xr.Dataset) -> str:
    """A variable that has values, as far as this dataset measured any."""
    return dice.choice([str(name) for name, array in dataset.data_vars.items() if array.size])


def poorer(dice: random.Random, question: str, dataset: xr.Dataset) -> xr.Dataset:
    """The dataset without some of what results may lack."""
    spare = [name for name in dataset.data_vars if name != HEADLINES[question]]
    return dataset.drop_vars(dice.sample(spare, dice.randint(1, len(spare))))


def lacks_headline(_dice, question, dataset):
    return dataset.drop_vars(HEADLINES[question])


def renamed(dice, question, dataset):
    other = [name for of in SCHEMA for name, variable in SCHEMA[of].items() if of != question]
    name = dice.choice(["", "x", "Accuracy", "ação", dice.choice(other)])
    array = dataset[variable(dice, dataset)]
    found = dataset.drop_vars(array.name).assign({name: array}) if name else dataset.assign(_x=array)
    return None if name in SCHEMA[question] else found


def turned(dice, _question, dataset):
    array = dataset[name := variable(dice, dataset)]
    return dataset.assign({name: array.transpose(*reversed(array.dims))}) if array.ndim > 1 else None


def flattened(dice, _question, dataset):
    array = dataset[name := variable(dice, dataset)]
    return dataset.assign({name: array.isel({array.dims[-1]: 0}, drop=True)})


def of_text(dice, _question, dataset):
    array = dataset[name := variable(dice, dataset)]
    return dataset.assign({name: array.astype(str)})


def no_share(dice, question, dataset):
    names = [str(n) for n, a in dataset.data_vars.items() if SCHEMA[question][n].unit == "share" and a.size]
    if not names:
        return None
    array = dataset[name := dice.choice(names)].astype(float).copy(deep=True)
    array.values.flat[dice.randrange(array.size)] = dice.choice((np.inf, -np.inf, -1.0, 1.5, 1e30))
    return dataset.assign({name: array})


def without_names(dice, _question, dataset):
    return dataset.drop_vars(dice.choice(named_dims(dataset)))


def names_twice(dice, _question, dataset):
    dims = [dim for dim in named_dims(dataset) if dataset.sizes[dim] > 1]
    values = dataset[dim := dice.choice(dims)].values.copy()
    values[-1] = values[0]
    return dataset.assign_coords({dim: values})


def numbers_for_names(dice, _question, dataset):
    dims = [dim for dim in named_dims(dataset) if dataset[dim].dtype.kind not in "if"]
    return dataset.assign_coords({(dim := dice.choice(dims)): np.arange(dataset.sizes[dim])})


def names_for_numbers(dice, _question, dataset):
    dims = [dim for dim in named_dims(dataset) if dataset[dim].dtype.kind in "if"]
    return dataset.assign_coords({(dim := dice.choice(dims)): dataset[dim].values.astype(str)}) if dims else None


def not_said_what_was_done(dice, question, dataset):
    done = ("method", "direction", "source", "concept")
    return dataset.drop_vars(dice.choice(done)) if question == "control" else None


def other_attribute(dice, _question, dataset):
    return dataset.assign_attrs({dice.choice([*ATTRIBUTES]): dice.choice((3, 0.5, [1, 2], np.nan))})


def lost_attribute(dice, _question, dataset):
    found = dataset.copy()
    del found.attrs[dice.choice([*ATTRIBUTES])]
    return found


def other_schema(dice, _question, dataset):
    return dataset.assign_attrs(schema=dice.choice((VERSION - 1, VERSION + 1, str(VERSION), "", np.nan, [VERSION] * 2)))


def of_somebody_else(dice, _question, _dataset):
    attrs = dice.choice(({}, {"schema": VERSION}, dict.fromkeys(ATTRIBUTES, "") | {"schema": VERSION}))
    return xr.Dataset({dice.choice(("t2m", "x")): (("lat", "lon"), np.ones((2, 3)))}, attrs=attrs)


def of_nothing(_dice, _question, dataset):
    return xr.Dataset(attrs=dataset.attrs)


# What a question's results cannot be is None: those without shares cannot hold what is no share.
REFUSED = (
    lacks_headline,
    renamed,
    turned,
    flattened,
    of_text,
    no_share,
    without_names,
    names_twice,
    numbers_for_names,
    names_for_numbers,
    not_said_what_was_done,
    other_attribute,
    lost_attribute,
    other_schema,
    of_somebody_else,
    of_nothing,
)


def test_sealed_results_that_are_other_than_they_should_be_are_refused(sound, tmp_path, runs):
    tried = dict.fromkeys(REFUSED, 0)
    for seed in range(runs(600, sample=64)):
        dice, change = random.Random(seed), REFUSED[seed % len(REFUSED)]
        question = dice.choice([*sound])
        dataset = change(dice, question, sound[question][0].copy(deep=True))
        if dataset is None:  # no results of this question can be such
            continue
        path = tmp_path / f"{question}.nc"
        path.write_bytes(sealed(written(dataset, path)))
        assert refused_in_one_line(load, path), f"seed {seed}: {change.__name__}"
        tried[change] += 1
    assert all(tried.values())


def written(dataset: xr.Dataset, path) -> bytes:
    for array in dataset.variables.values():
        array.encoding = {}
    dataset.to_netcdf(path, engine="netcdf4")
    return path.read_bytes()


def test_sealed_results_that_lack_what_they_may_lack_are_read(sound, tmp_path, runs):
    for seed in range(runs(150, sample=9)):
        dice = random.Random(seed)
        question = dice.choice([*sound])
        dataset = poorer(dice, question, sound[question][0].copy(deep=True))
        path = tmp_path / f"{question}.nc"
        path.write_bytes(sealed(written(dataset, path)))
        assert load(path).identical(dataset), f"seed {seed}"


def test_sealed_results_of_another_question_are_refused(sound, tmp_path):
    for question in sound:
        for name in {*sound, "weather", "x y"} - {question}:
            path = tmp_path / f"{name}.nc"
            path.write_bytes(sound[question][1])
            assert refused_in_one_line(load, path), (question, name)


def test_sealed_bytes_that_hold_no_results_are_refused(sound, tmp_path, runs):
    path = tmp_path / "recognition.nc"
    with netCDF4.Dataset(tmp_path / "other.nc", "w") as file:  # all that it holds is deeper
        file.createGroup("deep").schema = VERSION
    deep = (tmp_path / "other.nc").read_bytes()
    magic = (b"", b"\x89HDF\r\n\x1a\n", b"CDF\x01", b"CDF\x02", b"CDF\x05", b"PK\x03\x04", b"GIF89a")
    for seed in range(runs(200, sample=30)):
        dice = random.Random(seed)
        content = dice.choice(magic) + dice.randbytes(dice.choice((0, 1, 40, 4000)))
        path.write_bytes(sealed(dice.choice((content, deep))))
        assert refused_in_one_line(load, path), f"seed {seed}"


@pytest.mark.parametrize("kind", ["nothing", "empty", "a folder", "a pipe", "a socket", "a link to itself", "a device"])
def test_what_is_no_file_of_results_is_refused_at_once(tmp_path, kind):
    path = tmp_path / "recognition.nc"
    if kind == "empty":
        path.touch()
    elif kind == "a folder":
        path.mkdir()
    elif kind == "a pipe":
        os.mkfifo(path)
    elif kind == "a socket":
        os.mknod(path, 0o140644)
    elif kind == "a link to itself":
        path.symlink_to(path)
    elif kind == "a device":
        path.symlink_to("/dev/zero")
    assert refused_in_one_line(load, path)


@pytest.mark.parametrize("name", ["", ".", "..", "/", "x\0.nc", "~nobody/x.nc", "x" * 5000, "\ud800.nc"])
def test_paths_that_name_no_results_are_refused(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    assert refused_in_one_line(load, name)
