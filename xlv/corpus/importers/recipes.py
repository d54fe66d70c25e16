"""Recipes: published files of well-known sources, on the user's disk, turned into a corpus of ours.

Nothing is downloaded, and the sources keep their licences. What a source has as single texts is paired by
`matching`; a recipe's docstring says which files and columns it reads.
"""

import json
import re
from collections.abc import Callable, Iterable
from itertools import takewhile
from pathlib import Path

import pandas as pd

from xlv.cache import file_sha256, whole_folder
from xlv.corpus.importers.matching import Pair, Single, clean, matched, usable
from xlv.corpus.languages import LANGUAGES
from xlv.corpus.pairs import load_instructions, load_pairs
from xlv.corpus.table import CorpusError

Concepts = dict[str, list[Pair]]
_BENIGN, _TOXIC = 2.0, 4.0  # mean human rating of toxicity, 1 to 5, up to and from which a text counts
_KINDS = ("harmful", "harmless")
_POLYREFUSE = re.compile(r"(harmful|harmless)_(train|val|test)(?:_translated_([a-z]{2,3}))?\.json")


def _csv(path: Path, columns: Iterable[str], *, header: bool = True) -> pd.DataFrame:
    """A CSV file as strings; CorpusError if it is missing, malformed, or lacks one of the columns."""
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False, header=0 if header else None, encoding="utf-8-sig")
    except FileNotFoundError:
        raise CorpusError(f"no file {path}") from None
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise CorpusError(f"{path} is no CSV file in UTF-8 ({error})") from None
    for column in columns:
        if column not in table:
            raise CorpusError(f"{path} lacks the column {column!r}: it has {', '.join(map(str, table.columns))}")
    return table


def _opening(text: str, words: int) -> str:
    return " ".join(text.lower().split()[:words])


def _english(group: str, positive: bool, text: str, context: str = "") -> Single:
    return Single(group, positive, {"en": clean(text, "en")}, " ".join(context.split()))


def _commonsense(path: Path) -> list[Pair]:
    """`label, input, is_short`: short scenes in the first person, label 1 wrong; paired by their first three words."""
    table = _csv(path, ("label", "input", "is_short"))
    table = table[table["is_short"].str.lower() == "true"]
    return matched(
        _english(_opening(text, 3), label == "0", text)
        for label, text in zip(table["label"], table["input"], strict=True)
    )


def _deontology(path: Path) -> list[Pair]:
    """`label, scenario, excuse`: label 1 reasonable; paired within a scenario, which is the context."""
    rows = _csv(path, ("label", "scenario", "excuse"))[["label", "scenario", "excuse"]].itertuples(index=False)
    return matched(_english(row.scenario, row.label == "1", row.excuse, row.scenario) for row in rows)


def _justice(path: Path) -> list[Pair]:
    """`label, scenario`: label 1 reasonable; paired by what stands before "because" or by the first five words."""
    rows = _csv(path, ("label", "scenario"))[["label", "scenario"]].itertuples(index=False)

    def claim(text: str) -> str:
        words = text.lower().split()
        return " ".join(takewhile(lambda w: w != "because", words)) if "because" in words else _opening(text, 5)

    return matched(_english(claim(row.scenario), row.label == "1", row.scenario) for row in rows)


def _utilitarianism(path: Path) -> list[Pair]:
    """Two columns without a header, the first the more pleasant."""
    table = _csv(path, (0, 1), header=False)
    if list(table.iloc[0]) == ["baseline", "less_pleasant"]:  # the header that later editions have
        table = table.iloc[1:]
    return [Pair("", {"en": clean(a, "en")}, {"en": clean(b, "en")}) for a, b in zip(table[0], table[1], strict=True)]


_ETHICS: dict[str, tuple[str, str, Callable[[Path], list[Pair]]]] = {
    "morality": ("commonsense", "cm", _commonsense),
    "deontology": ("deontology", "deontology", _deontology),
    "utilitarianism": ("utilitarianism", "util", _utilitarianism),
    "fairness": ("justice", "justice", _justice),
}


def ethics(path: Path) -> tuple[Concepts, list[Path]]:
    """ETHICS (Hendrycks et al. 2021): the folder of `ethics.tar`, `{task}/{prefix}_train.csv` or `{task}/train.csv`."""
    found, files = {}, []
    for concept, (task, prefix, read) in _ETHICS.items():
        places = [path / task / f"{prefix}_train.csv", path / task / "train.csv"]
        file = next(filter(Path.is_file, places), None)
        if file:
            found[concept] = read(file)
            files.append(file)
    if not found:
        raise CorpusError(f"{path} holds no commonsense/cm_train.csv or the like: expected the folder of ethics.tar")
    return found, files


def truthfulqa(path: Path) -> tuple[Concepts, list[Path]]:
    """TruthfulQA (Lin et al. 2022), `TruthfulQA.csv`: the best answer against the incorrect one nearest in length."""
    table = _csv(path, ("Question", "Best Answer", "Incorrect Answers"))
    pairs = []
    for question, best, incorrect in table[["Question", "Best Answer", "Incorrect Answers"]].itertuples(index=False):
        wrong = [clean(answer, "en") for answer in incorrect.split(";") if answer.strip()]
        right = clean(best, "en")
        if right and wrong:
            nearest = min(wrong, key=lambda answer: abs(len(answer) - len(right)))
            pairs.append(Pair("", {"en": right}, {"en": nearest}, " ".join(question.split())))
    return {"truthfulness": pairs}, [path]


