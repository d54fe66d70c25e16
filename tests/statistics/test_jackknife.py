"""The delete-block jackknife: right for what is linear, half as large for what pairs of blocks do."""

import numpy as np
import pytest

from xlv.statistics.jackknife import Replicated, blocks, surplus, total


def left_out(values: np.ndarray) -> Replicated:
    """The mean of values `[block, …]` with its replicates."""
    n = len(values)
    return Replicated(values.mean(axis=0), (values.sum(axis=0) - values) / (n - 1))


def test_blocks_hold_whole_situations_in_equal_shares():
    groups = np.repeat(np.arange(70), 2)
    block = blocks(groups)
    assert sorted(set(block)) == list(range(32)) and (block[::2] == block[1::2]).all()
    assert set(np.bincount(block[::2])) == {2, 3}
    assert len(set(blocks(np.arange(5)))) == 5


def test_the_error_of_a_mean_is_the_usual_one():
    values = np.random.default_rng(0).normal(size=(20, 3))
    np.testing.assert_allclose(left_out(values).standard_error(), values.std(axis=0, ddof=1) / np.sqrt(20))


def pairwise(noise: np.ndarray, *, corrected: bool = True) -> Replicated:
    """Mean product of different blocks, of noise `[block, d]`: nothing but what blocks do two by two."""
    n, inner = len(noise), noise @ noise.T
    inner[np.diag_indices(n)] = 0
    crossing = 2 * inner.sum(axis=1)
    replicates = (inner.sum() - crossing) / ((n - 1) * (n - 2))
    together = inner / (n * (n - 1))
    return Replicated(inner.sum() / (n * (n - 1)), replicates, surplus(together) if corrected else None)


def test_the_surplus_halves_the_variance_of_what_blocks_do_two_by_two():
    random = np.random.default_rng(1)
    drawn = [random.normal(size=(32, 40)) for _ in range(300)]
    spread = np.std([pairwise(noise).value for noise in drawn])
    raw, mended = (
        np.sqrt(np.mean([pairwise(noise, corrected=c).standard_error() ** 2 for noise in drawn])) for c in (False, True)
    )
    assert raw / spread == pytest.approx(np.sqrt(2), rel=0.12)
    assert 0.95 < mended / spread < 1.2  # half of it is always left, so that chance in the signs only adds


def test_a_mean_has_no_surplus():
    values = np.random.default_rng(2).normal(size=32)
    together = np.broadcast_to(values, (32, 32)) + values[:, None]  # what each block does whatever the other
    assert np.abs(surplus(together)).max() < 1e-9


def test_linear_combinations_and_differences_keep_what_errors_follow_from():
    random = np.random.default_rng(3)
    one, other = (Replicated(v.mean(0), v, random.normal(size=(8, 4))) for v in random.normal(size=(2, 16, 4)))
    weights = np.arange(4.0)
    combined = one.of(lambda a: a @ weights)
    np.testing.assert_allclose(combined.replicates, one.replicates @ weights)
    np.testing.assert_allclose(combined.excess, one.excess @ weights)
    np.testing.assert_allclose(one.minus(other).excess, one.excess - other.excess)
    without = Replicated(other.value, other.replicates)
    np.testing.assert_allclose(without.minus(one).excess, -one.excess)
    assert without.minus(without).excess is None
    np.testing.assert_allclose(one.plus(2.0).standard_error(), one.standard_error())


def test_half_of_the_jackknife_s_variance_is_always_left():
    values = np.random.default_rng(4).normal(size=16)
    alone = Replicated(values.mean(), values)
    drowned = Replicated(values.mean(), values, np.full(8, 100.0))
    assert drowned.standard_error() == pytest.approx(alone.standard_error() / np.sqrt(2))
    assert drowned.quantile(0.95) > alone.quantile(0.95)  # and known half as well


@pytest.mark.parametrize(("share", "high"), [(1.0, 1.0), (0.0, None), (0.7, None)])
def test_intervals_of_shares_lie_within_0_and_1(share, high):
    replicates = np.full(32, share) if share in (0, 1) else share + 0.004 * np.random.default_rng(5).normal(size=32)
    found = Replicated(np.array(share), replicates)
    low, top = found.share_interval()
    assert -1e-12 <= low <= share <= top + 1e-12 <= 1 + 1e-9
    if share == 0.7:  # far from the ends it is the usual one
        np.testing.assert_allclose([low, top], found.interval(), atol=0.02)
    if high is not None:
        assert top == pytest.approx(high) and low < 0.95


def test_the_detectable_effect_is_found_four_times_in_five():
    random, effect = np.random.default_rng(6), None
    found = 0
    for _ in range(400):
        values = random.normal(size=32)
        here = left_out(values)
        effect = effect or float(here.detectable(0.95))
        found += left_out(values + effect).interval(0.95)[0] > 0
    assert 0.7 < found / 400 < 0.9


def test_variances_of_different_situations_add_up_whatever_their_number_of_blocks():
    random = np.random.default_rng(7)
    one, other = left_out(random.normal(size=(32, 2))), left_out(random.normal(size=(9, 2)))
    both = total([one, other])
    np.testing.assert_allclose(both.value, one.value + other.value)
    np.testing.assert_allclose(both.standard_error(), np.hypot(one.standard_error(), other.standard_error()))
