import pytest

from tests.report.judged import ledger
from xlv.questions.recognition.tables import own_accuracy
from xlv.questions.transfer.tables import transfer_summary, triangle_table
from xlv.report import by_model
from xlv.report.formats import plain, signed


def test_languages_above_the_line_are_counted_and_the_extremes_named(recognition):
    [row] = by_model.encoded({"m": recognition}, ledger(model="m")).to_dict("records")
    table = own_accuracy(recognition)
    assert row["languages above 0.60"] == f"{(table['low'] > 0.6).sum()} of {len(table)}"
    assert row["best"].endswith(plain(table["accuracy"].max())) and row["weakest"].endswith(
        plain(table["accuracy"].min())
    )
    assert row["mean accuracy (95 % interval)"].startswith(plain(table["accuracy"].mean()))
    assert row["encoded (1a)"].replace("\N{NO-BREAK SPACE}", " ") == "1 ✓  1 ✗  1 (✓)  1 ?"


def test_consistency_has_the_range_of_rho_and_a_dash_where_it_is_not_known(consistency):
    known, unknown = (by_model.consistent({m: consistency}, ledger(model="m")).iloc[0] for m in ("m", "old"))
    assert known["consistency ρ, least to most"] == "0.50 (toxicity) to 0.90 (morality)"
    assert unknown["consistency ρ, least to most"] == "–" and unknown["inconsistent (3)"] == "–"


@pytest.mark.parametrize("protocol", ["cv", "paper"])
def test_transfer_has_both_sides_of_the_triangle(recognition, protocol):
    row = by_model.transferable({"m": recognition}, ledger(model="m"), protocol).iloc[0]
    whole, sides = (table({"m": recognition}, protocol).iloc[0] for table in (transfer_summary, triangle_table))
    assert row["U (95 % interval)"].startswith(signed(whole["U"]))
    assert row["T inside (95 % interval)"].startswith(signed(sides["inside"])) and row["T outside"] == signed(
        sides["outside"]
    )
    assert whole["U"] == pytest.approx(sides["inside"] - sides["outside"])


def test_one_language_has_no_transfer(recognition):
    alone = recognition.isel(source=[0], target=[0])
    assert not len(by_model.transferable({"m": alone}, ledger(model="m")))
