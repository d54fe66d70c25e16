import re
from dataclasses import replace
from pathlib import Path

import pytest

from tests.cli.command import here, refused, xlv
from tests.corpus.written import write
from xlv.models.presets import PRESETS
from xlv.models.vectors import ConceptVectors


def test_models_are_listed_with_licence_and_hub_id():
    shown = here("models").stdout
    for word in ("smollm2-135m", "bigscience/bloomz-7b1", "Gemma terms of use", "meta-llama/Llama-2-70b-chat-hf"):
        assert word in shown


def test_names_and_hub_ids_stay_whole_on_a_terminal_of_80_columns():
    shown = xlv("models", FORCE_COLOR="1", NO_COLOR="1", COLUMNS="80").stdout
    assert max(map(len, re.sub(r"\x1b\[[0-9;]*m", "", shown).splitlines())) <= 80
    assert all(preset.name in shown and preset.hub in shown for preset in PRESETS.values())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("run", "no-such-model"), "unknown model 'no-such-model': give a name that `xlv models` lists"),
        (("run", "smollm2-135m", "--languages", "xx"), "unknown language 'xx'"),
        (("run", "smollm2-135m", "--concepts", "courage"), "unknown concept 'courage'"),
        (("run", "smollm2-135m", "--protocol", "best"), "unknown protocol 'best'"),
        (("run", "smollm2-135m", "--profile", "huge"), "unknown profile 'huge'"),
        (("run", "smollm2-135m", "--data", "no-such-folder"), "no folder no-such-folder"),
        (("run", "smollm2-135m", "--revision", "main"), "smollm2-135m has no revisions"),
        (("run", "smollm2-135m", "--device", "gpu"), "unknown device 'gpu'"),
        (("run", "smollm2-135m", "--dtype", "int8"), "unknown dtype 'int8'"),
        (("audit", "smollm2-135m", "--languages", "xx"), "unknown language 'xx'"),
        (("audit", "smollm2-135m", "--judge", "oracle"), "unknown judge 'oracle': expected rules, chat:MODEL or"),
        (("book", "--models", "smollm2-135m", "--judge", "chat:no-such-judge"), "unknown model 'no-such-judge'"),
        (("run", "smollm2-135m", "--control", "--judge", "classifier:/nowhere:NO"), "/nowhere cannot be loaded"),
    ],
)
def test_what_a_user_did_wrong_ends_in_one_line(arguments, message):
    assert message in refused(here(*arguments))


def test_too_few_situations_are_refused_in_one_line_before_a_model_is_loaded(tmp_path, monkeypatch):
    rows = [f"{k:02d}\tg{k % 3}\ten\tI helped neighbour {k}.\tI mocked neighbour {k}." for k in range(12)]
    write(tmp_path / "corpus", rows=rows)
    monkeypatch.setattr("xlv.models.load.load_model", lambda *_a, **_k: pytest.fail("a model was loaded"))
    told = refused(here("run", "smollm2-135m", "--data", tmp_path / "corpus", "--out", tmp_path / "out"))
    assert "kindness has pairs of 3 groups: expected 4 or more" in told and not (tmp_path / "out").exists()


def test_the_settings_of_a_run_are_those_of_its_options(monkeypatch, tmp_path):
    class Done(Exception):
        pass

    asked = []

    def study(model, settings, out, *, loading, vectors, overwrite, progress):
        asked.append((model, settings, loading, Path(out)))
        raise Done

    monkeypatch.setattr("xlv.study.run_study", study)
    for arguments in (
        ("llama2-chat-7b", "--no-baselines", "--device", "cuda:1", "--trust-remote-code", "--out", tmp_path),
        (
            "org/model",
            "--template",
            "Q: {input}",
            "--dtype",
            "bf16",
            "--revision",
            "v2",
            "--pairs",
            "8",
            "--cohort",
            "second",
        ),
    ):
        with pytest.raises(Done):
            here("run", *arguments)
    (name, settings, loading, out), (other, changed, plain, _) = asked
    assert (name, settings.template, settings.baselines, settings.dtype) == ("llama2-chat-7b", "", False, "fp32")
    assert (loading.device, loading.trust_remote_code, out) == ("cuda:1", True, tmp_path)
    assert (other, changed.template, changed.dtype, changed.pairs) == ("org/model@v2", "Q: {input}", "bf16", 8)
    assert (settings.cohort, changed.cohort) == ("all", "second")
    assert (plain.device, plain.trust_remote_code) == (None, False)


SMALL = ("--languages", "en,fr,sw", "--concepts", "morality,fairness", "--pairs", "8", "--dtype", "fp32")


