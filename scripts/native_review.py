"""A form by which a native speaker reviews the corpus without this project, and the table that filled-in forms give.

python -m scripts.native_review form sw --out forms    writes `forms/review-sw.csv` and how to fill it in
python -m scripts.native_review read forms/*.csv       prints agreement by language

A form is a spreadsheet (CSV) of a random sample of pairs, the same number from each concept, with both texts in an
order that does not say which one is in line with the value, and the English beside them.
"""

import csv
import io
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import pandas as pd
import typer

from xlv.corpus.concepts import CONCEPTS, VALUES
from xlv.corpus.languages import language
from xlv.corpus.pairs import load_pairs

MARKS = ("natural A", "natural B", "same meaning", "in line with the value")
_ASKED = {"natural A": ("yes", "no"), "natural B": ("yes", "no"), "same meaning": ("yes", "no")}
_ASKED["in line with the value"] = ("a", "b", "neither")
_GUIDE = """How to fill in this form ({name}). Each row has two texts, A and B, in {name}, and the English of both.
- natural A, natural B: yes, if an educated speaker could have written the text; else no.
- same meaning: yes, if A and B say what their English says, and differ from each other in the same way; else no.
- in line with the value: a or b, the text that fits "the value" better by your own judgement; neither, if none does.
- remarks: whatever should be mended. Leave no mark empty; the order of A and B says nothing.
Save the sheet as CSV under the same name and send it back.
"""
app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)


def review_form(code: str, *, per_concept: int = 6, seed: int = 0, data: Path | None = None) -> pd.DataFrame:
    """A sample of a language's pairs to be marked: a row per pair, the marks MARKS empty.

    A and B are in random order. Raises ValueError for a language that the corpus does not have.
    """
    table = load_pairs(VALUES if data is None else None, [code], cohort="all", data=data)
    english = load_pairs(VALUES if data is None else None, ["en"], cohort="all", data=data)
    rng, rows = random.Random(f"{seed} {code}"), []
    for concept, pairs in table.groupby("concept", sort=False):
        for i in sorted(rng.sample(list(pairs.index), min(per_concept, len(pairs)))):
            sides = ("positive", "negative") if _positive_first(seed, code, concept, pairs["pair"][i]) else None
            sides = sides or ("negative", "positive")
            value = CONCEPTS[concept].positive if concept in CONCEPTS else concept
            row = {"seed": seed, "language": code, "id": f"{concept} {pairs['pair'][i]}", "the value": value}
            row["context"], row["context in English"] = pairs["context"][i], english["context"][i]
            row |= {name: pairs[side][i] for name, side in zip("AB", sides, strict=True)}
            row |= {f"{name} in English": english[side][i] for name, side in zip("AB", sides, strict=True)}
            rows.append(row | dict.fromkeys((*MARKS, "remarks"), ""))
    return pd.DataFrame(rows)


def _positive_first(seed: int, code: str, concept: str, pair: str) -> bool:
    return random.Random(f"{seed} {code} {concept} {pair}").random() < 0.5


def read_form(path: Path) -> pd.DataFrame:
    """The marks of a filled-in form, as yes and no by row, with the columns `language concept pair` and MARKS.

    "in line with the value" becomes whether the reader chose the corpus's positive text. Spreadsheets of any country's
    separator are read. Raises ValueError for a form that lacks a column or a mark, with its row.
    """
    text = path.read_text(encoding="utf-8-sig")
    separator = max(",;\t", key=text.split("\n", 1)[0].count)
    rows = list(csv.DictReader(io.StringIO(text), delimiter=separator))
    found = []
    for number, row in enumerate(rows, start=2):
        marks = {name: (row.get(name) or "").strip().lower() for name in MARKS}
        for name, mark in marks.items():
            if mark not in _ASKED[name]:
                raise ValueError(f"{path}, row {number}: {name!r} is {mark!r}, expected {' or '.join(_ASKED[name])}")
        concept, pair = row["id"].split()  # one field, for a spreadsheet makes 1 of 01
        about = {"language": row["language"], "concept": concept, "pair": pair}
        wanted = "a" if _positive_first(int(row["seed"]), *about.values()) else "b"
        answers = {name: marks[name] == "yes" for name in MARKS[:-1]} | {MARKS[-1]: marks[MARKS[-1]] == wanted}
        found.append(about | answers)
    if not found:
        raise ValueError(f"{path} has no rows: expected a form as `form` writes it")
    return pd.DataFrame(found)


def agreement(forms: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Shares of marks by language over forms as `read_form` returns them, one form per reader.

    Columns: readers, pairs (distinct), `natural` (texts), `same meaning`, `value` (the corpus's positive text chosen),
    and `readers agree` (share of marks that two readers of one pair gave alike; NaN where no pair has two).
    """
    marks = pd.concat([form.assign(reader=number) for number, form in enumerate(forms)], ignore_index=True)
    rows = {}
    for code, found in marks.groupby("language", sort=False):
        natural = found[["natural A", "natural B"]].to_numpy().mean()
        row = {"readers": found["reader"].nunique(), "pairs": len(found.drop_duplicates(["concept", "pair"]))}
        row |= {"natural": natural, "same meaning": found["same meaning"].mean(), "value": found[MARKS[-1]].mean()}
        twice = found.merge(found, on=["concept", "pair"]).query("reader_x < reader_y")
        alike = [(twice[f"{name}_x"] == twice[f"{name}_y"]).mean() for name in MARKS] if len(twice) else [float("nan")]
        rows[language(code).name] = row | {"readers agree": sum(alike) / len(alike)}
    return pd.DataFrame.from_dict(rows, orient="index")


@app.command()
def form(
    code: Annotated[str, typer.Argument(help="Language of the form, such as sw.")],
    out: Annotated[Path, typer.Option(help="Folder for the form.")] = Path("forms"),
    per_concept: Annotated[int, typer.Option(help="Pairs of each concept.", min=1)] = 6,
    seed: Annotated[int, typer.Option(help="Draws the sample: another seed, another sample.")] = 0,
) -> None:
    """Write a form for a language, and how to fill it in."""
    sheet = review_form(code, per_concept=per_concept, seed=seed)
    out.mkdir(parents=True, exist_ok=True)
    path = out / f"review-{code}.csv"
    if path.exists():
        raise typer.BadParameter(f"{path} is there already: it may be filled in; choose another --out")
    sheet.to_csv(path, index=False, encoding="utf-8-sig")  # the mark by which spreadsheets know UTF-8
    (out / f"review-{code}.txt").write_text(_GUIDE.format(name=language(code).name), encoding="utf-8")
    typer.echo(f"{path}: {len(sheet)} pairs to review")


@app.command()
def read(paths: Annotated[list[Path], typer.Argument(help="Filled-in forms, one per reader.")]) -> None:
    """Print what readers marked, by language."""
    typer.echo(agreement([read_form(path) for path in paths]).to_string(float_format="{:.2f}".format))


if __name__ == "__main__":
    app()
