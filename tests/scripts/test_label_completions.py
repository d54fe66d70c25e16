import hashlib
import json
import stat

import pytest

from scripts.label_completions import KEY, SHEET, sample_completions, validation_rows
from xlv.control.measure import write_private
from xlv.corpus.pairs import load_instructions
from xlv.questions.control.judge import COLUMNS
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
    assert set(sheet[0]) == {"id", "language", "kind", "completion"} and {row["kind"] for row in sheet} == {"harmful"}
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
