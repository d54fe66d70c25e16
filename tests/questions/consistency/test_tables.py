"""Tables of question 2 hold the numbers of the stored arrays."""

import numpy as np
import pytest
import xarray as xr

from xlv.corpus.languages import KINDS, linguistic_similarity
from xlv.questions.consistency import tables
from xlv.questions.consistency.linguistics import correlation, mrqap
from xlv.statistics.resampling import holm, interval

VALUES = ["morality", "fairness"]
OFF = ~np.eye(5, dtype=bool)


@pytest.fixture
def known(consistency):
    """All corrected cosines known: higher between the Indo-European languages, the first three."""
    corrected = np.full((3, 5, 5), 0.2)
    corrected[:, :3, :3] = 0.8
    corrected += 0.01 * np.arange(5) + 0.01 * np.arange(5)[:, None]
    return consistency.assign(corrected=(consistency["corrected"].dims, corrected))


@pytest.fixture
def gapped(known):
    corrected = known["corrected"].values.copy()
    corrected[:, 0, 1] = corrected[:, 1, 0] = np.nan
    return known.assign(corrected=(known["corrected"].dims, corrected))


def test_the_plain_cosine_is_the_largest_over_layers_and_both_are_means_over_values(known):
    values = known.sel(concept=VALUES)
    np.testing.assert_allclose(tables.consistency_matrix(known), values["corrected"].mean("concept"))
    plain = tables.consistency_matrix(known, plain=True)
    np.testing.assert_allclose(plain, values["cosine"].max("layer").mean("concept"))
    assert list(plain.index) == list(plain.columns) == ["en", "fr", "es", "zh", "ja"]


def test_a_cell_that_one_concept_knows_is_that_concept_s(known):
    corrected = known["corrected"].values.copy()
    corrected[0, 0, 1] = np.nan
    found = tables.consistency_matrix(known.assign(corrected=(known["corrected"].dims, corrected)))
    assert found.loc["en", "fr"] == pytest.approx(corrected[1, 0, 1])


def test_a_summary_is_the_median_over_splits_with_their_interval(consistency):
    row = tables.consistency_summary({"m": consistency}).loc["My model"]
    mean = consistency["corrected_mean"].sel(concept=VALUES).mean("concept").values
    np.testing.assert_array_equal(tables.mean_corrected(consistency), mean)
    assert row["corrected"] == pytest.approx(np.nanmedian(mean))
    assert (row["low"], row["high"]) == pytest.approx(interval(mean))
    plain = tables.consistency_matrix(consistency, plain=True).to_numpy()[OFF]
    assert row["plain"] == pytest.approx(plain.mean())
    np.testing.assert_allclose(
        tables.reliability(consistency), consistency["reliability"].sel(concept=VALUES).mean("concept")
    )
    assert row["reliability"] == pytest.approx(tables.reliability(consistency).mean())


def test_a_summary_of_nothing_known_is_nothing(consistency):
    blank = consistency.assign(corrected_mean=consistency["corrected_mean"] * np.nan)
    row = tables.consistency_summary({"m": blank}).loc["My model"]
    assert row[["corrected", "low", "high"]].isna().all() and np.isfinite(row["plain"])


def test_all_comparisons_with_relationships_rest_on_the_same_cosines(known, gapped, recognition):
    for dataset, kind in ((known, "corrected"), (gapped, "plain")):
        assert tables.known_pairs(dataset) == (9 + (kind == "corrected"), 10)
        pooled = tables.pooled_consistency(dataset)
        assert pooled.equals(tables.consistency_matrix(dataset, plain=kind == "plain"))
        for frame in (pooled, tables.linguistic_table(dataset), tables.regression_table(dataset, recognition)):
            assert frame.attrs["kind"] == kind


def test_correlations_are_those_with_uriel(known):
    table = tables.linguistic_table(known)
    similarity = linguistic_similarity(["en", "fr", "es", "zh", "ja"])
    assert list(table.index) == list(KINDS)
    for kind in KINDS:
        found = correlation(tables.consistency_matrix(known).to_numpy(), similarity[kind], np.arange(5) == 0)
        expected = [found.direct, found.split, found.n_pairs]
        np.testing.assert_allclose(table.loc[kind, ["direct", "split", "pairs"]].astype(float), expected)
    assert (table["chance_low"] < table["chance_high"]).all()


