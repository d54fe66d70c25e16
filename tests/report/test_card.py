import re

from xlv.questions.claims.ledger import CLAIMS
from xlv.questions.claims.verdicts import OF_CONTROL
from xlv.questions.recognition.tables import own_accuracy
from xlv.report.card import PROVENANCE, WEAKEST, card
from xlv.report.ledger import OF_ONE


def test_the_weakest_languages_stand_on_it_with_their_intervals(recognition, consistency):
    text = card(recognition, consistency, None)
    row = own_accuracy(recognition).nsmallest(WEAKEST, "accuracy").iloc[0]
    assert f"<td>{row['accuracy']:.2f} ({row['low']:.2f} to {row['high']:.2f})</td>" in text
    assert all(f"<td>{name}</td>" in text for name in PROVENANCE)


def test_every_claim_on_one_model_stands_on_it_with_its_rule_and_what_was_not_asked_is_said(
    recognition, consistency, monkeypatch
):
    monkeypatch.setattr("xlv.questions.claims.verdicts.SITUATIONS", 4)
    text = card(recognition, consistency, None)
    assert all(f"{claim}. ".replace("'", "&#39;") in text for claim in (*OF_ONE, *OF_CONTROL))
    assert CLAIMS["1a"]["rule"].replace("'", "&#39;") in text and "question 4 was not put to this model" in text
    assert text.count('<td title="undecided" style') >= 2 and "? 1.00</td>" in text  # twelve pairs decide nothing
    said = "Question 4 was not asked: My model has no chat template, so there are no refusals to move."
    assert text.count(said) == 2 and not re.search(r"\bnan\b", text)


def test_answers_are_paragraphs(recognition, consistency):
    text = card(recognition, consistency, None)
    assert re.search(r"<h3>Encoded\?</h3>\s*<p>", text)


def test_the_drawing_says_what_it_shows_and_nothing_is_asked_of_another_host(recognition, consistency):
    text = card(recognition, consistency, None)
    assert 'role="img" aria-label="Transferability of My model' in text and "<svg" in text
    assert not re.search(r'(src|href)="https?://', text)
