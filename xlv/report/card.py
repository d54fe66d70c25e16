"""The card of one model: a page of HTML that needs nothing beside it."""

import io
import re
from collections.abc import Iterable, Sequence
from datetime import date
from html import escape

import pandas as pd
import xarray as xr
from matplotlib.figure import Figure

from xlv.control.names import BASELINE, KINDS
from xlv.corpus.languages import language
from xlv.questions.claims.ledger import findings, statistic
from xlv.questions.claims.rules import CLAIMS, RULES
from xlv.questions.claims.verdicts import Finding
from xlv.questions.control.rates import moves, refusal_table
from xlv.questions.recognition.tables import own_accuracy
from xlv.report import answers
from xlv.report.control_answers import control as control_answer
from xlv.report.figures.claims import VERDICTS
from xlv.report.figures.transfer import transfer_map
from xlv.report.style import use_style

WEAKEST = 5
_PROVENANCE = ("model", "revision", "weights", "dtype", "template", "corpus", "settings", "xlv")
_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 52rem; margin: 2rem auto; padding: 0 1rem;
  color: #222; background: #fff }
h1 { font-size: 1.5rem }
h2 { font-size: 1.15rem; margin-top: 2rem }
table { border-collapse: collapse; width: 100% }
th, td { text-align: left; padding: .3rem .5rem; vertical-align: top; border-bottom: 1px solid #ddd }
svg { max-width: 100%; height: auto }
.note { color: #555; font-size: .9rem }
code { overflow-wrap: anywhere }
"""
_BOLD = re.compile(r"[*][*](.+?)[*][*]")


def card(recognition: xr.Dataset, consistency: xr.Dataset, control: xr.Dataset | None) -> str:
    """The card as HTML: verdicts on the claims, answers, heat map of transfer, weakest languages, provenance.

    `control` is None where question 4 was not asked. The page is complete in itself: no script, no other file.
    """
    use_style()
    name, title = str(recognition.attrs["model"]), str(recognition.attrs["title"])
    moved = {name: moves(control)} if control is not None else {}
    found = findings({name: recognition}, {name: consistency}, moved, {})[name]
    figure = transfer_map({name: recognition})
    parts = [
        _verdicts(found),
        *_answers({name: recognition}, {name: consistency}, {name: control} if control is not None else {}, title),
        "<h2>Transfer between languages</h2>",
        _svg(figure, f"Transferability of {title}: sources down, targets across, in resource order."),
        _weakest_recognition(recognition),
        _weakest_refusal(control, title),
        _provenance([recognition, *([control] if control is not None else [])]),
    ]
    heading = f"Values across languages: {title}"
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(heading)}</title>'
        f"<style>{_STYLE}</style></head><body>\n<h1>{escape(heading)}</h1>\n"
        f'<p class="note">{escape(_scope(recognition))}</p>\n' + "\n".join(parts) + "\n</body></html>\n"
    )


def _scope(recognition: xr.Dataset) -> str:
    sizes = recognition.sizes
    return (
        f"What the model's hidden states hold about {sizes['concept']} concepts in {sizes['source']} languages, with "
        f"up to {sizes['pair']} contrastive pairs of each, and whether refusals can be moved. It is no certificate: it "
        f"says what was measured, on one corpus, on {date.today()}."
    )


def _table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """An HTML table of cells that are HTML already."""
    head = "".join(f"<th>{escape(text)}</th>" for text in headings)
    body = "\n".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>\n{body}\n</tbody></table>"


def _verdicts(found: Sequence[Finding]) -> str:
    rows = [
        (
            f'<span title="{escape(RULES[f.claim])}">{f.claim}. {escape(CLAIMS[f.claim])}</span>',
            escape(statistic(f)),
            f'<span style="background: {VERDICTS[f.verdict]}; padding: 0 .4rem">{escape(f.verdict)}</span>',
            escape(f.why),
        )
        for f in found
    ]
    return "<h2>The paper's claims, judged on this model</h2>\n" + _table(("claim", "value", "verdict", "why"), rows)


def _answers(recognition: dict, consistency: dict, control: dict, title: str) -> list[str]:
    texts = [answers.recognition(recognition), answers.consistency(consistency), answers.transfer(recognition)]
    texts.append(control_answer(control) if control else _not_asked(title))
    questions = ("Encoded?", "Consistent?", "Transferable?", "Controllable?")
    return ["<h2>The four questions</h2>"] + [
        f"<h3>{question}</h3>\n{_paragraphs(text)}" for question, text in zip(questions, texts, strict=True)
    ]


def _paragraphs(markdown: str) -> str:
    """The answers' subset of Markdown, items and bold, as HTML paragraphs."""
    lines = [escape(line.removeprefix("- ")) for line in markdown.splitlines() if line.strip()]
    return "\n".join(_BOLD.sub("<strong>\\1</strong>", f"<p>{line}</p>") for line in lines)


def _not_asked(title: str) -> str:
    return f"Question 4 was not asked: {title} has no chat template, so there are no refusals to move."


def _svg(figure: Figure, description: str) -> str:
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None})
    drawing = buffer.getvalue()
    drawing = drawing[drawing.index("<svg") :]
    return drawing.replace("<svg", f'<svg role="img" aria-label="{escape(description)}"', 1)


def _weakest_recognition(recognition: xr.Dataset) -> str:
    table = own_accuracy(recognition).nsmallest(WEAKEST, "accuracy")
    rows = [
        (escape(language(str(code)).label), f"{row['accuracy']:.2f} ({row['low']:.2f} to {row['high']:.2f})")
        for code, row in table.iterrows()
    ]
    return "<h2>Where concepts are read least</h2>\n" + _table(("language", "own accuracy (95 % interval)"), rows)


def _weakest_refusal(control: xr.Dataset | None, title: str) -> str:
    heading = "<h2>The weakest languages for refusal</h2>\n"
    if control is None:
        return f"{heading}<p>{escape(_not_asked(title))}</p>"
    table = refusal_table(control)
    plain = table[table["condition"] == BASELINE].set_index(["kind", "target"])
    harmful, harmless = (plain.loc[kind] for kind in KINDS)

    def cell(row: pd.Series) -> str:
        return f"{row['rate']:.2f} ({row['low']:.2f} to {row['high']:.2f})"

    rows = [
        (escape(language(str(code)).label), cell(row), cell(harmless.loc[code]), f"{row['prompts']:.0f}")
        for code, row in harmful.nsmallest(WEAKEST, "rate").iterrows()
    ]
    headings = ("language", "harmful refused (95 % interval)", "harmless refused", "prompts of each kind")
    return heading + _table(headings, rows)


def _provenance(datasets: Sequence[xr.Dataset]) -> str:
    questions = ("questions 1 to 3", "question 4")[: len(datasets)]
    rows = [
        (name, *(f"<code>{escape(str(dataset.attrs.get(name, '')))}</code>" for dataset in datasets))
        for name in _PROVENANCE
    ]
    return "<h2>Provenance</h2>\n" + _table(("", *questions), rows)
