from importlib.resources import files

import numpy as np
import pandas as pd

from xlv.corpus.languages import KINDS, LANGUAGES, labels, language, linguistic_similarity


def test_the_sixteen_languages_have_distinct_codes_and_names_and_a_script():
    assert len(LANGUAGES) == 16 and all(code == known.code for code, known in LANGUAGES.items())
    assert len({known.name for known in LANGUAGES.values()}) == 16
    assert all(known.scripts for known in LANGUAGES.values())
    assert [code for code, known in LANGUAGES.items() if not known.spaces] == ["zh", "ja"]


def test_an_unknown_code_is_its_own_name_without_family_or_script():
    unknown = language("xx")
    assert (unknown.name, unknown.family, unknown.scripts, unknown.label) == ("xx", "unknown", (), "xx")
    assert language("sw") is LANGUAGES["sw"]


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
