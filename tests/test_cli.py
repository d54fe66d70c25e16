import os
import re
import subprocess
import sys

import pytest
import torch

from xlv.models.presets import PRESETS


def xlv(*arguments, **environment):
    command = [sys.executable, "-m", "xlv.cli", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, env=os.environ | environment)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("run", "no-such-model"), "unknown model 'no-such-model': give a name that `xlv models` lists"),
        (("batch", "no-such.yaml"), "no file no-such.yaml"),
        (("run", "smollm2-135m", "--languages", "xx"), "unknown language 'xx'"),
        (("run", "smollm2-135m", "--concepts", "courage"), "unknown concept 'courage'"),
        (("run", "smollm2-135m", "--protocol", "best"), "unknown protocol 'best'"),
        (("run", "smollm2-135m", "--profile", "huge"), "unknown profile 'huge'"),
        (("run", "smollm2-135m", "--data", "no-such-folder"), "no folder no-such-folder"),
        (("cache", "clear", "everything", "--yes"), "unknown part of the cache"),
        (("data", "convert", "wikipedia", "x.csv", "--out", "y"), "unknown source 'wikipedia'"),
        (("run", "smollm2-135m", "--revision", "main"), "smollm2-135m has no revisions"),
        (("run", "smollm2-135m", "--device", "gpu"), "unknown device 'gpu'"),
    ],
)
def test_what_a_user_did_wrong_ends_in_one_line(arguments, message):
    done = xlv(*arguments)
    assert done.returncode == 2
    assert message in done.stderr and "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_models_are_listed_with_licence_and_hub_id():
    shown = xlv("models").stdout
    for word in ("smollm2-135m", "bigscience/bloomz-7b1", "Gemma terms of use", "meta-llama/Llama-2-70b-chat-hf"):
        assert word in shown


def test_names_and_hub_ids_stay_whole_on_a_terminal_of_80_columns():
    shown = xlv("models", FORCE_COLOR="1", NO_COLOR="1", COLUMNS="80").stdout
    assert max(map(len, re.sub(r"\x1b\[[0-9;]*m", "", shown).splitlines())) <= 80
    assert all(preset.name in shown and preset.hub in shown for preset in PRESETS.values())


def test_a_malformed_corpus_is_named_by_file_and_line_and_ends_with_status_1(tmp_path):
    folder = tmp_path / "my-corpus-in-a-folder-of-a-long-name-that-no-terminal-shows-on-one-line" / "courage"
    folder.mkdir(parents=True)
    (folder / "en.tsv").write_text("id\tpositive\tnegative\n01\tI spoke up.\n", encoding="utf-8")
    done = xlv("data", "check", str(folder.parent))
    assert done.returncode == 1 and "Traceback" not in done.stderr
    fault = f"  {folder / 'en.tsv'}, line 2: 2 fields, expected 3 separated by tabs, as in its header"
    assert done.stdout.splitlines()[-2:] == ["Errors: 1", fault]


def test_run_prints_a_table_and_writes_results(tiny_folder, tmp_path):
    done = xlv(
        "run",
        str(tiny_folder),
        "--languages",
        "en,fr,sw",
        "--concepts",
        "morality",
        "--pairs",
        "8",
        "--dtype",
        "fp32",
        "--out",
        str(tmp_path / "out"),
    )
    assert done.returncode == 0, done.stderr
    assert "own-language recognition accuracy" in done.stdout
    assert {p.name for p in (tmp_path / "out" / "my-model").iterdir()} == {"recognition.nc", "consistency.nc"}


class Call:
    def __init__(self, *arguments):
        self.arguments = arguments

    def __reduce__(self):
        return os.system, self.arguments


def test_a_hostile_file_of_results_ends_in_one_line_and_leaves_nothing(tmp_path):
    folder = tmp_path / "res" / "my-model" / "morality"
    folder.mkdir(parents=True)
    torch.save({"en": Call(f"touch {tmp_path / 'ran'}")}, folder / "acc.pk")
    done = xlv("import-results", str(tmp_path / "res"), "--out", str(tmp_path / "out"))
    assert done.returncode == 2 and "posix.system" in done.stderr and len(done.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "ran").exists() and not (tmp_path / "out").exists()


def test_the_cache_is_listed_and_cleared(tmp_path):
    entry = tmp_path / "cache" / "activations" / "abc"
    entry.mkdir(parents=True)
    (entry / "x.safetensors").write_bytes(b"0" * 1000)
    assert "activations/abc" in xlv("cache", "list").stdout
    assert xlv("cache", "clear", "--yes").returncode == 0
    assert not entry.exists()


def test_steer_shows_a_prompt_unsteered_and_steered(tiny_folder):
    done = xlv("steer", str(tiny_folder), "Write a note.", "--pairs", "4", "--tokens", "3", "--dose", "0.2")
    assert done.returncode == 0, done.stderr
    assert "unsteered:" in done.stdout and "refusing, layers 2–3, s = -" in done.stdout
    other = xlv("steer", str(tiny_folder), "Write a note.", "--concept", "fairness", "--pairs", "4", "--tokens", "3")
    assert "positive, layers 2–3, s = +" in other.stdout


@pytest.mark.parametrize(
    "options", [("--direction", "following"), ("--direction", "positive"), ("--dose", "-0.1"), ("--layers", "0.7-0.2")]
)
def test_steer_names_the_corpus_run_for_the_direction_towards_following(options):
    done = xlv("steer", "smollm2-135m", "Write a note.", *options)
    assert done.returncode == 2 and len(done.stderr.strip().splitlines()) == 1
    assert ("xlv run smollm2-135m --control" in done.stderr) == (options[0] != "--layers")


def test_completions_are_kept_only_when_asked_for_and_cleared_with_the_cache(tiny_folder, tmp_path):
    common = (
        "run",
        str(tiny_folder),
        "--languages",
        "en,fr",
        "--concepts",
        "morality",
        "--pairs",
        "8",
        "--profile",
        "quick",
        "--control",
        "--out",
        str(tmp_path / "out"),
    )
    cache = tmp_path / "cache"
    done = xlv(*common)
    assert done.returncode == 0, done.stderr
    assert re.search(r"refusal rate.*harmful, no control .*harmless, towards following", done.stdout, flags=re.DOTALL)
    assert len(re.findall(r"^│ fr +(│ [01]\.\d\d +){6}│$", done.stdout, flags=re.MULTILINE)) == 1
    assert not (cache / "completions").exists()
    assert xlv(*common, "--keep-completions").returncode == 0
    [kept] = (cache / "completions").iterdir()
    assert kept.stat().st_mode & 0o777 == 0o600 and '"completion"' in kept.read_text()
    assert xlv("cache", "clear", "completions", "--yes").returncode == 0 and not kept.exists()
