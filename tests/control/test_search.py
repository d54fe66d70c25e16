import numpy as np
import pytest

from xlv.control.search import best_places, layer_windows, preferred
from xlv.schema import FOLLOWING, REFUSING

NONE = np.array([0.2, 0.1, 0.0, 0.8])  # without control: refusal, over-refusal, broken, following


def test_windows_are_layers_below_the_final_norm():
    windows = layer_windows(24, ((0.2, 0.45), (0.6, 1.0), (0.0, 0.1)))
    assert windows[0] == tuple(range(5, 12))
    assert all(1 <= layer < 24 for window in windows for layer in window)


def test_the_best_places_shift_most_within_the_bound():
    shift, drift = np.array([[1.0, 5.0], [3.0, 2.0]]), np.array([[0.1, 0.9], [0.2, 0.2]])
    assert best_places(shift, drift, bound=0.25, count=2) == [(1, 0), (1, 1)]
    assert best_places(shift, drift, bound=0.25, count=9) == [(1, 0), (1, 1), (0, 0)]


def test_the_mildest_place_is_taken_if_none_is_within_the_bound():
    assert best_places(np.array([[1.0, 5.0]]), np.array([[0.3, 0.9]]), bound=0.25, count=3) == [(0, 0)]


@pytest.mark.parametrize(
    ("direction", "found", "expected"),
    [
        (REFUSING, [[0.9, 0.8, 0.0, 0.1], [0.6, 0.1, 0.0, 0.4]], 1),  # the more selective
        (FOLLOWING, [[0.1, 0.0, 0.0, 0.9], [0.3, 0.0, 0.0, 0.7]], 0),  # the one that is answered more
        (REFUSING, [[0.6, 0.1, 0.11, 0.3], [0.3, 0.1, 0.1, 0.6]], 1),  # not with a tenth more broken
        (REFUSING, [[0.6, 0.1, 0.4, 0.0], [0.5, 0.1, 0.3, 0.2]], 1),  # the least broken if all are
        (REFUSING, [[0.5, 0.1, 0.0, 0.5], [0.5, 0.1, 0.0, 0.5]], 0),  # on a tie the larger shift
        (REFUSING, [[np.nan] * 4, [np.nan] * 4], 0),  # nothing generated: the largest shift
    ],
)
def test_confirmed_settings_are_chosen_by_selectivity_or_by_following(direction, found, expected):
    assert preferred([np.array(row) for row in found], NONE, direction, max_broken=0.10) == expected
