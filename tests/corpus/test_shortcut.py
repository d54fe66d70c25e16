import numpy as np
import pytest

from xlv.corpus.pairs import load_pairs
from xlv.corpus.shortcut import SURFACES, shortcut_scores, surface_margins
from xlv.statistics.vectors import hits


def test_surface_classifiers_find_a_planted_word_and_nothing_in_noise():
    groups = [str(k // 2) for k in range(60)]
    positive = [f"the gardener carried stone {k}" for k in range(60)]
    planted = shortcut_scores(positive, [p.replace("carried", "dropped") for p in positive], groups, surface="words")
    assert hits(planted).mean() == 1.0
    swapped = [p.replace("carried", "dropped") if k % 2 else p for k, p in enumerate(positive)]
    other = [p if k % 2 else p.replace("carried", "dropped") for k, p in enumerate(positive)]
    assert hits(shortcut_scores(swapped, other, groups, surface="words")).mean() < 0.6
    with pytest.raises(ValueError, match="unknown surface"):
        shortcut_scores(positive, positive, groups, surface="smell")


def test_rounding_is_no_difference_so_that_ties_count_one_half():
    sides = [f"a {word} stone" for word in ("red", "wet", "cold", "small") * 4]
    turned = [" ".join(reversed(side.split())) for side in sides]  # the same characters within words
    margins = shortcut_scores(sides, turned, [str(k) for k in range(16)], surface="characters")
    assert (margins == 0).all() and hits(margins).mean() == 0.5


def test_folds_need_two_groups():
    with pytest.raises(ValueError, match="expected pairs of at least two groups, got 1"):
        shortcut_scores(["a", "b"], ["c", "d"], ["g", "g"], surface="words")


def test_margins_of_a_concept_are_those_of_each_surface_and_language():
    table = load_pairs(["morality"], ["en", "zh"], pairs=16)
    margins = surface_margins(table, ["zh", "en"])
    assert margins.shape == (len(SURFACES), 2, 16)
    chinese = table[table["language"] == "zh"]
    texts = chinese["positive"], chinese["negative"], chinese["group"]
    np.testing.assert_array_equal(margins[1, 0], shortcut_scores(*texts, surface="characters", spaces=False))
    assert not np.allclose(margins[0, 0], margins[0, 1])
