"""Names of models: labels under which results are filed, and titles."""

import pytest

from xlv.models.advice import ModelError
from xlv.models.names import check_name, from_anywhere, models_of, named


@pytest.mark.parametrize(
    ("model", "label", "title"),
    [
        ("gemma-3-270m", "gemma-3-270m", "Gemma 3 270M (Q4_K_M)"),
        ("org/model", "model", "model"),
        ("some/folder/", "folder", "folder"),
        ("org/model@refs/pr/1", "model@refs-pr-1", "model@refs-pr-1"),
        ("models/tiny-Q4.GGUF", "tiny-Q4", "tiny-Q4"),
        ("finetuned/gemma-3-270m", "finetuned-gemma-3-270m", "finetuned-gemma-3-270m"),
        ("someone/gemma-3-270m@v1", "someone-gemma-3-270m@v1", "someone-gemma-3-270m@v1"),
        ("base=gemma-3-270m", "base", "base"),
        ("tuned=a/b/checkpoint-500", "tuned", "tuned"),
        ("v2=org/model@main", "v2", "v2"),
        ("gemma-3-270m=gemma-3-270m", "gemma-3-270m", "Gemma 3 270M (Q4_K_M)"),
    ],
)
def test_results_are_filed_under_a_label(model, label, title):
    found = named(model)
    assert (found.label, found.title) == (label, title)
    assert (found.preset is not None) == (found.name == "gemma-3-270m")


def test_a_folder_above_or_here_has_the_name_that_it_has(tmp_path, monkeypatch):
    (tmp_path / "mine" / "deeper").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "mine" / "deeper")
    assert [named(model).label for model in (".", "..", "../.", "../deeper/", "../deeper/..")] == [
        "deeper",
        "mine",
        "mine",
        "deeper",
        "mine",
    ]
    with pytest.raises(ModelError, match=r"'/' has no name .* as in label=/"):
        named("/")


def test_a_path_with_an_at_sign_has_no_revision(tmp_path):
    (tmp_path / "model@home").mkdir()
    found = named(str(tmp_path / "model@home"))
    assert (found.label, found.name, found.revision) == ("model@home", str(tmp_path / "model@home"), None)


def test_a_path_with_an_equals_sign_is_a_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert named("lr=1e-4").name == "1e-4"
    (tmp_path / "lr=1e-4").mkdir()
    assert (named("lr=1e-4").name, named("lr=1e-4").label) == ("lr=1e-4", "lr=1e-4")


@pytest.mark.parametrize("model", ["=x", "a/b=x", "..=x", "x=", "smollm2-135m=gemma-3-270m", "smollm2-135m=org/other"])
def test_a_label_that_will_not_do_is_refused(model):
    with pytest.raises(ModelError, match="expected label=model"):
        named(model)


def test_two_models_of_one_label_are_refused():
    assert models_of("org/a, one=org/b,two=other/b") == ("org/a", "one=org/b", "two=other/b")
    assert models_of(("a", "b")) == ("a", "b")
    for models, message in (
        (
            "a/checkpoint-500,b/checkpoint-500",
            "a/checkpoint-500 and b/checkpoint-500 are both checkpoint-500: .* new=b/",
        ),
        ("org/a,org/a", "org/a is given twice"),
        (" , ", "no model is named"),
        (135, "models are 135, expected names; papermill's -p"),
        ([1], "expected names"),
    ):
        with pytest.raises(ModelError, match=message):
            models_of(models)


def test_a_folder_s_name_means_the_same_from_anywhere(tiny_folder, monkeypatch, tmp_path):
    monkeypatch.chdir(tiny_folder.parent)
    whole = from_anywhere(tiny_folder.name)
    monkeypatch.chdir("/")
    assert named(whole).label == tiny_folder.name and check_name(whole).path == tiny_folder.resolve()
    assert whole == str(tiny_folder)
    for name in ("my model", ".hidden", "lr=1e-4"):
        (tmp_path / name).symlink_to(tiny_folder)
        moved = check_name(from_anywhere(f"./{name}", tmp_path))
        assert (moved.label, moved.path) == (name, tmp_path / name)
        assert named(from_anywhere(f"new={name}", tmp_path)).label == "new"
    (tmp_path / "a,b").mkdir()
    with pytest.raises(ModelError, match="a,b has a comma, which separates models"):
        from_anywhere("a,b", tmp_path)
    assert from_anywhere("gemma-3-270m") == "gemma-3-270m" and from_anywhere("org/model@v1") == "org/model@v1"


@pytest.mark.parametrize("name", ["~no-such-user/x", "x=~no-such-user/x", "~no-such-user/x=y", "a@~no-such-user/x"])
def test_the_home_of_nobody_is_no_model(name):
    with pytest.raises(ModelError, match="unknown model|expected label=model|names no revision"):
        check_name(name)
