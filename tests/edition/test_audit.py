import re
from html.parser import HTMLParser

import pytest

from tests.cli.command import xlv
from tests.edition.conftest import PROFILE
from tests.gguf_file import write_gguf
from xlv.edition.audit import audit_model
from xlv.questions.claims.rules import CLAIMS
from xlv.report.card import card
from xlv.results import load

PLAIN = ("meta", "br", "img")


class Page(HTMLParser):
    """Reads a page: its text, its headings, what it refers to, and whether every element is closed."""

    def __init__(self, html):
        super().__init__()
        self.text, self.open, self.references, self.names = "", [], [], []
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        self.names.append(tag)
        self.references += [value for name, value in attributes if name in ("src", "href", "xlink:href")]
        if tag not in PLAIN:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.names.append(tag)
        self.references += [value for name, value in attributes if name in ("src", "href", "xlink:href")]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def test_an_audit_of_a_folder_never_seen_gives_a_card_complete_in_itself(tiny_folder, tmp_path, monkeypatch):
    path = audit_model(str(tiny_folder), PROFILE, tmp_path / "audit")
    assert path == tmp_path / "audit" / "my-model.html"
    page = Page(path.read_text(encoding="utf-8"))
    assert page.open == [] and "svg" in page.names and "script" not in page.names
    assert all(reference.startswith(("#", "data:image/")) for reference in page.references)
    for claim in CLAIMS.values():
        assert claim in page.text
    recognition = load(tmp_path / "audit" / "results" / "my-model" / "recognition.nc")
    assert recognition.attrs["weights"] in page.text and "Swahili (sw)" in page.text
    assert "The weakest languages for refusal" in page.text and "was not asked" not in page.text
    assert not re.search(r"\bnan\b", page.text)
    monkeypatch.setattr("xlv.models.load.load_model", lambda *_a, **_k: pytest.fail("the model was loaded again"))
    audit_model(str(tiny_folder), PROFILE, tmp_path / "audit")


@pytest.fixture
def tiny_gguf(tiny, tmp_path):
    model = tiny()
    write_gguf(tmp_path / "tiny-base.gguf", model.network, model.tokenizer)
    return tmp_path / "tiny-base.gguf"


def test_an_audit_of_a_gguf_path_without_chat_template_names_the_question_it_skips(tiny_gguf, tmp_path):
    done = xlv(
        "audit",
        str(tiny_gguf),
        "--languages",
        "en,fr,sw",
        "--concepts",
        "morality",
        "--pairs",
        "8",
        "--out",
        str(tmp_path / "audit"),
    )
    assert done.returncode == 0, done.stderr
    assert f"The card: {tmp_path / 'audit' / 'tiny-base.html'}" in done.stdout
    text = Page((tmp_path / "audit" / "tiny-base.html").read_text(encoding="utf-8")).text
    assert "Question 4 was not asked: tiny-base has no chat template" in text
    assert re.search(r"8\. Refusals can be controlled.*cannot be told.*question 4 was not asked", text, flags=re.DOTALL)
    assert not list((tmp_path / "audit").rglob("control.nc"))


def test_names_from_outside_are_escaped_on_the_card(studied):
    found = [load(studied / "my-model" / f"{q}.nc") for q in ("recognition", "consistency", "control")]
    for dataset in found:
        dataset.attrs |= {"title": "<script>alert(1)</script> [a](javascript:b)", "weights": "<b>"}
    text = card(*found)
    assert "<script" not in text and "<b>" not in text and 'href="javascript' not in text


def test_what_cannot_be_audited_ends_in_one_line():
    done = xlv("audit", "no-such-model")
    assert done.returncode == 2 and "unknown model 'no-such-model'" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
