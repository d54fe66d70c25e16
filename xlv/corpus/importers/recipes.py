"""Recipes: published files of well-known sources, on the user's disk, turned into a corpus of ours.

Nothing is downloaded, and the sources keep their licences. What a source has as single texts is paired by
`matching`; a recipe's docstring says which files and columns it reads.
"""

import csv
import json
import re
from collections import Counter
from collections.abc import Sequence
from itertools import product
from pathlib import Path

import pandas as pd

from xlv.cache import file_sha256, whole_folder
from xlv.corpus.form import unparallel
from xlv.corpus.importers.matching import Pair, Single, clean, levelled, matched, usable
from xlv.corpus.languages import LANGUAGES, known_first
from xlv.corpus.table import BUILT_IN, CorpusError, read_table
from xlv.results import KINDS

Concepts = dict[str, list[Single] | list[Pair]]
Found = tuple[Concepts, list[Path], list[str]]  # what files hold, which files, and in words what they hold besides
Rows = list[list[str]]
_BENIGN, _TOXIC = 2.0, 4.0  # mean human rating of toxicity, 1 to 5, up to and from which a text counts
_POLYREFUSE = re.compile(r"(harmful|harmless)_(train|val|test)(?:_\d+_sampled|_translated_([a-z]{2,3}))?\.json")


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


def _claim(text: str) -> str:
    """What stands before "because", or the first five words."""
    words = text.lower().split()
    return " ".join(words[: words.index("because") if "because" in words else 5])


_ETHICS = {  # folder, prefix of the file, columns, and what a row gives
    "morality": (  # short scenes in the first person, label 1 wrong; paired by their first three words
        ("commonsense", "cm", ("label", "input", "is_short")),
        lambda label, text, is_short: (
            is_short.lower() == "true" and _english(" ".join(text.lower().split()[:3]), label == "0", text)
        ),
    ),
    "deontology": (  # label 1 reasonable; paired within a scenario, which is the context
        ("deontology", "deontology", ("label", "scenario", "excuse")),
        lambda label, scenario, excuse: _english(scenario, label == "1", excuse, scenario),
    ),
    "utilitarianism": (  # the first column is the more pleasant; only later editions have a header
        ("utilitarianism", "util", (0, 1)),
        lambda *row: row[1] != "less_pleasant" and Pair("", *({"en": clean(text, "en")} for text in row)),
    ),
    "fairness": (  # label 1 reasonable; paired by claim
        ("justice", "justice", ("label", "scenario")),
        lambda label, text: _english(_claim(text), label == "1", text),
    ),
}


def ethics(path: Path) -> Found:
    """ETHICS (Hendrycks et al. 2021): the folder of `ethics.tar`, `{task}/{prefix}_train.csv` or `{task}/train.csv`."""
    found, files, said = {}, [], []
    for concept, ((task, prefix, columns), item_of) in _ETHICS.items():
        places = [path / task / f"{prefix}_train.csv", path / task / "train.csv"]
        if file := next(filter(Path.is_file, places), None):
            rows = _csv(file, *columns)
            found[concept] = [item for row in rows if (item := item_of(*row))]
            files.append(file)
            said.append(f"{concept}: {len(rows)} rows, {len(found[concept])} of use")
    if not found:
        raise CorpusError(f"{path} holds no commonsense/cm_train.csv or the like: expected the folder of ethics.tar")
    return found, files, said


def truthfulqa(path: Path) -> Found:
    """TruthfulQA (Lin et al. 2022), `TruthfulQA.csv`: the best answer against the incorrect one nearest in length."""
    rows, pairs = _csv(path, "Question", "Best Answer", "Incorrect Answers"), []
    for question, best, incorrect in rows:
        right = clean(best, "en")
        wrong = [clean(answer, "en") for answer in incorrect.split(";") if answer.strip()]
        if right and wrong:
            nearest = min(wrong, key=lambda answer: abs(len(answer) - len(right)))
            pairs.append(Pair("", {"en": right}, {"en": nearest}, " ".join(question.split())))
    return {"truthfulness": pairs}, [path], [f"{len(rows)} questions, {len(pairs)} with both answers"]


