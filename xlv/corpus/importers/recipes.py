"""Recipes: published files of well-known sources, on the user's disk, turned into a corpus of ours.

Nothing is downloaded, and the sources keep their licences. What a source has as single texts is paired by
`matching`; a recipe's docstring says which files and columns it reads.
"""

import csv
import json
import re
from itertools import product
from pathlib import Path

import pandas as pd

from xlv.cache import file_sha256, whole_folder
from xlv.corpus.importers.matching import Pair, Single, clean, matched, usable
from xlv.corpus.languages import LANGUAGES, known_first
from xlv.corpus.table import BUILT_IN, CorpusError, read_table
from xlv.results import KINDS

Concepts = dict[str, list[Pair]]
Rows = list[list[str]]
_BENIGN, _TOXIC = 2.0, 4.0  # mean human rating of toxicity, 1 to 5, up to and from which a text counts
_POLYREFUSE = re.compile(r"(harmful|harmless)_(train|val|test)(?:_translated_([a-z]{2,3}))?\.json")


def _csv(path: Path, *columns: str | int) -> Rows:
    """Columns of a CSV file, row by row; numbers are columns of one without a header. CorpusError for another form."""
    try:
        header = None if columns[0] == 0 else 0
        table = pd.read_csv(path, dtype=str, keep_default_na=False, header=header, encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        raise CorpusError(f"{path} is no CSV file in UTF-8 ({error})") from None
    if absent := [column for column in columns if column not in table]:
        raise CorpusError(f"{path} lacks the column {absent[0]!r}: it has {', '.join(map(str, table.columns))}")
    return table[[*columns]].to_numpy().tolist()


def _english(group: str, positive: bool, text: str, context: str = "") -> Single:
    return Single(group, positive, {"en": clean(text, "en")}, " ".join(context.split()))


def _morality(rows: Rows) -> list[Pair]:
    """Short scenes in the first person, label 1 wrong; paired by their first three words."""
    short = [(label, text) for label, text, is_short in rows if is_short.lower() == "true"]
    return matched(_english(" ".join(text.lower().split()[:3]), label == "0", text) for label, text in short)


def _deontology(rows: Rows) -> list[Pair]:
    """Label 1 reasonable; paired within a scenario, which is the context."""
    return matched(_english(scenario, label == "1", excuse, scenario) for label, scenario, excuse in rows)


def _utilitarianism(rows: Rows) -> list[Pair]:
    """The first column is the more pleasant; only later editions have a header."""
    pairs = [(clean(better, "en"), clean(worse, "en")) for better, worse in rows if worse != "less_pleasant"]
    return [Pair("", {"en": better}, {"en": worse}) for better, worse in pairs]


def _fairness(rows: Rows) -> list[Pair]:
    """Label 1 reasonable; paired by what stands before "because" or by the first five words."""

    def claim(text: str) -> str:
        words = text.lower().split()
        return " ".join(words[: words.index("because") if "because" in words else 5])

    return matched(_english(claim(text), label == "1", text) for label, text in rows)


_ETHICS = {  # folder, prefix of the file, columns, reader
    "morality": ("commonsense", "cm", ("label", "input", "is_short"), _morality),
    "deontology": ("deontology", "deontology", ("label", "scenario", "excuse"), _deontology),
    "utilitarianism": ("utilitarianism", "util", (0, 1), _utilitarianism),
    "fairness": ("justice", "justice", ("label", "scenario"), _fairness),
}


def ethics(path: Path) -> tuple[Concepts, list[Path]]:
    """ETHICS (Hendrycks et al. 2021): the folder of `ethics.tar`, `{task}/{prefix}_train.csv` or `{task}/train.csv`."""
    found, files = {}, []
    for concept, (task, prefix, columns, pairs_in) in _ETHICS.items():
        places = [path / task / f"{prefix}_train.csv", path / task / "train.csv"]
        if file := next(filter(Path.is_file, places), None):
            found[concept] = pairs_in(_csv(file, *columns))
            files.append(file)
    if not found:
        raise CorpusError(f"{path} holds no commonsense/cm_train.csv or the like: expected the folder of ethics.tar")
    return found, files


def truthfulqa(path: Path) -> tuple[Concepts, list[Path]]:
    """TruthfulQA (Lin et al. 2022), `TruthfulQA.csv`: the best answer against the incorrect one nearest in length."""
    pairs = []
    for question, best, incorrect in _csv(path, "Question", "Best Answer", "Incorrect Answers"):
        right = clean(best, "en")
        wrong = [clean(answer, "en") for answer in incorrect.split(";") if answer.strip()]
        if right and wrong:
            nearest = min(wrong, key=lambda answer: abs(len(answer) - len(right)))
            pairs.append(Pair("", {"en": right}, {"en": nearest}, " ".join(question.split())))
    return {"truthfulness": pairs}, [path]


def toxigen(path: Path) -> tuple[Concepts, list[Path]]:
    """ToxiGen (Hartvigsen et al. 2022), `annotated_train.csv`: texts on one group rated benign against toxic ones."""
    rows = _csv(path, "target_group", "text", "toxicity_human")
    ratings = pd.to_numeric([rating for *_, rating in rows], errors="coerce").tolist()
    rated = zip(rows, ratings, strict=True)
    singles = [_english(group, r <= _BENIGN, text) for (group, text, _), r in rated if r <= _BENIGN or r >= _TOXIC]
    return {"toxicity": matched(singles)}, [path]


def advbench(path: Path) -> tuple[Concepts, list[Path]]:
    """AdvBench (Zou et al. 2023), `harmful_behaviors.csv`: its goals against the harmless instructions of our corpus.

    It has no harmless side, so there are as many pairs as there are instructions of ours at most.
    """
    harmless = [*read_table(BUILT_IN / "harmfulness" / "en.tsv")["positive"]]
    harmless += [*read_table(BUILT_IN / "control" / "en.tsv", ("id", "harmless"))["harmless"]]
    singles = [_english("", False, goal) for [goal] in _csv(path, "goal")]
    singles += [_english("", True, text) for text in dict.fromkeys(harmless)]
    return {"harmfulness": matched(singles)}, [path]


def polyrefuse(path: Path) -> tuple[Concepts, list[Path]]:
    """PolyRefuse (Wang et al. 2025): `{harmful,harmless}_{split}_translated_{language}.json`, lists of instructions.

    All files of a split are parallel by position; English is in `{harmful,harmless}_{split}.json`, in the same folder
    if anywhere. Languages without both train files are left out, and splits that one of the others lacks.
    """
    files = {m.groups("en"): file for file in sorted(path.glob("*.json")) if (m := _POLYREFUSE.fullmatch(file.name))}
    whole = {(split, code) for _, split, code in files if all((kind, split, code) in files for kind in KINDS)}
    found = {code for split, code in whole if split == "train"}
    if not found:
        raise CorpusError(f"{path} holds no harmful_train_translated_de.json or the like: expected PolyRefuse's folder")
    codes = known_first(found, LANGUAGES)
    splits = [split for split in ("train", "val", "test") if all((split, code) in whole for code in codes)]
    singles = []
    for split, kind in product(splits, KINDS):
        columns = [[clean(text, code) for text in _instructions(files[kind, split, code])] for code in codes]
        if len(set(map(len, columns))) > 1:
            raise CorpusError(f"{path}: the {kind} {split} files of the languages differ in length")
        each = [dict(zip(codes, texts, strict=True)) for texts in zip(*columns, strict=True)]
        singles += [Single("", kind == "harmless", texts) for texts in each]
    used = [file for (_, split, code), file in files.items() if split in splits and code in codes]
    return {"harmfulness": matched(singles)}, used


def _instructions(path: Path) -> list[str]:
    try:
        return [entry["instruction"].strip() for entry in json.loads(path.read_text(encoding="utf-8"))]
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        fault = f'({type(error).__name__}: {error}): expected a list of {{"instruction": …}}'
        raise CorpusError(f"{path} is not in PolyRefuse's form {fault}") from None


RECIPES = {recipe.__name__: recipe for recipe in (ethics, truthfulqa, toxigen, advbench, polyrefuse)}


def convert(source: str, path: Path, out: Path, *, limit: int | None = None) -> dict[tuple[str, str], int]:
    """Write a corpus folder from a source's published files; returns the number of pairs by concept and languages.

    Raises ValueError for an unknown source, and CorpusError for files that are missing or of another form, for an `out`
    that exists, and where fewer than two pairs can be made; then nothing is written.
    """
    if source not in RECIPES:
        raise ValueError(f"unknown source {source!r}: choose one of {', '.join(RECIPES)}")
    if limit is not None and limit < 2:
        raise ValueError(f"expected at least 2 pairs, got {limit}")
    if out.exists():
        raise CorpusError(f"{out} exists: give a folder that does not")
    concepts, files = RECIPES[source](path)
    made = {concept: usable(pairs, limit) for concept, pairs in concepts.items()}
    if few := [f"{len(pairs)} pairs of {concept}" for concept, pairs in made.items() if len(pairs) < 2]:
        raise CorpusError(f"{path} gives {few[0]} that can be used: expected at least two")
    with whole_folder(out) as folder:
        _write(folder, source, files, made)
    return {(concept, " ".join(pairs[0].positive)): len(pairs) for concept, pairs in made.items()}


def _write(folder: Path, source: str, files: list[Path], made: Concepts) -> None:
    for concept, pairs in made.items():
        table, numbers = pd.DataFrame(pairs), [f"{k:04d}" for k in range(1, len(pairs) + 1)]
        groups, _ = pd.factorize(table["group"].where(table["group"] != "", numbers))
        columns = {"id": numbers, "group": [f"g{k + 1:04d}" for k in groups], "origin": source}
        if table["context"].any():
            columns["context"] = table["context"]
        (folder / concept).mkdir()
        for code in pairs[0].positive:
            rows = pd.DataFrame(columns | {side: table[side].str[code] for side in ("positive", "negative")})
            rows.to_csv(folder / concept / f"{code}.tsv", sep="\t", index=False, quoting=csv.QUOTE_NONE)
    counts = "".join(f"- {concept}: {len(pairs)} pairs\n" for concept, pairs in made.items())
    hashes = "".join(f"- `{file.name}`: SHA-256 `{file_sha256(file)}`\n" for file in files)
    made_by = f"By `xlv data convert {source}`; the texts keep the licence of their source."
    left_out = "Pairs whose sides differ in form or length were left out."
    card = f"# Made from {source}\n\n{made_by} {left_out}\n\n{counts}\nFiles:\n\n{hashes}"
    (folder / "README.md").write_text(card, encoding="utf-8")
