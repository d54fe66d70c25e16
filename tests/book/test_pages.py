"""The book's Sphinx extension, loaded from where `_config.yml` says it lies."""

import sys
from base64 import b64decode
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from docutils import nodes

from xlv import __version__

ROOT = Path(__file__).parents[2]
SPHINX = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))["sphinx"]


@pytest.fixture
def pages(monkeypatch):
    """The extension's module, found as Jupyter Book finds it."""
    [(name, folder)] = SPHINX["local_extensions"].items()
    monkeypatch.syspath_prepend(ROOT / folder)
    yield __import__(name)
    del sys.modules[name]


def test_the_settings_load_the_extension(pages):
    assert pages.__name__ in SPHINX["config"]["extensions"], "a list of all extensions must name this one, too"
    assert Path(pages.__file__).is_relative_to(ROOT / "book"), "an edition is assembled from the folder book"


@pytest.mark.parametrize(
    "remote",
    ["git@github.com:owner/name.git\n", "https://github.com/owner/name", "ssh://git@github.com/owner/name.git/"],
)
def test_the_buttons_lead_to_the_page_of_the_remote(pages, remote):
    assert pages.web_address(remote) == "https://github.com/owner/name"


@pytest.mark.parametrize("remote", ["", "/srv/git/name.git", "https://example.org/owner/name.git"])
def test_without_a_known_host_there_are_no_buttons(pages, remote):
    assert pages.web_address(remote) == ""


def test_every_page_says_the_version_and_has_buttons_where_there_is_a_remote(pages, monkeypatch):
    for remote, buttons in (("https://github.com/owner/name", True), ("", False)):
        monkeypatch.setattr(pages, "_remote", lambda _folder, remote=remote: remote)
        config = SimpleNamespace(html_theme_options={})
        pages.set_options(SimpleNamespace(srcdir="."), config)
        assert config.html_theme_options["extra_footer"] == f"xlv {__version__}"
        assert config.html_theme_options.get("use_repository_button", False) == buttons


def test_a_figure_scrolls_and_its_caption_does_not(pages):
    figure = nodes.figure("", nodes.image(), nodes.caption("", "what is seen"))
    document = SimpleNamespace(findall=figure.findall)
    pages.let_figures_scroll(None, document, "page")
    box, caption = figure.children
    assert isinstance(box.children[0], nodes.image) and isinstance(caption, nodes.caption)


def test_a_bibliography_is_not_called_a_list_without_items(pages):
    context = {"body": '<div role="list" class="citation-list">'}
    pages.mend_roles(None, "page", "template", context, None)
    assert "role" not in context["body"]


def test_a_docstring_s_names_are_code_and_its_lines_of_names_a_list(pages):
    lines = [
        "What `x` is.",
        "",
        "pairs     so many; see `y`",
        "a, b      two names, whose",
        "          meaning is long",
        "",
    ]
    pages.tidy_docstring(None, "class", "name", None, None, lines)
    assert lines == [
        *("What ``x`` is.", ""),
        *("", "``pairs``", "    so many; see ``y``"),
        *("", "``a, b``", "    two names, whose", "    meaning is long", ""),
    ]


def shown_by_a_notebook(plain: str) -> nodes.figure:
    """A figure as MyST-NB keeps it until a form of its output is chosen: a picture and its plain text."""
    forms = [("image/svg+xml", nodes.image()), ("text/plain", nodes.literal_block("", plain))]
    bundle = nodes.container("", *(nodes.container("", node, mime_type=kind) for kind, node in forms))
    return nodes.figure("", bundle, nodes.caption("", "what is seen"), names=["fig-some-name"])


def test_a_figure_s_numbers_are_offered_below_it(pages):
    table = "model,language,accuracy\nMy model,en,0.5"
    output = nodes.container("", shown_by_a_notebook(table))
    pages.offer_numbers(None, SimpleNamespace(findall=output.findall))
    figure, link = output.children
    assert isinstance(figure, nodes.figure) and 'download="some-name.csv"' in link.astext()
    assert b64decode(link.astext().split("base64,")[1].split('"')[0]).decode() == table


def test_a_figure_without_numbers_offers_none(pages):
    output = nodes.container("", shown_by_a_notebook("<NumberedFigure size 200x200 with 1 Axes>"))
    pages.offer_numbers(None, SimpleNamespace(findall=output.findall))
    assert len(output.children) == 1