def test_run_prints_a_table_and_writes_results_and_the_vectors_that_steer_takes(tiny_folder, tmp_path):
    out = tmp_path / "out"
    done = xlv("run", str(tiny_folder), *SMALL, "--vectors", "--out", str(out))
    assert done.returncode == 0, done.stderr
    assert "my-model: own-language recognition accuracy, protocol cv" in done.stdout
    assert len(re.findall(r"^│ sw +│ [01]\.\d{3} +│ -?\d\.\d{3}–\d\.\d{3} +│", done.stdout, flags=re.MULTILINE)) == 1
    folder = out / "my-model" / "full-raw-fp32,pairs=8,concepts=morality+fairness,languages=en+fr+sw"
    assert f"Concept vectors: {folder / 'vectors'}" in done.stdout and f"Results: {folder}" in done.stdout
    assert {path.name for path in folder.iterdir()} == {"recognition.nc", "consistency.nc", "vectors"}
    files = {f"{concept}_{code}.safetensors" for concept in ("morality", "fairness") for code in ("en", "fr", "sw")}
    assert {path.name for path in (folder / "vectors").iterdir()} == files
    file = folder / "vectors" / "fairness_sw.safetensors"
    steered = here("steer", tiny_folder, "Write a note.", "--vector", file, "--tokens", "3")
    assert "positive, layers 2–3, s = +" in steered.stdout
    for dose in ("-0.1", "nan"):
        assert "with a dose above zero" in refused(here("steer", tiny_folder, "Hi.", "--vector", file, "--dose", dose))
    kept = ConceptVectors.load(file)
    replace(kept, origin={**kept.origin, "concept": ""}).save(tmp_path / "unknown.safetensors")
    told = refused(here("steer", tiny_folder, "Hi.", "--vector", tmp_path / "unknown.safetensors"))
    assert "which side is the value's" in told
    told = refused(here("steer", tiny_folder, "Hi.", "--vector", tmp_path / "no-such.safetensors"))
    assert "holds no concept vectors" in told


def test_vectors_of_harmfulness_steer_towards_refusing_only(tiny_folder, tmp_path):
    common = ("--languages", "en,sw", "--concepts", "harmfulness", "--pairs", "8", "--no-baselines", "--dtype", "bf16")
    done = here("run", tiny_folder, *common, "--vectors", "--out", tmp_path / "out")
    assert done.exit_code == 0, done.stderr
    [file] = (tmp_path / "out" / "my-model").glob("*-raw-bf16,*/vectors/harmfulness_sw.safetensors")
    assert "refusing, layers 2–3, s = -" in here("steer", tiny_folder, "Hi.", "--vector", file, "--tokens", "3").stdout
    for options in (("--direction", "following"), ("--direction", "positive"), ("--dose", "-0.1")):
        assert "--control" in refused(here("steer", tiny_folder, "Hi.", "--vector", file, *options))


def test_steer_shows_a_prompt_unsteered_and_steered(tiny_folder):
    done = here("steer", tiny_folder, "Write a note.", "--pairs", "4", "--tokens", "3", "--dose", "0.2")
    assert done.exit_code == 0, done.stderr
    assert "unsteered:" in done.stdout and "refusing, layers 2–3, s = -" in done.stdout
    other = here("steer", tiny_folder, "Write a note.", "--concept", "fairness", "--pairs", "4", "--tokens", "3")
    assert "positive, layers 2–3, s = +" in other.stdout


@pytest.mark.parametrize(
    "options", [("--direction", "following"), ("--direction", "positive"), ("--dose", "-0.1"), ("--layers", "0.7-0.2")]
)
def test_steer_names_the_corpus_run_for_the_direction_towards_following(options):
    told = refused(here("steer", "smollm2-135m", "Write a note.", *options))
    assert ("xlv run smollm2-135m --control" in told) == (options[0] != "--layers")


def test_layers_are_two_shares_of_the_depth():
    told = refused(here("steer", "smollm2-135m", "Write a note.", "--layers", "5"))
    assert "expected --layers as two shares of the depth, for example 0.4-0.7, got '5'" in told


def test_completions_are_kept_only_when_asked_for_and_cleared_with_the_cache(tiny_folder, tmp_path):
    common = ("run", str(tiny_folder), "--languages", "en,fr", "--concepts", "morality", "--pairs", "8")
    common += ("--profile", "quick", "--control", "--out", str(tmp_path / "out"))
    cache = tmp_path / "cache"
    done = here(*common)
    assert done.exit_code == 0, done.stderr
    assert re.search(r"refusal rate.*harmful, no control .*harmless, towards following", done.stdout, flags=re.DOTALL)
    assert len(re.findall(r"^│ harm.+?, .+?(│ [01]\.\d\d +)+│$", done.stdout, flags=re.MULTILINE)) == 6
    assert not (cache / "completions").exists()
    assert here(*common, "--keep-completions").exit_code == 0
    [kept] = (cache / "completions").iterdir()
    assert kept.stat().st_mode & 0o777 == 0o600 and '"completion"' in kept.read_text()
    assert here("cache", "clear", "completions", "--yes").exit_code == 0 and not kept.exists()


def test_an_audit_says_where_its_card_lies(monkeypatch, tmp_path):
    def audit(model, profile, out, **_):
        return out / f"{model}-{profile.study.cohort}.html"

    monkeypatch.setattr("xlv.edition.book.audit_model", audit)
    for options, cohort in (((), "second"), (("--cohort", "all"), "all")):
        done = here("audit", "my-model", *options, "--out", tmp_path)
        assert done.stdout == f"The card: {tmp_path / f'my-model-{cohort}.html'}\n"
