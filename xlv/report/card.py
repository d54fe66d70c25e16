"""The card of one model: a page of HTML that needs nothing beside it."""

import io
from datetime import date

import xarray as xr
from jinja2 import Environment, PackageLoader
from markdown_it import MarkdownIt
from markupsafe import Markup

from xlv.corpus.languages import language
from xlv.questions.claims.ledger import CLAIMS, judged
from xlv.questions.claims.verdicts import OF_CONTROL, OF_TWO
from xlv.questions.control.rates import refusal_table
from xlv.questions.recognition.tables import own_accuracy
from xlv.report import answers, home, ledger
from xlv.report.drawing import use_style
from xlv.report.figures.transfer import transfer_map
from xlv.report.formats import say
from xlv.schema import BASELINE, KINDS

WEAKEST = 5
PROVENANCE = ("model", "revision", "weights", "dtype", "template", "corpus", "settings", "xlv")
_MARKDOWN = MarkdownIt("commonmark", {"html": False})
# Names come from outside: the template escapes everything but what is Markup.
_PAGES = Environment(loader=PackageLoader("xlv.report", "assets"), autoescape=True)
_PAGES.globals |= {"claims": CLAIMS, "kinds": ledger.KINDS, "number": ledger.number, "provenance": PROVENANCE}
_PAGES.filters |= {
    "label": lambda code: language(str(code)).label,
    "paragraphs": lambda text: Markup(_MARKDOWN.render(text)),
}


def card(recognition: xr.Dataset, consistency: xr.Dataset, control: xr.Dataset | None) -> str:
    """The card as HTML: verdicts on the claims, answers, heat map of transfer, weakest languages, provenance.

    `control` is None where question 4 was not asked. The page is complete in itself: no script, no other file.
    """
    use_style()
    model, title = str(recognition.attrs["model"]), str(recognition.attrs["title"])
    read, alike, moved = {model: recognition}, {model: consistency}, {} if control is None else {model: control}
    found = judged(read, alike, moved)
    cells = found.verdicts[~found.verdicts["claim"].isin((*OF_TWO, *OF_CONTROL))].set_index(["claim", "concept"])
    not_asked, refused = say("refusals", "not_asked", title=title), None
    if control is not None:  # where harmful instructions are refused least, and beside them harmless ones
        table = refusal_table(control)
        table = table[table["condition"] == BASELINE].set_index(["kind", "target"])
        harmful, harmless = (table.loc[kind] for kind in KINDS)
        refused = harmful.nsmallest(WEAKEST, "rate").join(harmless.add_suffix("_harmless"))
    drawing = io.StringIO()
    transfer_map(read).savefig(drawing, format="svg", metadata={"Date": None})
    return _PAGES.get_template("card.html").render(
        title=title,
        sizes=recognition.sizes,
        today=date.today(),
        cells=cells.assign(kind=ledger.kinds(cells)).to_dict("index"),
        asked=ledger.OF_ONE,
        concepts=cells.index.unique("concept"),
        unjudged=bool(found.unjudged),
        eighth=answers.of_control(found, model),
        answers={
            **{say("cards", f"{name}_title"): home.answer(found, name) for name in list(home.CARDS)[:3]},
            "Controllable?": not_asked if control is None else answers.control(moved),
        },
        drawing=Markup(drawing.getvalue()[drawing.getvalue().index("<svg") :]),
        least_read=own_accuracy(recognition).nsmallest(WEAKEST, "accuracy"),
        refused=refused,
        not_asked=not_asked,
        sources={"questions 1 to 3": recognition} | ({} if control is None else {"question 4": control}),
    )
