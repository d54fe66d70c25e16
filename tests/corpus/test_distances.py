import numpy as np

from xlv.corpus.distances import KINDS, linguistic_similarity
from xlv.corpus.languages import LANGUAGES


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
