"""Parameters of notebooks and options of commands, right and wrong ones, from seeds.

A wrong one is refused in one line before a model is loaded; with right ones alone, the model is what is asked for next.
Which is which is said here, value by value.
"""

import math
import random
import shutil
import time

import pytest

from tests.cli.command import here
from xlv.edition.notebook import open_results
from xlv.models.load import checked_device
from xlv.profiles import profile_of

pytestmark = pytest.mark.fuzz
NAN, INF, HUGE = math.nan, math.inf, 10**400
NO_TEXTS = (3, 0, -1, NAN, INF, True, None, [], ["en"], {}, b"en", ("en",), HUGE)
NO_FLAGS = ("True", "no", "", 1, 0, NAN, [True], 1j, {})
NO_NUMBERS = (NAN, INF, -INF, 0.5, 16.0, "16", "", "nan", None, True, False, [16], 1j, b"8", -1, -HUGE)
ODD = (
    "?",
    ".",
    "..",
    "/",
    "~no-such-user/x",
    "a\0b",
    "a\nb",
    "a=b",
    "{",
    "{0}",
    "%s",
    "../../etc",
    "x" * 5000,
    "\ud800",
)
RIGHT = {
    "profile": ("quick", "medium", "full"),
    "data": ("",),
    "languages": ("en,fr", "fr,en", " en , fr,", "sw,en", "en"),
    "concepts": ("fairness", "fairness,morality", "harmfulness", ",fairness,"),
    "cohort": ("", "first", "second", "all"),
    "pairs": (0, 8, 16, 10**6, HUGE),
    "seed": (0, 1, 2**32 - 1),
    "dtype": ("", "fp32", "bf16", "fp16"),
    "template": ("", "raw", "chat", "llama2", "{input}", "{input}{input}", "Q: {input}\nA:", "{input} {0} %s"),
    "baselines": (None, True, False),
    "judge": ("rules", "chat:qwen2.5-coder-0.5b", "chat:org/name@v1"),
}
WRONG = {
    "profile": (*NO_TEXTS, *ODD, "", "Quick", "quick,full", "quick "),
    "data": (*NO_TEXTS, *ODD, " ", "here.tsv", "no/such", "a,b"),
    "languages": (*NO_TEXTS, *ODD, "en,en", "en,fr,en", "xx", "EN", "en;fr", "en fr", "control"),
    "concepts": (*NO_TEXTS, *ODD, "fairness,fairness", "courage", "Fairness", "neutral", "control", "fairness/en"),
    "cohort": (*NO_TEXTS, *ODD, "third", "First", "first,second", " "),
    "pairs": (*NO_NUMBERS, 1, 2),
    "seed": (*NO_NUMBERS, 2**32, HUGE),
    "dtype": (*NO_TEXTS, *ODD, "BF16", "fp32,bf16", "int8", "float32", "bf16 "),
    "template": (*NO_TEXTS, *(set(ODD) - {""}), "Raw", "{inputs}", "{ input }", "input", " "),
    "baselines": NO_FLAGS,
    "judge": (*NO_TEXTS, *ODD, "", "rule", "chat:", "classifier:a", "classifier::b", "rules:x", "Rules"),
}
OPENED_RIGHT = {
    "models": (
        "smollm2-135m",
        "org/model",
        "org/model@v1.0",
        "mine=org/model",
        "org/model@a/b",
        "here",
        "./here",
        "x=here",
        "my.model-2@main=here",
        "smollm2-135m,x=smollm2-135m",
        ["smollm2-135m"],
        ("org/model",),
    ),
    "question": ("recognition", "consistency", "control"),
    "results": ("", "out", "a b", "a=b,c", "ação", "../out"),
    "published": (True, False),
    "device": ("", "cpu", "auto"),
    "trust_remote_code": (True, False),
}
OPENED_WRONG = {
    "models": (
        *(value for value in NO_TEXTS if value not in (["en"], ("en",))),
        *ODD,
        "",
        ",",
        ["smollm2-135m", 3],
        "no-such-model",
        "smollm2-135m,smollm2-135m",
        "here,./here",
        "a/m,b/m",
        "x=a/b,x=c/d",
        "smollm2-135m=here",
        "=here",
        "x=",
        "a b=here",
        "x/y=here",
        "x" * 300 + "=here",
        "@",
        "org/model@",
        "@main",
        "smollm2-135m@main",
        "here@main",
        "org/" + "b" * 300,
        "org/..",
        "org/mod el",
        "org/möd",
        "org/m\0",
        "org/model@a\nb",
        "a/b/c",
        "~no-such-user/x=org/model",
        "org/model@~no-such-user/x",
        "here.gguf",
        "/dev/zero",
        "/proc",
        "~",
        "empty",
    ),
    "question": (*NO_TEXTS, *ODD, "", "transfer", "Control"),
    "results": (*NO_TEXTS, "a\0b", "a\nb", "x" * 5000, "\ud800"),
    "published": NO_FLAGS,
    "device": NO_TEXTS,
    "trust_remote_code": NO_FLAGS,
}


