import pandas as pd

from xlv.corpus.concepts import CONCEPTS
from xlv.report import tables
from xlv.report.formats import unbroken
from xlv.schema import BASELINE

FIGURES = pd.DataFrame(
    [
        {
            "concept": concept,
            "language": code,
            "pairs": 64,
            "groups": 32,
            "length_ratio": 0.99,
            "same_ending": 1.0,
            "identified": 1.0,
            "words": 0.5,
            "characters": 0.75,
        }
        for concept in CONCEPTS
        for code in ("sw", "en", "xx")
    ]
)


def test_shortcuts_have_names_of_languages_down_and_concepts_across_in_their_order():
    table = tables.shortcut_table(FIGURES, "characters")
    assert list(table.index) == ["English", "Swahili", "xx"]
    assert [name.replace("\u00ad", "") for name in table.columns] == list(CONCEPTS)
    assert set(table.to_numpy().ravel()) == {"0.75"}


def test_headings_are_words_and_counts_whole():
    table = tables.likeness_table(FIGURES)
    assert list(table.columns) == ["pairs", "groups", "length ratio", "same ending", "identified"]
    assert list(table.loc["morality"]) == ["64", "32", "0.990", "1.000", "1.000"]
    review = tables.reading_table(pd.DataFrame({"language": ["en"], "rows_read": [688]}))
    assert review.loc["English", "rows read"] == 688


def test_examples_are_of_the_first_pair_in_some_languages_behind_their_context():
    row = {"concept": "morality", "context": "Why?", "positive": "a", "negative": "b"}
    pairs = pd.DataFrame([{**row, "language": code, "pair": pair} for code in ("en", "fr", "sw") for pair in (1, 2)])
    table = tables.example_table(pairs)
    assert list(table.index) == [("morality", "English"), ("morality", "Swahili")]
    assert list(table.iloc[0]) == ["Why? a", "Why? b"]


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
    acts = ("French", "pooled", "own", "sentiment", "prompt", "random")
    expected = {f"{act}, {direction}" for act in acts for direction in ("refusing", "following")}
    expected |= {BASELINE, "towards refusing", "towards following", "ablation"}
    gates = ("gated, carried", "gated, reset", "content-blind gate")
    expected |= {gate + of for gate in gates for of in ("", " (French vector)", " (pooled vector)")}
    assert rows == {unbroken(name) for name in expected}


def test_models_without_completions_are_left_out(found):
    assert tables.comparison_tables({"m": found["base"]}).empty and tables.rates_by_language({"m": found["base"]}).empty
