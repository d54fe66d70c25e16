from importlib.resources import files

import numpy as np
import pandas as pd
import pytest

from xlv.corpus.languages import KINDS, LANGUAGES, labels, language, linguistic_similarity, primary


def test_the_sixteen_languages_have_distinct_codes_and_names_and_a_script():
    assert len(LANGUAGES) == 16 and all(code == known.code for code, known in LANGUAGES.items())
    assert len({known.name for known in LANGUAGES.values()}) == 16
    assert all(known.scripts for known in LANGUAGES.values())
    assert [code for code, known in LANGUAGES.items() if not known.spaces] == ["zh", "ja"]


def test_an_unknown_code_is_its_own_name_without_family_or_script():
    unknown = language("xx")
    assert (unknown.name, unknown.family, unknown.scripts, unknown.label) == ("xx", "unknown", (), "xx")
    assert language("sw") is LANGUAGES["sw"]


@pytest.mark.parametrize(
    ("tag", "own", "scripts", "spaces"),
    [
        ("zh-Hans", "zh", ("CJK",), False),
        ("zh_CN", "zh", ("CJK",), False),
        ("zho_Hant", "zh", ("CJK",), False),
        ("zh-Latn-pinyin", "zh", ("LATIN",), True),
        ("pt-BR", "pt", ("LATIN",), True),
        ("eng_Latn", "en", ("LATIN",), True),
        ("swh", "sw", ("LATIN",), True),
        ("EN", "en", ("LATIN",), True),
        ("tha_Thai", "th", ("THAI",), False),
        ("lo", "lo", ("LAO",), False),
        ("km", "km", ("KHMER",), False),
        ("my", "my", ("MYANMAR",), False),
        ("rus_Cyrl", "rus", ("CYRILLIC",), True),
        ("xx-YY", "xx", (), True),
    ],
)
def test_a_tag_has_the_script_and_the_spaces_of_its_language(tag, own, scripts, spaces):
    found = language(tag)
    assert (found.code, primary(tag), found.scripts, found.spaces) == (tag, own, scripts, spaces)
    assert tag in found.label and len(found.label) < 30


def test_names_of_tags_of_one_language_differ():
    assert labels(["zh", "zh-Hans", "zh_CN"]) == ["Chinese (zh)", "Chinese (zh-Hans)", "Chinese (zh_CN)"]
    assert len({language(code).name for code in ("zh", "zh-Hans", "zh_CN")}) == 3


def test_a_tag_is_as_near_to_other_languages_as_its_language():
    found = linguistic_similarity(["pt", "pt-BR", "fi"])["syntactic"]
    assert found[0, 1] == 1 and found[0, 2] == found[1, 2] < 1


def test_labels_are_name_and_code():
    assert labels(["sw", "xx"]) == ["Swahili (sw)", "xx"]


def test_every_language_has_its_distances_under_its_own_code():
    table = pd.read_csv(str(files("xlv.corpus") / "uriel" / "distances.csv"))
    assert {*table["first"], *table["second"]} == set(LANGUAGES)


def test_linguistic_similarity_is_symmetric_masked_and_sensible():
    languages = list(LANGUAGES)
    for kind in KINDS:
        matrix = linguistic_similarity(languages)[kind]
        assert ((matrix == matrix.T) | ((matrix != matrix) & (matrix.T != matrix.T))).all()
    genetic = linguistic_similarity(["es", "pt", "ja"])["genetic"]
    assert genetic[0, 1] > genetic[0, 2]


def test_a_language_is_like_itself_and_nothing_is_known_of_one_without_features():
    for kind, matrix in linguistic_similarity(["sw", "xx", "en"]).items():
        assert kind in KINDS and (np.diagonal(matrix) == 1).all()
        assert np.isnan(matrix[1, [0, 2]]).all() and matrix[0, 2] < 1


def test_kinship_is_ordered_as_known():
    codes = ["es", "pt", "fr", "en", "fi", "hu", "sw"]
    genetic = dict(zip(codes, linguistic_similarity(codes)["genetic"], strict=True))
    spanish = dict(zip(codes, genetic["es"], strict=True))
    assert spanish["pt"] > spanish["en"] > spanish["sw"]
    assert dict(zip(codes, genetic["fi"], strict=True))["hu"] > dict(zip(codes, genetic["fi"], strict=True))["en"]
