import hashlib
import json
import stat

import pandas as pd
import pytest

from scripts.label_completions import (
    KEY,
    SHEET,
    agreement,
    main,
    read_labels,
    rejudged,
    sample_completions,
    validation_rows,
)
from xlv.control.measure import write_private
from xlv.control.refusal import RuleJudge
from xlv.corpus.pairs import load_instructions
from xlv.questions.control.judge import COLUMNS, load_validation
from xlv.schema import ANSWER, REFUSAL


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def kept(tmp_path):
    """Kept completions of two languages and conditions, one of them with many more; the texts are made up."""
    path = tmp_path / "completions.jsonl"
    for code, condition, count in (("en", "no control", 20), ("en", "towards refusing", 4), ("fr", "no control", 4)):
        table = load_instructions(code, "evaluation")
        for i in range(count):
            text = "I'm sorry, but I can't." if i % 2 else f"Here is number {i}."
            about = {"model": "tiny", "condition": condition, "language": code, "prompt": table["harmful"][i]}
            write_private(path, json.dumps({**about, "completion": text}) + "\n", append=True)
    with open(path, "a") as stream:
        stream.write('{"cut sho')
    return path


def rows(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_kept_completions_and_samples_are_private(kept, tmp_path):
    sample_completions([kept], 6, tmp_path)
    assert {mode(path) for path in (kept, tmp_path / SHEET, tmp_path / KEY)} == {0o600}


def test_a_sample_is_even_over_conditions_and_languages_and_hides_where_it_comes_from(kept, tmp_path):
    assert sample_completions([kept], 12, tmp_path) == 12
    sheet, key = rows(tmp_path / SHEET), rows(tmp_path / KEY)
    assert set(sheet[0]) == {"id", "language", "kind", "prompt", "completion"} and {row["kind"] for row in sheet} == {
        "harmful"
    }
    strata = [(row["language"], row["condition"]) for row in key]
    assert all(strata.count(stratum) == 4 for stratum in set(strata)) and len(set(strata)) == 3
    for seen, hidden in zip(sheet, key, strict=True):
        assert hidden["completion_sha256"] == hashlib.sha256(seen["completion"].encode()).hexdigest()
        assert hidden["rule"] == (REFUSAL if "sorry" in seen["completion"] else ANSWER)


def test_labels_make_the_validation_table_without_a_completion(kept, tmp_path):
    count = sample_completions([kept], 100, tmp_path)
    assert count == 28
    labels = {row["id"]: ANSWER for row in rows(tmp_path / SHEET)}
    table = validation_rows(tmp_path, labels, labels)
    assert list(table.columns) == list(COLUMNS) and len(table) == count
    assert not table.astype(str).apply(lambda column: column.str.contains("Here is")).any(axis=None)
    with pytest.raises(ValueError, match="lack a label"):
        validation_rows(tmp_path, labels, {})


def test_without_kept_completions_it_says_how_to_keep_some(tmp_path):
    (tmp_path / "empty.jsonl").write_text("")
    with pytest.raises(ValueError, match="--keep-completions"):
        sample_completions([tmp_path / "empty.jsonl"], 5, tmp_path)


def test_two_commands_make_the_table_and_say_how_good_the_rules_are(kept, tmp_path, monkeypatch, capsys):
    out, folder = tmp_path / "table.tsv", tmp_path / "private"
    monkeypatch.setattr("sys.argv", ["label", "sample", str(folder), str(kept), "--count", "12"])
    main()
    assert capsys.readouterr().out == f"12 completions in {folder}\n" and agreement(folder).empty
    labels = tmp_path / "labels.tsv"
    said = [f"{row['id']}\t{REFUSAL if 'sorry' in row['completion'] else ANSWER}" for row in rows(folder / SHEET)]
    labels.write_text("\n".join(said))
    monkeypatch.setattr("sys.argv", ["label", "table", str(folder), str(labels), str(labels), "--out", str(out)])
    main()
    printed = capsys.readouterr().out
    assert "refusal Quality(true_positive=" in printed and "broken Quality(" in printed and "sorry" not in printed
    assert len(load_validation(out)) == 12


def test_another_judge_is_asked_about_the_same_completions(kept, tmp_path, monkeypatch):
    monkeypatch.setattr("scripts.label_completions.judge_named", lambda name: {"rules": RuleJudge()}[name])
    sample_completions([kept], 12, tmp_path, judge="rules")
    table = agreement(tmp_path)
    assert table.to_numpy().sum() == 12 and table.loc[REFUSAL, REFUSAL] + table.loc[ANSWER, ANSWER] == 12


def test_a_label_that_is_none_is_refused_with_its_line(tmp_path):
    (tmp_path / "labels.tsv").write_text("0001\trefusal\n0002\tmaybe\n")
    with pytest.raises(ValueError, match="line 2: expected an id, a tab and one of non-refusal, refusal, broken"):
        read_labels(tmp_path / "labels.tsv")


def test_completions_that_are_made_again_keep_their_labels_and_get_new_verdicts(kept, tmp_path, monkeypatch, capsys):
    text = "I'm sorry, but I can't."
    about = {"language": "en", "model": "tiny", "condition": "no control", "rule": ANSWER}
    known = {
        **about,
        "completion_sha256": hashlib.sha256(text.encode()).hexdigest(),
        "label_1": REFUSAL,
        "label_2": REFUSAL,
    }
    other = {**known, "completion_sha256": "0" * 64}
    pd.DataFrame([known, other])[list(COLUMNS)].to_csv(tmp_path / "labels.tsv", sep="\t", index=False)
    found = rejudged([kept], tmp_path / "labels.tsv")
    assert found["rule"].tolist() == found["label_1"].tolist() == [REFUSAL]
    monkeypatch.setattr("scripts.label_completions.rejudged", lambda files: found)
    monkeypatch.setattr("sys.argv", ["label", "rejudge", str(kept), "--out", str(tmp_path / "table.tsv")])
    for _ in range(2):
        main()
    assert len(load_validation(tmp_path / "table.tsv")) == 1 and "sorry" not in capsys.readouterr().out
