from types import SimpleNamespace

import pytest
from docutils import nodes
from xlv.report.pages import let_figures_scroll, mend_roles, web_address


@pytest.mark.parametrize(
    "remote",
    ["git@github.com:owner/name.git\n", "https://github.com/owner/name", "ssh://git@github.com/owner/name.git/"],
)
def test_the_buttons_lead_to_the_page_of_the_remote(remote):
    assert web_address(remote) == "https://github.com/owner/name"


@pytest.mark.parametrize("remote", ["", "/srv/git/name.git", "https://example.org/owner/name.git"])
def test_without_a_known_host_there_are_no_buttons(remote):
    assert web_address(remote) == ""


def test_a_figure_scrolls_and_its_caption_does_not():
    figure = nodes.figure("", nodes.image(), nodes.caption("", "what is seen"))
    document = SimpleNamespace(findall=figure.findall)
    let_figures_scroll(None, document, "page")
    box, caption = figure.children
    assert isinstance(box.children[0], nodes.image) and isinstance(caption, nodes.caption)


def test_a_bibliography_is_not_called_a_list_without_items():
    context = {"body": '<div role="list" class="citation-list">'}
    mend_roles(None, "page", "template", context, None)
    assert "role" not in context["body"]
