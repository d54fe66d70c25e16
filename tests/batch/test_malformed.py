"""Specs with a fault, from seeds: each is refused in one line, in time, before anything is begun."""

import os
import random
import time

import pytest
import yaml

from xlv.batch.runs import plan
from xlv.batch.spec import read_spec

pytestmark = pytest.mark.fuzz

LARGE = 10**30
WRONG = {  # values that a place of a spec does not take
    ("out",): ["", ".", "..", "~nobody.here/x", "x\0y", "book/a", "notebooks/a", 3, None, ["a"], {}],
    ("notebooks",): [[], "idle", ["nothing"], ["idle", "idle"], [["idle"]], [None], {"idle": 1}, 5, ["../idle"]],
    ("matrix",): [None, {}, [], "models", {"seed": [1]}, {"models": []}, {"models": ["llama"], "results": ["x"]}],
    ("matrix", "models"): [
        "llama",
        [],
        ["llama", "llama"],
        ["llama", "./llama"],
        ["llama", "org/llama"],
        [""],
        [" "],
        ["a,b"],
        [3],
        [None],
        ["nowhere"],
        ["/nowhere/at/all"],
        ["~nobody.here/a"],
        ["llama@"],
        ["corpus"],
        ["spec.yaml"],
        ["a\0b"],
        ["x" * 300],
        ["a\nb"],
    ],
    ("matrix", "seed"): [[-1], [LARGE], [1.5], ["1"], [True], [None], [float("nan")], [float("inf")], [[1]], {"a": 1}],
    ("matrix", "pairs"): [[-1], [1], [3], [LARGE], ["8"], [8, 8], [False], 8, list(range(5_001))],
    ("parameters", "profile"): ["huge", "", 1, None, ["quick"], "quick ", "stored"],
    ("parameters", "languages"): ["xx", "en,en", "en,xx", False, ["en"], "en;fr", "en\tfr", "ENGLISH", ",en,,xx"],
    ("parameters", "concepts"): ["courage", "morality,morality", 7, None, "../morality", "Morality!"],
    ("parameters", "data"): ["nowhere", "spec.yaml", "llama", "~nobody.here", 1, None, "/dev/null", "fifo"],
    ("parameters", "pairs"): [-5, 1, 3, LARGE, "8", 2.5, None],
    ("parameters", "colour"): ["red", None],
    ("needs", "memory"): [
        8,
        "8",
        "0 GB",
        "-1 GB",
        "nan GB",
        "1e9 GB",
        "٣ GB",
        "4 GB\n",
        "9" * 400 + " GB",
        "4 XB",
        None,
    ],
    ("needs", "time"): ["0 h", "1 year", "-1 h", "inf h", "9" * 30 + " d", "1:30", "3 h\n", 3, "", None, ["1 h"]],
    ("needs", "gpus"): [-1, 0.5, "1", LARGE, True, None, [0]],
    ("needs", "threads"): [0, -1, 1.5, "2", LARGE, True, None],
    ("needs", "disk"): ["1 GB"],
    ("overrides",): [{}, [{}], [{"where": {}, "needs": {}}], [{"where": {"seed": 9}, "needs": {}}], [3], "a"],
    ("exclude",): [{}, [{}], [{"seed": 9}], [{"pears": 1}], [{"seed": True}], [{"seed": "0"}], [[1]], [{"seed": [0]}]],
    ("retries",): [-1, 1.5, "3", True, LARGE, None, [1]],
    ("book",): ["maybe", 1, None, [], "yes"],
    ("bok",): [True],
}
WRITTEN = (  # what no YAML of ours holds
    "a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\nd: [*c, *c]",
    "retries: !!python/object/apply:os.system ['true']",
    "retries: !!int ''",
    "retries: !!bool maybe",
    "retries: !!timestamp x",
    "out: 2026-99-99",
    "retries: 1\nretries: 1",
    "? [a, b]\n: 1",
    "? {a: b}\n: 1",
    "<<: {retries: 1}\nretries: 2",
    "retries: 0x",
    "retries: " + "9" * 5_000,
    "exclude: " + "[" * 20_000,
    "exclude: " + "{a: " * 10_000,
    "exclude: " + "- " * 20_000,
    "x: " + "y" * 100_000,
    "\n".join(f"k{n}: 1" for n in range(5_000)),
    "retries: 1\n---\nretries: 1",
    "retries: [",
    "retries: 'a",
    "\tretries: 1",
    "retries: \x07",
    "%YAML 9.9",
    "retries: @",
    "retries: =",
    'out: "\\ud800"',
)
GOOD = {
    "out": "out",
    "notebooks": ["idle"],
    "matrix": {"models": ["llama", "gpt2"], "seed": [0, 1]},
    "parameters": {"profile": "quick", "languages": "en,sw", "concepts": "morality", "pairs": 8},
    "needs": {"memory": "1 GB", "time": "30 min"},
    "overrides": [{"where": {"seed": 1}, "needs": {"threads": 2}}],
    "retries": 1,
    "book": False,
}


def faults():
    """Every fault once: where and what, or a text that is put behind a good spec."""
    return [(place, value) for place, values in WRONG.items() for value in values] + [(None, text) for text in WRITTEN]


def with_fault(dice, place, value):
    """A good spec, its keys shuffled and some of them left out, with one fault."""
    content = {name: part.copy() if isinstance(part, dict) else part for name, part in GOOD.items()}
    for name in dice.sample(["needs", "overrides", "retries"], dice.randint(0, 3)):
        del content[name]
    if place is None:
        content.pop("retries", None), content.pop("exclude", None)
        return yaml.safe_dump(content) + value
    inside = content.setdefault(place[0], {}) if len(place) == 2 else content
    inside[place[-1]] = value
    if place[-1] == "pairs" and place[0] == "matrix" or place[-1] == "seed":
        content["parameters"].pop("pairs", None)
    shuffled = dice.sample(list(content), len(content))
    return yaml.safe_dump({name: content[name] for name in shuffled}, sort_keys=False, allow_unicode=True)


def test_a_good_spec_is_planned(spec):
    assert len(plan(read_spec(spec(**GOOD)))) == 4


def test_a_spec_with_a_fault_is_refused_in_one_line_in_time(spec, repository, runs):
    path = spec(**GOOD)
    (repository / "corpus").mkdir()
    os.mkfifo(repository / "fifo")
    every = faults()
    count = runs(max(400, 2 * len(every)), sample=60)
    order = random.Random(0).sample(every, len(every)) * (count // len(every) + 1)
    problems = []
    for seed, (place, value) in enumerate(order[:count]):
        path.write_text(with_fault(random.Random(seed), place, value), encoding="utf-8", errors="surrogatepass")
        said, begun = "accepted", time.monotonic()
        try:
            plan(read_spec(path))
        except Exception as error:  # of whatever kind: all are looked at
            one_line = (
                isinstance(error, ValueError | OSError) and 10 < len(str(error)) < 1_000 and "\n" not in str(error)
            )
            said = "" if one_line else f"{type(error).__name__}: {error}"
        if said or (took := time.monotonic() - begun) > 20:
            problems.append(f"seed {seed}: {place}: {str(value)[:60]!r}: {said[:300] or took}")
    assert not problems and not (repository / "out").exists(), "\n".join(problems)