class Loaded(BaseException):
    """A model is about to be loaded."""


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch, saved_model):
    """A folder with a model `here`, a folder `empty`, and no way to load anything."""

    def load_model(*_given, **_how):
        raise Loaded

    (tmp_path / "work" / "empty").mkdir(parents=True)
    shutil.copytree(saved_model, tmp_path / "work" / "here")
    (tmp_path / "work" / "here.tsv").write_text("no folder")
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setattr("xlv.models.load.load_model", load_model)
    monkeypatch.setattr("xlv.models.load.has_chat_template", lambda *_given, **_how: True)


def drawn(seed: int, right: dict, wrong: dict) -> tuple[dict, str]:
    """Right values of some of the parameters, and in four of five draws a wrong one of one, which is named."""
    dice = random.Random(seed)
    given = {name: dice.choice(values) for name, values in right.items() if dice.random() < 0.5}
    if dice.random() < 0.2:
        return given, ""
    names = [*wrong]
    name = names[seed % len(names)]
    return given | {name: dice.choice(wrong[name])}, name


def refused(call, *given, **more) -> str:
    """The line in which a call is refused."""
    begun = time.monotonic()
    with pytest.raises(ValueError) as error:
        call(*given, **more)
    said = str(error.value)
    assert len(said) > 10 and len(said.splitlines()) == 1 and time.monotonic() - begun < 20
    return said


def test_a_profile_is_what_is_asked_for_or_refused(runs):
    right = RIGHT | {"concepts": (*RIGHT["concepts"], "courage")}  # looked for in the corpus, later
    wrong = WRONG | {"concepts": (*NO_TEXTS, "fairness,fairness"), "pairs": (*NO_NUMBERS, 1)}
    wrong["data"] = [value for value in WRONG["data"] if value not in (".", "..", "/", "../../etc")]  # are folders
    for seed in range(runs(20_000, sample=600)):
        given, fault = drawn(seed, right, wrong)
        if fault:
            assert refused(profile_of, **given), f"seed {seed}: {given}"
            continue
        study = profile_of(**given).study
        for name in ("data", "cohort", "dtype", "template", "seed", "pairs"):
            if given.get(name):
                assert getattr(study, name) == given[name], f"seed {seed}: {name}"
        if given.get("baselines") is not None:
            assert study.baselines is given["baselines"]


def test_results_are_opened_or_refused_before_a_model_is_loaded(runs):
    for seed in range(runs(600, sample=45)):
        given, fault = drawn(seed, RIGHT | OPENED_RIGHT, WRONG | OPENED_WRONG)
        given = {"models": "org/model", "question": "recognition", "profile": "quick", "languages": "en"} | given
        given = {"concepts": "fairness", "results": "out"} | given
        if fault in ("data", "concepts", "pairs"):  # question 4 has texts and a concept of its own, and needs fewer
            given["question"] = "recognition"
        try:
            if fault:
                assert refused(open_results, **given)
            else:
                with pytest.raises(Loaded):
                    open_results(**given)
        except BaseException as error:
            raise AssertionError(f"seed {seed}: {fault or 'right'}: {given}") from error


OPTIONS = {"profile", "data", "languages", "concepts", "cohort", "pairs", "seed", "dtype", "template", "judge"}
TYPED = {
    "pairs": ("x", "1.5", "nan", "", "1e3", "-1"),
    "seed": ("x", "1.5", "nan", "", "-1", "0x1"),
}  # typer's to refuse


def test_commands_go_on_to_the_model_or_say_in_one_line_why_not(runs):
    texts = {name: [v for v in WRONG[name] if isinstance(v, str)] for name in OPTIONS - {*TYPED}}
    wrong = {**texts, "pairs": (1, 2), "seed": (2**32, 10**30), "model": OPENED_WRONG["models"]}
    wrong["model"] = [v for v in wrong["model"] if isinstance(v, str) and "," not in v]
    right = {name: RIGHT[name] for name in OPTIONS}
    right["model"] = [v for v in OPENED_RIGHT["models"] if isinstance(v, str) and "," not in v]
    for seed in range(runs(400, sample=24)):
        command = ("run", "book", "audit")[seed % 3]
        given, fault = drawn(seed // 3, right, wrong)
        given = {"model": "org/model", "profile": "quick", "languages": "en", "concepts": "fairness"} | given
        model = given.pop("model")
        words = [f"--{name}={value}" for name, value in given.items()] + ["--out", "out"]
        words += [f"--models={model}"] if command == "book" else ["--", model]
        begun = time.monotonic()
        try:
            if not fault:
                with pytest.raises(Loaded):
                    here(command, *words)
                continue
            done = here("-q", command, *words)
            assert done.exit_code == 2 and done.stderr.splitlines()[-1].startswith("error: ")
            assert len([line for line in done.stderr.splitlines() if not line.startswith("note: ")]) == 1
            assert time.monotonic() - begun < 20
        except BaseException as error:
            raise AssertionError(f"seed {seed}: {fault or 'right'}: {command} {words}") from error


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in TYPED.items() for value in values])
def test_options_that_are_no_numbers_are_refused(name, value):
    done = here("run", "org/model", f"--{name}={value}")
    assert done.exit_code == 2 and f"--{name}" in done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "device", ["?", "", " ", "CPU", "cpu,cpu", "gpu", "cuda:x", "cuda:99", "a\0b", "a\nb", "/", "\ud800"]
)
def test_devices_that_are_none_are_refused(device):
    assert repr(device) in refused(checked_device, device)