def toxigen(path: Path) -> tuple[Concepts, list[Path]]:
    """ToxiGen (Hartvigsen et al. 2022), `annotated_train.csv`: texts on one group rated benign against toxic ones."""
    table = _csv(path, ("text", "target_group", "toxicity_human"))
    rating = pd.to_numeric(table["toxicity_human"], errors="coerce")
    table = table[(rating <= _BENIGN) | (rating >= _TOXIC)].assign(benign=rating <= _BENIGN)
    rows = table[["target_group", "benign", "text"]].itertuples(index=False)
    return {"toxicity": matched(_english(row.target_group, row.benign, row.text) for row in rows)}, [path]


def advbench(path: Path) -> tuple[Concepts, list[Path]]:
    """AdvBench (Zou et al. 2023), `harmful_behaviors.csv`: its goals against the harmless instructions of our corpus.

    It has no harmless side, so there are as many pairs as there are instructions of ours at most.
    """
    harmless = [*load_pairs(["harmfulness"], ["en"])["positive"], *load_instructions("en")["harmless"]]
    singles = [_english("", False, goal) for goal in _csv(path, ("goal",))["goal"]]
    singles += [_english("", True, text) for text in dict.fromkeys(harmless)]
    return {"harmfulness": matched(singles)}, [path]


def polyrefuse(path: Path) -> tuple[Concepts, list[Path]]:
    """PolyRefuse (Wang et al. 2025): `{harmful,harmless}_{split}_translated_{language}.json`, lists of instructions.

    All files of a split are parallel by position; English is in `{harmful,harmless}_{split}.json`, in the same folder
    if anywhere. Languages without both train files are left out, and splits that one of the others lacks.
    """
    files = {m.groups(): f for f in sorted(path.glob("*.json")) if (m := _POLYREFUSE.fullmatch(f.name))}
    known = [*LANGUAGES]

    def whole(split: str, code: str | None) -> bool:
        return all((kind, split, code) in files for kind in _KINDS)

    codes = [code for code in dict.fromkeys(code for *_, code in files) if whole("train", code)]
    if not codes:
        raise CorpusError(f"{path} holds no harmful_train_translated_de.json or the like: expected PolyRefuse's folder")
    codes.sort(key=lambda code: known.index(code or "en") if (code or "en") in known else len(known))
    splits = [split for split in ("train", "val", "test") if all(whole(split, code) for code in codes)]
    singles = []
    for split in splits:
        for kind in _KINDS:
            columns = {code or "en": _instructions(files[kind, split, code]) for code in codes}
            if len(set(map(len, columns.values()))) > 1:
                raise CorpusError(f"{path}: the {kind} {split} files of the languages differ in length")
            for texts in zip(*columns.values(), strict=True):
                one = {code: clean(text, code) for code, text in zip(columns, texts, strict=True)}
                singles.append(Single("", kind == "harmless", one))
    used = [file for (_, split, code), file in files.items() if split in splits and code in codes]
    return {"harmfulness": matched(singles)}, used


def _instructions(path: Path) -> list[str]:
    try:
        return [entry["instruction"].strip() for entry in json.loads(path.read_text(encoding="utf-8"))]
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise CorpusError(
            f"{path} is not in PolyRefuse's form ({type(error).__name__}: {error}): expected a list of "
            '{"instruction": …}'
        ) from None


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
    for concept, pairs in made.items():
        if len(pairs) < 2:
            raise CorpusError(f"{path} gives {len(pairs)} pairs of {concept} that can be used: expected at least two")
    with whole_folder(out) as folder:
        for concept, pairs in made.items():
            _write(folder / concept, source, pairs)
        (folder / "README.md").write_text(_card(source, files, made), encoding="utf-8")
    return {(concept, " ".join(pairs[0].positive)): len(pairs) for concept, pairs in made.items()}


def _write(folder: Path, source: str, pairs: list[Pair]) -> None:
    folder.mkdir()
    names = {group: f"g{k:04d}" for k, group in enumerate(dict.fromkeys(pair.group for pair in pairs), start=1)}
    context = any(pair.context for pair in pairs)
    for code in pairs[0].positive:
        lines = ["\t".join(["id", "group", "origin", *["context"] * context, "positive", "negative"])]
        for k, pair in enumerate(pairs, start=1):
            group = names[pair.group] if pair.group else f"g{k:04d}"
            fields = [f"{k:04d}", group, source, *[pair.context] * context, pair.positive[code], pair.negative[code]]
            lines.append("\t".join(fields))
        (folder / f"{code}.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _card(source: str, files: list[Path], made: Concepts) -> str:
    counts = "".join(f"- {concept}: {len(pairs)} pairs\n" for concept, pairs in made.items())
    hashes = "".join(f"- `{file.name}`: SHA-256 `{file_sha256(file)}`\n" for file in files)
    return (
        f"# Made from {source}\n\nBy `xlv data convert {source}`; the texts keep the licence of their source. Pairs "
        f"whose sides differ in form or length were left out.\n\n{counts}\nFiles:\n\n{hashes}"
    )
