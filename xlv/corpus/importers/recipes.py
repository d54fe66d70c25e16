"""Recipes: published files of well-known sources, on the user's disk, turned into a corpus of ours.

Nothing is downloaded, and the sources keep their licences. What a source has as single texts is paired by `matching`;
`recipes.toml` says which files and columns are read. Where they are instructions, some are set aside before as the
control set of question 4.
"""

import csv
import json
import re
import tomllib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from xlv.cache import file_sha256, whole_folder
from xlv.corpus.form import unparallel
from xlv.corpus.importers.matching import Pair, Single, clean, levelled, matched, usable
from xlv.corpus.languages import LANGUAGES, known_first
from xlv.corpus.pairs import MIN_SPLIT, SEARCH_SIZE, SPECIAL, SPLITS, load_instructions
from xlv.corpus.table import BUILT_IN, CorpusError, read_table
from xlv.schema import KINDS

Found = tuple[dict[str, list[Single] | list[Pair]], list[Path], list[str]]  # by concept, from which files, in words
_TABLES = tomllib.loads(Path(__file__).with_name("recipes.toml").read_text(encoding="utf-8"))
RECIPES = (*_TABLES, "polyrefuse")
_BENIGN, _TOXIC = 2.0, 4.0  # mean human rating of toxicity, 1 to 5, up to and from which a text counts
_POLYREFUSE = re.compile(r"(harmful|harmless)_(train|val|test)(?:_\d+_sampled|_translated_([a-z]{2,3}))?\.json")


def _english(group: str, positive: bool, text: str, context: str = "") -> Single:
    return Single(group, positive, {"en": clean(text, "en")}, " ".join(context.split()))


def _claim(text: str) -> str:
    """What stands before "because", or the first five words."""
    words = text.lower().split()
    return " ".join(words[: words.index("because") if "because" in words else 5])


def _answers(question: str, best: str, incorrect: str) -> Pair | None:
    """The best answer against the incorrect one nearest in length."""
    right, wrong = clean(best, "en"), [clean(answer, "en") for answer in incorrect.split(";") if answer.strip()]
    if right and wrong:
        nearest = min(wrong, key=lambda answer: abs(len(answer) - len(right)))
        return Pair("", {"en": right}, {"en": nearest}, " ".join(question.split()))


def _rated(group: str, text: str, rating: str) -> Single | None:
    mean = float(pd.to_numeric(rating, errors="coerce"))
    return _english(group, mean <= _BENIGN, unwrapped(text)) if mean <= _BENIGN or mean >= _TOXIC else None


def unwrapped(text: str) -> str:
    """ToxiGen's text: published as Python prints bytes, `b'caf\\xc3\\xa9'`; some are cut, within a character even."""
    body = re.sub(r"""^b(['"])(.*?)\1?$""", r"\2", text.strip(), flags=re.DOTALL)
    printed = body.encode("ascii", "ignore").decode("unicode_escape", "ignore").encode("latin-1", "ignore")
    return printed.decode("utf-8", "ignore") if body.isascii() else body


_ROWS = {  # a text with its side, or a pair, of a row of a concept's columns; nothing of a row that is of no use
    # short scenes in the first person, label 1 wrong; paired by their first three words
    "morality": lambda label, text, is_short: (
        is_short.lower() == "true" and _english(" ".join(text.lower().split()[:3]), label == "0", text)
    ),
    "deontology": lambda label, scenario, excuse: _english(scenario, label == "1", excuse, scenario),
    "utilitarianism": lambda *row: row[1] != "less_pleasant" and Pair("", *({"en": clean(text, "en")} for text in row)),
    "fairness": lambda label, text: _english(_claim(text), label == "1", text),
    "truthfulness": _answers,
    "toxicity": _rated,
    "harmfulness": lambda goal: _english("", False, goal),
}