def toxigen(path: Path) -> Found:
    """ToxiGen (Hartvigsen et al. 2022), `annotated_train.csv`: texts on one group rated benign against toxic ones."""
    rows = _csv(path, "target_group", "text", "toxicity_human")
    ratings = pd.to_numeric([rating for *_, rating in rows], errors="coerce").tolist()
    rated = [(group, _unwrapped(text), r) for (group, text, _), r in zip(rows, ratings, strict=True)]
    singles = [_english(group, r <= _BENIGN, text) for group, text, r in rated if r <= _BENIGN or r >= _TOXIC]
    said = f"{len(rows)} texts, {len(singles)} of them rated up to {_BENIGN:g} or from {_TOXIC:g}"
    return {"toxicity": singles}, [path], [said]


def _unwrapped(text: str) -> str:
    """ToxiGen's text: published as Python prints bytes, `b'caf\\xc3\\xa9'`; some are cut, within a character even."""
    body = re.sub(r"""^b(['"])(.*?)\1?$""", r"\2", text.strip(), flags=re.DOTALL)
    printed = body.encode("ascii", "ignore").decode("unicode_escape", "ignore").encode("latin-1", "ignore")
    return printed.decode("utf-8", "ignore") if body.isascii() else body


def advbench(path: Path) -> Found:
    """AdvBench (Zou et al. 2023), `harmful_behaviors.csv`: its goals against the harmless instructions of our corpus.

    It has no harmless side, so there are as many pairs as there are instructions of ours at most.
    """
    harmless = [*read_table(BUILT_IN / "harmfulness" / "en.tsv")["positive"]]
    harmless += [*read_table(BUILT_IN / "control" / "en.tsv", ("id", "harmless"))["harmless"]]
    singles = [_english("", True, text) for text in harmless]
    singles += [_english("", False, goal) for [goal] in _csv(path, "goal")]
    return {"harmfulness": singles}, [path], [f"{len(singles) - len(harmless)} goals, {len(harmless)} texts of ours"]


def polyrefuse(path: Path, languages: Sequence[str] = ()) -> Found:
    """PolyRefuse (Wang et al. 2025): `{harmful,harmless}_{split}_translated_{language}.json`, lists of instructions.

    All files of a split are parallel by position. English is in the same folder if anywhere, `harmful_{split}.json` and
    `harmless_{split}_200_sampled.json`. Languages without both train files, or not among `languages` if there are any,
    are left out, and splits that one of the others lacks.
    """
    files = {m.groups("en"): file for file in sorted(path.glob("*.json")) if (m := _POLYREFUSE.fullmatch(file.name))}
    whole = {(split, code) for _, split, code in files if all((kind, split, code) in files for kind in KINDS)}
    found = known_first({code for split, code in whole if split == "train"}, LANGUAGES)
    if not found:
        raise CorpusError(f"{path} holds no harmful_train_translated_de.json or the like: expected PolyRefuse's folder")
    if absent := [code for code in languages if code not in found]:
        raise CorpusError(f"{path} lacks train files of {absent[0]!r}: choose from {', '.join(found)}")
    codes, singles, used, said = [*dict.fromkeys(languages)] or found, [], [], []
    lacking = {split: [code for code in codes if (split, code) not in whole] for split in ("train", "val", "test")}
    partly = [(split, lack) for split, lack in lacking.items() if 0 < len(lack) < len(codes)]
    said += [f"split {split} left out: {' '.join(lack)} lack it" for split, lack in partly]
    for split, kind in product([split for split, lack in lacking.items() if not lack], KINDS):
        each = {code: files[kind, split, code] for code in codes}
        texts = {code: [clean(text, code) for text in _instructions(file)] for code, file in each.items()}
        if len({*map(len, texts.values())}) > 1:
            counts = ", ".join(f"{file.name} has {len(texts[code])}" for code, file in each.items())
            remedy = f"English is in {kind}_{split}_200_sampled.json" if kind == "harmless" else "download them again"
            raise CorpusError(f"{path}: expected as many instructions in each file, but {counts}; {remedy}")
        said += [f"{kind} {split}: {len(texts[codes[0]])} instructions"]
        said += [f"{kind} {split}: {note}" for note in unparallel(texts)]
        rows = (dict(zip(codes, row, strict=True)) for row in zip(*texts.values(), strict=True))
        singles += [Single("", kind == "harmless", row) for row in rows]
        used += each.values()
    return {"harmfulness": singles}, used, said


