"""Tables of question 2 hold the numbers of the stored arrays."""

import numpy as np
import pytest
import xarray as xr

from xlv.corpus.languages import KINDS, LANGUAGES, language, linguistic_similarity
from xlv.questions.claims import verdicts
from xlv.questions.consistency import kinship, tables
from xlv.questions.consistency.cosines import of_moments
from xlv.questions.consistency.linguistics import composite_similarity, correlation
from xlv.questions.consistency.moments import read_moments
from xlv.questions.consistency.pooled import pooled

VALUES = ["morality", "fairness"]
CODES = list(LANGUAGES)[:12]
KIN = np.array([language(code).family == "Indo-European" for code in CODES])
OFF = ~np.eye(12, dtype=bool)


def planted(unreadable: tuple[str, ...] = ()) -> dict[str, xr.Dataset]:
    """Recognition and consistency of two values and a control; some languages of the second value have no vector."""
    random, n = np.random.default_rng(0), len(CODES)
    true = np.where(KIN[:, None] & KIN, 0.9, 0.4) + 0.02 * random.normal(size=(3, 2, n, n))
    true = (true + true.swapaxes(-2, -1)) / 2
    true[..., np.arange(n), np.arange(n)] = 1.0
    for code in unreadable:
        true[1, :, CODES.index(code), CODES.index(code)] = 0.0
    spread = 0.02 * random.normal(size=(3, 2, 16, n, n))
    axes = ("cohort", "concept", "half", "source", "target")
    cosine = 0.5 * true[:, 0, :, :, None] * np.array([0.5, 1.0, 0.8])
    dataset = xr.Dataset(
        {
            "cosine": (("concept", "source", "target", "layer"), cosine),
            "moment": (axes, true[None]),
            "moment_replicate": ((*axes[:3], "half_block", *axes[3:]), (true[:, :, None] + spread)[None]),
            "moment_surplus": ((*axes[:3], "sign", *axes[3:]), np.zeros((1, 3, 2, 4, n, n))),
            "whitened_rho": (axes[:2], np.array([[0.7, 0.6, 0.5]])),
            "whitened_rho_error": (axes[:2], np.full((1, 3), 0.1)),
            "rho_by_layer": (("concept", "layer"), np.full((3, 3), np.nan)),
            "rho_error_by_layer": (("concept", "layer"), np.full((3, 3), np.nan)),
        },
        {"cohort": ["all"], "concept": [*VALUES, "tense"], "source": CODES, "target": CODES, "layer": [1, 2, 3]},
        {"title": "My model", "preset": ""},
    )
    overlap = random.uniform(size=(n, n))
    tokens = {"token_overlap": (("source", "target"), overlap + overlap.T)}
    return {"consistency": dataset, "recognition": xr.Dataset(tokens, {"source": CODES, "target": CODES})}


@pytest.fixture
def known():
    return planted()["consistency"]


@pytest.fixture
def gapped():
    """Five languages are not readable in the second value."""
    return planted(tuple(CODES[:5]))["consistency"]


def moments_of(dataset: xr.Dataset, concept: str):
    cell = dataset.sel(cohort="all", concept=concept)
    return read_moments(*(cell[name].values for name in ("moment", "moment_replicate", "moment_surplus")))


def test_a_table_has_rho_of_each_value_with_its_interval_and_what_stands_beside_it(gapped):
    table = tables.consistency_table({"m": gapped}).loc["My model"]
    assert list(table.index) == VALUES and list(table["readable"]) == [12, 7]
    for concept in VALUES:
        row, found = table.loc[concept], pooled(moments_of(gapped, concept)).linearised()
        assert row["rho"] == pytest.approx(float(found.value))
        np.testing.assert_allclose([row["rho_low"], row["rho_high"]], found.interval())
        plain = gapped["cosine"].sel(concept=concept).max("layer").values[OFF].mean()
        assert row["plain"] == pytest.approx(plain)
    assert list(table["whitened"]) == [0.7, 0.6] and list(table["whitened_high"]) == pytest.approx([0.896, 0.796])


def test_a_cell_is_the_mean_of_the_concepts_that_both_languages_know(gapped):
    found = tables.consistency_matrix(gapped).to_numpy()
    first, second = (of_moments(moments_of(gapped, concept)).pairwise for concept in VALUES)
    np.testing.assert_allclose(found[:5], first[:5])
    np.testing.assert_allclose(found[5:, 5:], (first[5:, 5:] + second[5:, 5:]) / 2)
    nothing = gapped.assign(moment=gapped["moment"] * 0)
    assert tables.consistency_matrix(nothing).isna().all(axis=None)