def _csv(path: Path, columns: list[str] | list[int]) -> list[list[str]]:
    """Columns of a CSV file, row by row; numbers are columns of one without a header."""
    try:
        header = None if columns[0] == 0 else 0
        table = pd.read_csv(path, dtype=str, keep_default_na=False, header=header, encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        raise CorpusError(f"{path} is no CSV file in UTF-8 ({error})") from None
    if absent := [column for column in columns if column not in table]:
        raise CorpusError(f"{path} lacks the column {absent[0]!r}: it has {', '.join(map(str, table.columns))}")
    return table[columns].to_numpy().tolist()


def _from_tables(source: str, path: Path) -> Found:
    about, found, used, said = _TABLES[source], {}, [], []
    for concept, part in about["concepts"].items():
        if file := next((path / place for place in part["files"] if (path / place).is_file()), None):
            rows, ours = _csv(file, part["columns"]), []
            if source == "advbench":
                ours = [
                    *read_table(BUILT_IN / "harmfulness" / "en.tsv")["positive"],
                    *load_instructions("en")["harmless"],
                ]
            items = [item for row in rows if (item := _ROWS[concept](*row))]
            found[concept] = [*(_english("", True, text) for text in ours), *items]
            used.append(file)
            said.append(about["said"].format(concept=concept, rows=len(rows), use=len(items), ours=len(ours)))
    if not found:
        raise CorpusError(f"{path} holds no {part['files'][0]} or the like: expected {about['expected']}")
    return found, used, said


def _from_polyrefuse(path: Path, languages: Sequence[str]) -> Found:
    """PolyRefuse (Wang et al. 2025): `{harmful,harmless}_{split}_translated_{language}.json`, lists of instructions.

    All files of a split are parallel by position. English is in the same folder if anywhere, `harmful_{split}.json` and
    `harmless_{split}_200_sampled.json`, for test 500. Languages without both train files are left out, or those not
    asked for, and splits that one of the others lacks. The group of a text is its split.
    """
    files = {m.groups("en"): file for file in sorted(path.glob("*.json")) if (m := _POLYREFUSE.fullmatch(file.name))}
    whole = {(split, code) for _, split, code in files if all((kind, split, code) in files for kind in KINDS)}
    found = known_first({code for split, code in whole if split == "train"}, LANGUAGES)
    if not found:
        raise CorpusError(f"{path} holds no harmful_train_translated_de.json or the like: expected PolyRefuse's folder")
    if absent := [code for code in languages if code not in found]:
        raise CorpusError(f"{path} lacks train files of {absent[0]!r}: choose from {', '.join(found)}")
    codes, singles, used, said = [*dict.fromkeys(languages)] or found, [], [], []
    for split in ("train", "val", "test"):
        lack = [code for code in codes if (split, code) not in whole]
        said += [f"split {split} left out: {' '.join(lack)} lack it"] if 0 < len(lack) < len(codes) else []
        for kind in () if lack else KINDS:
            each = {code: files[kind, split, code] for code in codes}
            texts = {code: [clean(text, code) for text in _instructions(file)] for code, file in each.items()}
            if len({*map(len, texts.values())}) > 1:
                counts = ", ".join(f"{file.name} has {len(texts[code])}" for code, file in each.items())
                file = f"{kind}_{split}_{500 if split == 'test' else 200}_sampled.json"
                remedy = f"English is in {file}" if kind == "harmless" else "download again"
                raise CorpusError(f"{path}: expected as many instructions in each file, but {counts}; {remedy}")
            said += [f"{kind} {split}: {note}" for note in (f"{len(texts[codes[0]])} instructions", *unparallel(texts))]
            singles += [Single(split, kind == "harmless", row) for row in pd.DataFrame(texts).to_dict("records")]
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


def convert(
    source: str, path: Path, out: Path, *, limit: int | None = None, languages: Sequence[str] = ()
) -> list[str]:
    """Write a corpus folder from a source's published files; says what was read, made and left out, a line each.

    Sources of instructions give a control set, too, of which no text stands in the pairs.
    `languages` are those to take of a source that has several (none: all). Raises ValueError for an unknown source or
    language, and CorpusError for files that are missing or of another form, for an `out` that exists, and where fewer
    than two pairs can be made; then nothing is written.
    """
    path, out = Path(path), Path(out)
    if source not in RECIPES:
        raise ValueError(f"unknown source {source!r}: choose one of {', '.join(RECIPES)}")
    if limit is not None and limit < 2:
        raise ValueError(f"expected at least 2 pairs, got {limit}")
    if source in _TABLES and {*languages} - {"en"}:
        raise ValueError(f"{source} is in English only: leave the languages out")
    if out.exists():
        raise CorpusError(f"{out} exists: give a folder that does not")
    concepts, files, said = _from_tables(source, path) if source in _TABLES else _from_polyrefuse(path, languages)
    made = {concept: _made(source, concept, items, limit, said) for concept, items in concepts.items()}
    if few := [concept for concept, (pairs, _) in made.items() if len(pairs) < 2]:
        raise CorpusError(f"{path} gives fewer than two pairs of {few[0]}: {'; '.join(said)}")
    with whole_folder(out) as folder:
        for concept, (pairs, control) in made.items():
            _write(folder / concept, source, pairs)
            if control:
                _write(folder / "control", source, control, SPECIAL["control"])
        account = [*said, *(f"`{file.name}`: SHA-256 `{file_sha256(file)}`" for file in files)]
        made_by = f"# Made from {source}\n\nBy `xlv data convert {source}`; the texts keep the licence of their source."
        (folder / "README.md").write_text("\n- ".join([f"{made_by}\n", *account]) + "\n", encoding="utf-8")
    return said


def _made(
    source: str, concept: str, items: list[Single] | list[Pair], limit: int | None, said: list[str]
) -> tuple[list[Pair], list[Pair]]:
    """Pairs of what a source has of a concept, and its control set; what was left out on the way to them is said."""
    pairs = matched(items) if items and isinstance(items[0], Single) else items
    sides = Counter("positive" if item.positive else "negative" for item in items if pairs is not items)
    left = {f"{side} texts without a partner of like length and ending": n - len(pairs) for side, n in sides.items()}
    found = usable(pairs)
    good, control = _apart(source, found, said) if concept == "harmfulness" else (found, [])
    kept = levelled(good[:limit])
    left["pairs with sides that are equal, end differently or stood before"] = len(pairs) - len(found)
    left["pairs set aside for the control set"] = len(found) - len(good)
    left["pairs beyond the number asked for"] = len(good) - len(good[:limit])
    left["pairs so that both sides are equally long"] = len(good[:limit]) - len(kept)
    why = ", ".join(f"{n} {reason}" for reason, n in left.items() if n) or "nothing"
    said.append(f"{concept}: {len(kept)} pairs in {' '.join(kept[0].positive) if kept else 'none'}; left out: {why}")
    return kept, control


def _apart(source: str, pairs: list[Pair], said: list[str]) -> tuple[list[Pair], list[Pair]]:
    """Pairs for the concept, and those of the control set, whose group is their split; no text is in both.

    PolyRefuse's test split is to evaluate on, a third of its train split at most to search on. AdvBench has no splits:
    its goals beside our own harmless instructions, so divided, are the control set.
    """
    if source == "advbench":
        ours = {clean(text, "en") for text in load_instructions("en")["harmless"]}
        search = evaluation = [pair for pair in pairs if pair.positive["en"] in ours]
    else:
        search, evaluation = ([pair for pair in pairs if pair.group == split] for split in ("train", "test"))
    search = search[: min(SEARCH_SIZE, len(search) // 3)]
    evaluation = [pair for pair in evaluation if pair not in search]
    parts = zip(SPLITS, (search, evaluation), strict=True)
    control = levelled([pair._replace(group=split) for split, part in parts for pair in part])
    counts = Counter(pair.group for pair in control)
    if min(counts[split] for split in SPLITS) < MIN_SPLIT:
        said.append("control: none, the train or the test split has too few instructions")
        return [pair._replace(group="") for pair in pairs], []
    taken, numbers = [*search, *evaluation], " and ".join(f"{counts[split]} for the {split}" for split in SPLITS)
    lost = f"{len(taken) - len(control)} so that both kinds are equally long"
    said.append(f"control: of each kind {numbers}; left out: {lost}")
    return [pair._replace(group="") for pair in pairs if pair not in taken], control


def _write(folder: Path, source: str, pairs: list[Pair], names: Sequence[str] = ("positive", "negative")) -> None:
    """Write a file per language: of pairs, or with other `names` of the sides of a control set, by split as group."""
    table, numbers = pd.DataFrame(pairs), [f"{k:04d}" for k in range(1, len(pairs) + 1)]
    groups, _ = pd.factorize(table["group"].where(table["group"] != "", numbers))
    columns = {"id": numbers, "group": [f"g{k + 1:04d}" for k in groups], "origin": source}
    if names[0] == "harmless":
        columns = {"id": numbers, "category": source, "origin": source, "split": table["group"]}
    elif table["context"].any():
        columns["context"] = table["context"]
    folder.mkdir()
    for code in pairs[0].positive:
        sides = {name: table[side].str[code] for name, side in zip(names, ("positive", "negative"), strict=True)}
        pd.DataFrame(columns | sides).to_csv(folder / f"{code}.tsv", sep="\t", index=False, quoting=csv.QUOTE_NONE)