def _instructions(path: Path) -> list[str]:
    """Instructions in a file's language: in test files the translation stands beside the English original."""
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
        return [entry.get("instruction_translated", entry["instruction"]).strip() for entry in entries]
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        fault = f'({type(error).__name__}: {error}): expected a list of {{"instruction": …}}'
        raise CorpusError(f"{path} is not in PolyRefuse's form {fault}") from None


RECIPES = {recipe.__name__: recipe for recipe in (ethics, truthfulqa, toxigen, advbench, polyrefuse)}


def convert(
    source: str, path: Path, out: Path, *, limit: int | None = None, languages: Sequence[str] = ()
) -> list[str]:
    """Write a corpus folder from a source's published files; says what was read, made and left out, a line each.

    `languages` are those to take of a source that has several (none: all). Raises ValueError for an unknown source or
    language, and CorpusError for files that are missing or of another form, for an `out` that exists, and where fewer
    than two pairs can be made; then nothing is written.
    """
    if source not in RECIPES:
        raise ValueError(f"unknown source {source!r}: choose one of {', '.join(RECIPES)}")
    if limit is not None and limit < 2:
        raise ValueError(f"expected at least 2 pairs, got {limit}")
    if source != "polyrefuse" and {*languages} - {"en"}:
        raise ValueError(f"{source} is in English only: leave the languages out")
    if Path(out).exists():
        raise CorpusError(f"{out} exists: give a folder that does not")
    concepts, files, said = RECIPES[source](Path(path), *([languages] if source == "polyrefuse" else []))
    made = {concept: _made(concept, items, limit, said) for concept, items in concepts.items()}
    if few := [concept for concept, pairs in made.items() if len(pairs) < 2]:
        raise CorpusError(f"{path} gives fewer than two pairs of {few[0]}: {'; '.join(said)}")
    with whole_folder(Path(out)) as folder:
        _write(folder, source, files, made, said)
    return said


def _made(concept: str, items: list[Single] | list[Pair], limit: int | None, said: list[str]) -> list[Pair]:
    """Pairs of what a source has of a concept; what was left out on the way to them is said."""
    pairs = matched(items) if items and isinstance(items[0], Single) else items
    good = usable(pairs)
    kept = levelled(good[:limit])
    sides = Counter("positive" if item.positive else "negative" for item in items if pairs is not items)
    left = {f"{side} texts without a partner of like length and ending": n - len(pairs) for side, n in sides.items()}
    left["pairs with sides that are equal, end differently or stood before"] = len(pairs) - len(good)
    left["pairs beyond the number asked for"] = len(good) - len(good[:limit])
    left["pairs so that both sides are equally long"] = len(good[:limit]) - len(kept)
    why = ", ".join(f"{n} {reason}" for reason, n in left.items() if n) or "nothing"
    said.append(f"{concept}: {len(kept)} pairs in {' '.join(kept[0].positive) if kept else 'none'}; left out: {why}")
    return kept


def _write(folder: Path, source: str, files: list[Path], made: dict[str, list[Pair]], said: list[str]) -> None:
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
    account = "".join(f"- {line}\n" for line in said)
    hashes = "".join(f"- `{file.name}`: SHA-256 `{file_sha256(file)}`\n" for file in files)
    made_by = f"By `xlv data convert {source}`; the texts keep the licence of their source."
    card = f"# Made from {source}\n\n{made_by}\n\n{account}\nFiles:\n\n{hashes}"
    (folder / "README.md").write_text(card, encoding="utf-8")
