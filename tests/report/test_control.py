import re

import numpy as np
import pytest

from tests.control.test_evaluate import SETTINGS
from xlv.control.evaluate import evaluate
from xlv.control.measure import Bench
from xlv.control.names import ANSWER, BASELINE, DIRECTIONS, KINDS, REFUSAL, REFUSING
from xlv.questions.control import judge as validation
from xlv.questions.control import rates as tables
from xlv.questions.control import scores as scores
from xlv.report import control_answers as answers
from xlv.report.figures import control as figures
from xlv.report.formats import signed, unbroken
from xlv.results import load, save

FIGURES = (
    figures.refusal_rates,
    figures.selectivity,
    figures.score_auroc,
    figures.search_surface,
    figures.dose_response,
    figures.score_shifts,
    figures.source_target_map,
)


@pytest.fixture(scope="module")
def found(tmp_path_factory, tokenizer):
    """Results of a tiny chat model and of a tiny base model by score alone, as read back from disk."""
    from dataclasses import replace

    from tests.conftest import tiny_network
    from xlv.models.load import Model, find_blocks

    folder, network = tmp_path_factory.mktemp("results"), tiny_network("llama")
    result = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XLV_CACHE", str(folder / "cache"))
        for name, template in (("chat", "chat"), ("base", "raw")):
            model = Model(name, network, tokenizer, find_blocks(network), "fp32", template, name)
            settings = replace(SETTINGS, generate=template == "chat")
            save(evaluate(Bench(model, settings.tokens), settings), folder / f"{name}.nc", {"title": name})
            result[name] = load(folder / f"{name}.nc")
    return result


@pytest.mark.parametrize("draw", FIGURES, ids=lambda draw: draw.__name__)
@pytest.mark.parametrize("names", [(), ("chat",), ("base",), ("base", "chat")], ids="+".join)
def test_every_figure_can_be_drawn_of_any_models(found, draw, names):
    drawn = draw({name: found[name] for name in names})
    drawn.draw_without_rendering()
    assert drawn.axes or drawn.texts


def test_rates_are_of_generated_conditions_and_in_their_intervals(found):
    table = tables.refusal_table(found["chat"])
    assert set(table[table["target"] == "sw"]["condition"]) == {BASELINE, *DIRECTIONS}
    assert (table["low"] <= table["rate"] + 1e-9).all() and (table["rate"] <= table["high"] + 1e-9).all()
    assert tables.refusal_table(found["base"]).empty


def test_main_table_has_rates_or_for_a_model_without_completions_scores(found):
    for name, what in (("chat", "refusal rate"), ("base", "refusal score in nats")):
        measured, table = tables.main_table(found[name])
        assert measured == what
        assert list(table.index) == list(found[name]["target"].values)
        assert table.notna().all(axis=None) and table.shape[1] == 2 * (1 + len(DIRECTIONS))
    language = table.index[0]
    scores_of = found["base"]["score"].sel(target=language, condition=REFUSING)
    for kind in KINDS:
        np.testing.assert_allclose(table.loc[language, (kind, REFUSING)], scores_of.sel(kind=kind).mean(), rtol=1e-6)
    rates, known = tables.main_table(found["chat"])[1], tables.refusal_table(found["chat"])
    known = known.set_index(["target", "kind", "condition"])["rate"]
    for (kind, condition), column in rates.items():
        np.testing.assert_allclose(column, [known[target, kind, condition] for target in rates.index])


def test_selectivity_is_refusal_minus_over_refusal(found):
    table = tables.selectivity_table(found["chat"])
    assert (table["selectivity"] == table["refusal"] - table["over_refusal"]).all()
    assert ((table["d_low"] <= table["d"]) & (table["d"] <= table["d_high"])).all()


def test_changes_have_paired_intervals_around_them(found):
    tests = tables.control_tests(found["chat"], REFUSING)
    assert (tests["change"] * SETTINGS.prompts == tests["gained"] - tests["lost"]).all()
    assert ((tests["low"] <= tests["change"]) & (tests["change"] <= tests["high"])).all()


