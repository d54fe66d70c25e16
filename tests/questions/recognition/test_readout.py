"""Single texts read with the chosen vectors, on states with a known structure."""

import numpy as np
import pytest

from tests.questions.states import N_LANGUAGES, N_PAIRS, grams, plain, reader, recognised, texts
from xlv.questions.recognition.accuracy import as_published, training_pairs
from xlv.questions.recognition.readout import readout


def means(states, found) -> dict[str, np.ndarray]:
    result = readout(reader(states), found)
    return {name: getattr(result, name).mean(axis=-1) for name in ("auroc", "carried", "centred")}


def test_a_plain_concept_is_read_by_every_measure():
    assert min(matrix.min() for matrix in means(*plain()).values()) > 0.9


def test_an_offset_between_languages_spoils_the_carried_threshold_and_nothing_else():
    states = texts(4.0, offset=8.0)
    found = means(states, recognised(states))
    off = ~np.eye(N_LANGUAGES, dtype=bool)
    assert found["carried"][off].max() < 0.7 and np.diagonal(found["carried"]).min() > 0.9
    assert found["auroc"].min() > 0.9 and found["centred"].min() > 0.9


def test_noise_is_read_at_chance_by_every_measure():
    noise = (texts(0.0, seed=seed) for seed in range(20))
    runs = [list(means(states, recognised(states)).values()) for states in noise]
    assert np.abs(np.mean(runs, axis=(0, 2, 3)) - 0.5).max() < 0.05


def test_measures_equal_those_of_explicit_projections():
    states = texts(1.0, offset=1.0)
    found = recognised(states, n_partitions=1)
    result, train = readout(reader(states), found), training_pairs(found.folds)[0]
    source, target, pair = 1, 2, 5
    fold = found.folds[0, pair]
    inside, test, here = train[fold], found.folds[0] == fold, states[:, :, found.choice[0, fold, source] - 1]
    positive, negative = here[:, :N_PAIRS], here[:, N_PAIRS:]
    vector = (positive - negative)[source, inside].mean(axis=0)
    high, low = positive[target] @ vector, negative[target] @ vector
    assert result.auroc[source, target, pair] == pytest.approx((high[pair] > low[test]).mean())
    for name, language in (("carried", source), ("centred", target)):
        training = np.concatenate([positive[language, inside], negative[language, inside]]) @ vector
        right = (high[pair] > training.mean()) / 2 + (low[pair] < training.mean()) / 2
        assert getattr(result, name)[source, target, pair] == pytest.approx(right)


def test_readouts_need_folds():
    states = texts(1.0)
    with pytest.raises(ValueError, match="one split only"):
        readout(reader(states), as_published(grams(states)))
