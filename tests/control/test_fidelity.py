import pytest

from tests.control.test_refusal import ANSWERS, REFUSALS
from xlv.control.fidelity import in_language
from xlv.corpus.languages import LANGUAGES


@pytest.mark.parametrize("code", sorted(set(LANGUAGES) - {"ny"}))
def test_sentences_are_in_their_own_language_and_english_ones_in_english_only(code):
    assert in_language(REFUSALS[code], code) is True
    assert in_language(ANSWERS["en"], code) is (code == "en")


def test_japanese_and_chinese_are_told_apart_by_kana():
    assert in_language(ANSWERS["zh"], "ja") is False and in_language(ANSWERS["ja"], "zh") is False


def test_most_letters_decide():
    assert in_language("以下是一封写给邻居的短信。Sure!", "zh") is True
    assert in_language("Sure, here is a short note 短信", "zh") is False


@pytest.mark.parametrize(("text", "code"), [("", "en"), ("1. 2. 3.", "fr"), ("OK", "en"), (REFUSALS["ny"], "ny")])
def test_what_cannot_be_told_is_not_told(text, code):
    assert in_language(text, code) is None


def test_chichewa_in_another_script_is_not_chichewa():
    assert in_language(ANSWERS["zh"], "ny") is False