def test_scores_compare_on_the_prompts_that_both_have(found):
    dataset = found["base"]
    name = f"random 1 ({REFUSING})"
    shift = scores.score_table(dataset).loc[name, "sw"]
    known = dataset["score"].sel(kind="harmful", target="sw").values[:, : SETTINGS.score_prompts]
    names = [str(n) for n in dataset["condition"].values]
    assert shift == pytest.approx((known[names.index(name)] - known[names.index(BASELINE)]).mean(), abs=1e-5)
    auroc = scores.auroc_table(dataset).set_index(["condition", "target"])
    assert auroc.loc[(name, "sw"), "prompts"] == SETTINGS.score_prompts
    assert auroc.loc[(BASELINE, "sw"), ["change", "change_low", "change_high"]].eq(0).all()


def test_sources_stand_beside_each_other(found):
    table = scores.source_target(found["chat"], REFUSING)
    assert list(table.index) == ["en", "fr"] and list(table.columns) == ["en", "sw"] and table.notna().all(axis=None)


def test_comparisons_hold_every_means_and_its_price(found):
    table = tables.comparison_table(found["chat"])
    assert f"random vectors ({REFUSING})" in table.index and "ablation" in table.index
    assert table.loc[[BASELINE, *DIRECTIONS], ["divergence", "perplexity"]].notna().all(axis=None)
    assert tables.comparison_tables({"m": found["base"]}).empty


def test_tables_for_readers_name_models_only_where_there_are_several(found):
    one, two = (tables.comparison_tables({str(i): found["chat"] for i in range(n)}) for n in (1, 2))
    assert one.index.nlevels == 1 and one.loc[unbroken(BASELINE), "nats"] == "0.00"
    assert one.loc["ablation", "perplexity"] != "–" and unbroken("random, refusing") in one.index
    assert two.equals(one)  # the same title twice is one model
    other = tables.comparison_tables({"m": found["chat"], "n": found["chat"].assign_attrs(title="other (Q4)")})
    assert ("other", "random, refusing") in other.index and len(other) == 2 * len(one)
    rates = tables.rates_by_language({"m": found["chat"]})
    assert list(rates.index) == [unbroken("English (en)"), unbroken("Swahili (sw)")] and rates.shape[1] == 6


def test_a_model_that_hardly_refuses_is_answered_for_by_score_and_told_why(found):
    words = answers.control(found)
    assert "no chat template" in words and "hardly refuses" in words
    shifts = scores.score_table(found["base"]).loc[REFUSING]
    assert f"{signed(shifts['sw'], 1)} nats" in words
    assert {"base", "chat"} <= {title.split(",")[0] for title in re.findall(r"\*\*(.+?)\*\*", words)}


def test_a_model_that_refuses_is_answered_for_by_rates(found):
    refusing = found["chat"].copy(deep=True)
    refusing["outcome"] = refusing["outcome"].where(refusing["outcome"] < 0, 1)
    words = answers.control({"m": refusing})
    assert "from 1.00 to **1.00**" in words and "0 of 2 languages" in words


def test_rates_are_corrected_only_by_a_validated_judge(found, monkeypatch):
    from tests.control.test_validation import table

    assert tables.corrected_table(found["chat"]) is None or validation.VALIDATION.is_file()
    labelled = table(("en", REFUSAL, REFUSAL, REFUSAL, 30), ("en", ANSWER, ANSWER, ANSWER, 60))
    monkeypatch.setattr(tables, "load_validation", lambda: labelled)
    corrected = tables.corrected_table(found["chat"])
    assert np.allclose(corrected["corrected"], corrected["rate"])
    assert (corrected["corrected_low"] <= corrected["corrected"] + 1e-9).all()
    assert "precision of **1.00**" in answers.judge(tables.judge_table())
    assert tables.corrected_table(found["chat"].assign_attrs(judge="chat:m")) is None