def test_the_plain_cosine_is_the_largest_over_layers_and_the_mean_over_values(known):
    plain = tables.consistency_matrix(known, plain=True)
    np.testing.assert_allclose(plain, known["cosine"].sel(concept=VALUES).max("layer").mean("concept"))
    assert list(plain.index) == list(plain.columns) == CODES
    rho, error = np.array([0.5, np.nan, 0.7]), np.array([0.1, np.nan, 0.05])
    measured = {"rho_by_layer": np.tile(rho, (3, 1)), "rho_error_by_layer": np.tile(error, (3, 1))}
    table = tables.profile_table(known.assign({name: (("concept", "layer"), row) for name, row in measured.items()}))
    expected = known["cosine"].sel(concept=VALUES).mean("concept").values[OFF].mean(axis=0)
    np.testing.assert_allclose(table["plain"], expected)
    assert list(table.index) == [1, 2, 3]
    np.testing.assert_array_equal(table["fairness"], rho)
    np.testing.assert_allclose(table["fairness_high"], rho + 1.96 * error)


def test_relationships_take_as_many_languages_as_the_claims_on_them():
    assert tables.MANY == verdicts.MANY


def test_relationships_are_asked_of_concepts_that_many_languages_read_else_of_plain_cosines(known, gapped):
    first = of_moments(moments_of(gapped, "morality")).pairwise
    np.testing.assert_allclose(tables.relationships(gapped), first)  # the other value is readable in seven only
    assert tables.relationships(known).attrs["kind"] == "pairwise consistency"
    few = gapped.sel(concept=["fairness"])
    assert tables.relationships(few).attrs["kind"] == "plain cosine"
    np.testing.assert_allclose(tables.relationships(few), tables.consistency_matrix(few, plain=True))


def test_a_language_that_has_no_cell_is_left_out_of_the_relationships():
    dataset = planted((CODES[3],))["consistency"].sel(concept=["fairness"])
    found = tables.relationships(dataset)
    assert list(found.index) == CODES[:3] + CODES[4:] and found.attrs["kind"] == "pairwise consistency"


def test_correlations_are_those_of_plain_cosines_with_uriel(known):
    table, similarity = tables.linguistic_table(known), linguistic_similarity(CODES)
    assert list(table.index) == list(KINDS)
    for kind in KINDS:
        plain = tables.consistency_matrix(known, plain=True).to_numpy()
        found = correlation(plain, similarity[kind], np.array(CODES) == "en")
        expected = [found.direct, found.split, found.n_pairs]
        np.testing.assert_allclose(table.loc[kind, ["direct", "split", "pairs"]].astype(float), expected)
    assert (table["chance_low"] < table["chance_high"]).all()


def test_covariates_are_a_shared_script_and_shared_tokens(recognition):
    found = tables.covariates(recognition)
    np.testing.assert_array_equal(found["token overlap"], recognition["token_overlap"])
    latin, cjk = slice(0, 3), slice(3, 5)
    assert found["script"][latin, latin].all() and found["script"][cjk, cjk].all()
    assert not found["script"][latin, cjk].any()


def test_the_regression_is_that_of_kinship_for_concepts_that_many_languages_read(gapped):
    recognition = planted()["recognition"]
    table = tables.related_table({"m": gapped}, {"m": recognition})
    assert list(table.index) == [("My model", "morality")]
    row, similarity = table.iloc[0], composite_similarity(CODES)
    for name, beside in {"alone": None, **tables.covariates(recognition)}.items():
        slope, p = kinship.regression(moments_of(gapped, "morality"), similarity, beside)
        assert row[[name, f"p, {name}"]].tolist() == pytest.approx([float(slope.value), p])
        np.testing.assert_allclose(row[[f"{name}_low", f"{name}_high"]].astype(float), slope.interval())
    assert row["alone"] > 0.05 and row["p, alone"] < 0.01


def test_the_tree_joins_the_languages_that_are_alike_first(known):
    linkage = tables.tree(tables.relationships(known))
    assert linkage.shape == (11, 4)
    kin = set(np.flatnonzero(KIN)) | set(range(12, 12 + KIN.sum() - 1))
    assert set(linkage[: KIN.sum() - 1, :2].ravel().astype(int)) <= kin


def test_kinship_is_the_gap_between_languages_of_one_family_and_of_different_ones(known):
    row = tables.kinship_table({"m": known}).loc["My model"]
    families = np.array([language(code).family for code in CODES])
    matrix, same = tables.relationships(known).to_numpy(), families[:, None] == families
    assert row["same"] == pytest.approx(matrix[same & OFF].mean())
    assert row["different"] == pytest.approx(matrix[~same].mean())
    assert row["p"] < 0.01 and row["of"] == "pairwise consistency" and row["languages"] == 12
    alone = known.isel(source=[0, 2, 5], target=[0, 2, 5])  # of three families
    assert tables.kinship_table({"m": alone})[["same", "different", "p"]].isna().all(axis=None)