def test_profiles_are_medians_over_splits_by_layer(consistency):
    table = tables.profile_table(consistency)
    values = consistency.sel(concept=VALUES)
    np.testing.assert_allclose(table["half vectors"], values["reliability_profile"].mean("concept").median("halving"))
    np.testing.assert_allclose(table["plain"], values["cosine"].mean("concept").values[OFF].mean(axis=0))
    assert (table["half vectors_low"] <= table["half vectors_high"]).all() and list(table.index) == [1, 2, 3]


def test_covariates_are_a_shared_script_and_shared_tokens(recognition):
    found = tables.covariates(recognition)
    np.testing.assert_array_equal(found["token overlap"], recognition["token_overlap"])
    latin, cjk = slice(0, 3), slice(3, 5)
    assert found["script"][latin, latin].all() and found["script"][cjk, cjk].all()
    assert not found["script"][latin, cjk].any()


def test_the_regression_is_that_of_mrqap_with_each_family_left_out_in_turn(known, recognition):
    table = tables.regression_table(known, recognition)
    matrix, beside = tables.consistency_matrix(known).to_numpy(), list(tables.covariates(recognition).values())
    similarity = linguistic_similarity(["en", "fr", "es", "zh", "ja"])
    for kind in KINDS:
        found = mrqap(matrix, similarity[kind], beside)
        np.testing.assert_allclose(table.loc[kind, ["coefficient", "p"]].astype(float), [found.coefficient, found.p])
    np.testing.assert_allclose(table["p_holm"].astype(float), holm(table["p"].astype(float).fillna(1).to_numpy()))
    assert (table["without"] == "").all() and table["lowest"].isna().all()  # too few languages to leave a family out
    assert list(tables.regression_tables({"m": known}, {"m": recognition})) == ["My model"]


@pytest.mark.parametrize("fourth", ["ko", "pt"])  # with four Indo-European languages too few are left without them
def test_the_coefficient_s_range_is_over_families_left_out_in_turn(fourth):
    codes = ["en", "fr", "es", fourth, "zh", "ja", "fi", "hu"]
    generator = np.random.default_rng(0)
    corrected, overlap = (m + m.T for m in generator.uniform(0.1, 0.4, (2, 8, 8)))
    coords = {"concept": ["morality"], "source": codes, "target": codes}
    dataset = xr.Dataset({"corrected": (("concept", "source", "target"), corrected[None])}, coords)
    recognition = xr.Dataset({"token_overlap": (("source", "target"), overlap)}, {"source": codes, "target": codes})
    row = tables.regression_table(dataset, recognition).loc["syntactic"]
    similarity, beside = linguistic_similarity(codes)["syntactic"], list(tables.covariates(recognition).values())
    left = {}
    rest = {"ko": {"Indo-European": [3, 4, 5, 6, 7]}, "pt": {}}[fourth]
    for family, kept in (rest | {"Uralic": [0, 1, 2, 3, 4, 5]}).items():
        grid = np.ix_(kept, kept)
        without = mrqap(corrected[grid], similarity[grid], [b[grid] for b in beside], n_permutations=0)
        left[family] = without.coefficient
    assert (row["lowest"], row["highest"]) == pytest.approx((min(left.values()), max(left.values())))
    assert row["without"] == max(left, key=lambda family: abs(left[family] - row["coefficient"]))


def test_the_tree_joins_the_languages_that_are_alike_first(known):
    linkage, codes = tables.tree(known)
    assert codes == ["en", "fr", "es", "zh", "ja"] and linkage.shape == (4, 4)
    assert set(linkage[:2, :2].ravel().astype(int)) <= {0, 1, 2, 5}  # the first two merges are of the first three


def test_kinship_is_the_gap_between_languages_of_one_family_and_of_different_ones(known):
    row = tables.kinship_table({"m": known}).loc["My model"]
    matrix = tables.consistency_matrix(known).to_numpy()
    kin = np.zeros((5, 5), dtype=bool)
    kin[:3, :3] = True  # English, French, Spanish; Chinese and Japanese are alone in theirs
    assert row["same"] == pytest.approx(matrix[kin & OFF].mean())
    assert row["different"] == pytest.approx(matrix[~kin & OFF].mean())
    assert row["same"] > row["different"] and row["p"] < 0.2  # 10 ways to choose three of five
    assert tables.kinship_table({"m": known.isel(source=[0, 3, 4], target=[0, 3, 4])}).isna().all().all()
