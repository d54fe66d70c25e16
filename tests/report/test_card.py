import re

from xlv.questions.claims.rules import CLAIMS
from xlv.questions.recognition.tables import own_accuracy
from xlv.report.card import PROVENANCE, WEAKEST, card


def test_the_weakest_languages_stand_on_it_with_their_intervals(recognition, consistency):
    text = card(recognition, consistency, None)
    row = own_accuracy(recognition).nsmallest(WEAKEST, "accuracy").iloc[0]
    assert f"<td>{row['accuracy']:.2f} ({row['low']:.2f} to {row['high']:.2f})</td>" in text
    assert all(f"<td>{name}</td>" in text for name in PROVENANCE)


def test_every_claim_stands_on_it_and_what_was_not_asked_is_said(recognition, consistency):
    text = card(recognition, consistency, None)
    assert all(f"{number}. " in text for number in CLAIMS)
    said = "Question 4 was not asked: My model has no chat template, so there are no refusals to move."
    assert text.count(said) == 2


def test_answers_are_paragraphs_with_their_numbers_in_bold(recognition, consistency):
    text = card(recognition, consistency, None)
    assert re.search(r"<h3>Encoded\?</h3>\s*<ul>\s*<li><strong>My model</strong>: mean accuracy", text)


def test_the_drawing_says_what_it_shows_and_nothing_is_asked_of_another_host(recognition, consistency):
    text = card(recognition, consistency, None)
    assert 'role="img" aria-label="Transferability of My model' in text and "<svg" in text
    assert not re.search(r'(src|href)="https?://', text)
