from xlv.report import control_tables as tables
from xlv.report.formats import unbroken
from xlv.results import BASELINE


def test_tables_for_readers_name_models_only_where_there_are_several(found):
    one, two = (tables.comparison_tables({str(i): found["chat"] for i in range(n)}) for n in (1, 2))
    assert one.index.nlevels == 1 and one.loc[unbroken(BASELINE), "nats"] == "0.00"
    assert one.loc["ablation", "perplexity"] != "–" and unbroken("random, refusing") in one.index
    assert two.equals(one)  # the same title twice is one model
    other = tables.comparison_tables({"m": found["chat"], "n": found["chat"].assign_attrs(title="other (Q4)")})
    assert ("other", "random, refusing") in other.index and len(other) == 2 * len(one)
    rates = tables.rates_by_language({"m": found["chat"]})
    assert list(rates.index) == [unbroken("English (en)"), unbroken("Swahili (sw)")] and rates.shape[1] == 6


def test_a_row_says_whose_vector_acts_and_in_which_direction(found):
    rows = set(tables.comparison_tables({"m": found["chat"]}).index)
    assert rows == {unbroken(name) for name in (BASELINE, "towards refusing", "towards following", "ablation")} | {
        unbroken(f"{act}, {direction}")
        for act in ("French", "own", "sentiment", "prompt", "random")
        for direction in ("refusing", "following")
    }


def test_models_without_completions_are_left_out(found):
    assert tables.comparison_tables({"m": found["base"]}).empty and tables.rates_by_language({"m": found["base"]}).empty
