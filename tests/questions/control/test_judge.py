import numpy as np
import pandas as pd
import pytest
import xarray as xr

from xlv.questions.control.judge import COLUMNS, corrected_rate, late_table, load_validation, quality, quality_table
from xlv.schema import ANSWER, BASELINE, BROKEN, KINDS, OUTCOMES, REFUSAL, REFUSING


def table(*groups):
    """Rows of (language, rule, label 1, label 2, how many)."""
    rows = [
        dict(zip(COLUMNS, (code, "m", "no control", f"{i}-{k}", rule, one, two), strict=True))
        for i, (code, rule, one, two, count) in enumerate(groups)
        for k in range(count)
    ]
    return pd.DataFrame(rows)


MADE_UP = table(
    ("en", REFUSAL, REFUSAL, REFUSAL, 18),
    ("en", ANSWER, REFUSAL, REFUSAL, 2),
    ("en", REFUSAL, ANSWER, ANSWER, 3),
    ("en", ANSWER, ANSWER, ANSWER, 57),
    ("sw", BROKEN, BROKEN, BROKEN, 10),
    ("sw", REFUSAL, REFUSAL, REFUSAL, 9),
    ("sw", REFUSAL, REFUSAL, ANSWER, 1),
)


def test_precision_and_recall_are_of_completions_on_which_the_passes_agree():
    found = quality(MADE_UP)
    assert (found.true_positive, found.false_positive, found.false_negative, found.true_negative) == (27, 3, 2, 67)
    shares = found.shares()
    assert shares["precision"][0] == 27 / 30 and shares["recall"][0] == 27 / 29 and found.disagreed == 1
    for value, low, high in shares.values():
        assert low < value < high


def test_languages_with_fewer_than_ten_refusals_are_pooled_only():
    assert list(quality_table(MADE_UP).index) == ["all", "en"]


def test_kappa_is_agreement_beyond_chance():
    mixed = (("en", ANSWER, REFUSAL, REFUSAL, 4), ("en", ANSWER, REFUSAL, ANSWER, 1), ("en", ANSWER, ANSWER, ANSWER, 5))
    assert quality(table(*mixed)).kappa == pytest.approx((0.9 - 0.5) / 0.5)
    assert quality(table(*mixed[::2])).kappa == 1 and quality(table(mixed[0])).kappa == 1


def test_a_perfect_judge_needs_no_correction_and_a_lenient_one_is_raised():
    perfect = quality(table(("en", REFUSAL, REFUSAL, REFUSAL, 300), ("en", ANSWER, ANSWER, ANSWER, 300)))
    rate, low, high = corrected_rate(12, 40, perfect)
    assert rate == pytest.approx(0.3) and low < 0.3 < high
    missed = ("en", ANSWER, REFUSAL, REFUSAL, 30)
    lenient = quality(table(("en", REFUSAL, REFUSAL, REFUSAL, 30), missed, ("en", ANSWER, ANSWER, ANSWER, 60)))
    assert corrected_rate(12, 40, lenient)[0] == pytest.approx(0.6)
    assert corrected_rate(12, 40, lenient)[2] - corrected_rate(12, 40, lenient)[1] > high - low
    assert corrected_rate(0, 40, quality(MADE_UP))[0] == 0


def test_a_judge_no_better_than_chance_corrects_nothing():
    blind = quality(table(("en", ANSWER, REFUSAL, REFUSAL, 5), ("en", REFUSAL, ANSWER, ANSWER, 5)))
    assert np.isnan(corrected_rate(1, 4, blind)).all()


def test_the_file_is_read_as_written_and_checked(tmp_path):
    path = tmp_path / "v.tsv"
    assert load_validation(path) is None
    MADE_UP.to_csv(path, sep="\t", index=False)
    pd.testing.assert_frame_equal(load_validation(path), MADE_UP, check_dtype=False)
    MADE_UP.replace(BROKEN, "odd").to_csv(path, sep="\t", index=False)
    with pytest.raises(ValueError, match="rule holds 'odd'"):
        load_validation(path)
    MADE_UP.drop(columns="rule").to_csv(path, sep="\t", index=False)
    with pytest.raises(ValueError, match="lacks the column 'rule'"):
        load_validation(path)


def test_the_committed_file_is_sound_if_there_is_one():
    found = load_validation()
    assert found is None or found["completion_sha256"].str.fullmatch("[0-9a-f]{64}").all()


def test_late_refusals_are_counted_and_those_of_a_gate_follow_from_both_conditions():
    answer, refusal = (OUTCOMES.index(name) for name in (ANSWER, REFUSAL))
    found = np.full((2, 2, 1, 3, 2), answer)  # condition, kind, language, instruction, length
    found[0, 0, 0, 0] = [answer, refusal]  # declines late, without control
    found[1, 0] = refusal
    found[1, 1, 0, 1, 1] = refusal
    found[..., 2, :] = -1  # not generated
    dims = ("late_condition", "kind", "late_target", "late_prompt", "length")
    names = {"late_condition": [BASELINE, REFUSING], "late_target": ["sw"], "kind": list(KINDS), "length": [32, 128]}
    dataset = xr.Dataset({"late_outcome": (dims, found)}, names, {"source": "en"})
    read = xr.DataArray([[[[1.0, -1.0, 1.0]], [[-1.0, 1.0, 1.0]]]], dims=("searched", "kind", "target", "prompt"))
    dataset["projection"] = read.assign_coords(searched=["en"], kind=list(KINDS), target=["sw"], prompt=[25, 26, 27])
    dataset["split_projection"] = dataset["projection"].rename(prompt="split_prompt")
    dataset["gate_threshold"] = ("searched", [0.0])
    table = late_table(dataset)
    assert table.loc[BASELINE, "sw"].tolist() == [4, 0, 1, 1] and table.loc[REFUSING, "sw"].tolist() == [4, 2, 3, 1]
    assert table.loc["gated, carried", "sw"].tolist() == [4, 1, 2, 1]  # open for one instruction of each kind
    assert late_table(dataset.drop_vars("late_outcome")).empty


def test_broken_completions_have_a_precision_and_a_recall_too():
    odd = (("en", BROKEN, BROKEN, BROKEN, 12), ("en", ANSWER, BROKEN, BROKEN, 4), ("en", BROKEN, ANSWER, ANSWER, 3))
    found = quality_table(table(*odd)).loc["all"]
    assert (found["broken"], found["broken_found"]) == (16, 12)
    assert found["broken_precision"] == 12 / 15 and found["broken_recall"] == 12 / 16
