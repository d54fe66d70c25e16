import json

import pytest

from tests.corpus.written import write
from xlv.corpus.pairs import concepts_in, corpus_files, full_texts, languages_in, load_pairs
from xlv.corpus.table import CorpusError, read_mvalue, read_table


def test_a_file_is_a_table_of_strings_and_blank_lines_are_left_out(tmp_path):
    path = write(tmp_path, header="id\tpositive\tnegative\n", rows=["01\t1\tNA", "", '02\ta "b"\tc'])
    table = read_table(path)
    assert table.to_numpy().tolist() == [["01", "1", "NA"], ["02", 'a "b"', "c"]]
    assert list(table.columns) == ["id", "positive", "negative"]


def test_a_mark_of_the_byte_order_is_no_part_of_the_first_column(tmp_path):
    path = write(tmp_path)
    path.write_text(path.read_text(encoding="utf-8"), encoding="utf-8-sig")
    assert len(read_table(path)) == 8


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda f: write(f, rows=["01\tg\ten\tonly four"]), "line 2: 4 fields, expected 5"),
        (lambda f: write(f, rows=["", "01\tg\ten\tonly four"]), "line 3: 4 fields"),
        (lambda f: write(f, header="id\tpos\tneg\n"), "lacks the column 'positive'"),
        (lambda f: write(f, rows=["01\tg\ten\ta\tb", "01\th\ten\tc\td"]), "stands twice"),
        (lambda f: write(f, rows=["01\tg\ten\t \tb"]), "an empty field"),
        (lambda f: write(f).write_text(""), "is empty"),
        (
            lambda f: write(f, rows=["01\tg\ten\ta\tb", " ID\tgroup\torigin\tpositive\tnegative"]),
            "line 3 is the header",
        ),
        (lambda f: write(f, rows=["01\tg\ten\ta\0\tb"]), "row '01' has a NUL"),
        (lambda f: write(f, rows=["01\tg\ten\t\u200b\u200d\ufeff\tb"]), "row '01' has an empty field"),
        (lambda f: write(f, rows=["01\t \ten\ta\tb"]), "every text and group must be given"),
        (lambda f: write(f, rows=[f"01\tg\ten\t{'a' * 100_001}\tb"]), "100,000"),
        (
            lambda f: write(f, header="id\tcohort\torigin\tpositive\tnegative\n"),
            "row '00' has no cohort: expected first",
        ),
        (lambda f: write(f).write_bytes(b"id\tpositive\tnegative\n1\t\xff\xfe\tb\n"), "not UTF-8"),
        (lambda f: None, r"no file .*en\.tsv"),
    ],
)
def test_a_malformed_file_gives_one_error_that_names_the_fault(tmp_path, spoil, message):
    spoil(tmp_path)
    with pytest.raises(CorpusError, match=message):
        read_table(tmp_path / "kindness" / "en.tsv")


def test_the_authors_layout_is_read_as_it_is(tmp_path):
    folder = tmp_path / "truthfulness"
    folder.mkdir()
    entries = {
        "a": {
            "7": {"question": "Q1?", "pos": "yes", "neg": "no"},
            "2": {"question": "Q2?", "pos": "same", "neg": "same"},
        },
        "b": {"1": {"question": "Q3?", "pos": "up", "neg": "down"}},
    }
    for code in ("en", "ja"):
        (folder / f"truthfulness_{code}.json").write_text(json.dumps(entries), encoding="utf-8")
    table = load_pairs(data=tmp_path)
    assert list(table["pair"]) == ["a/7", "b/1"] * 2
    assert full_texts(table)[0][:2] == ["Question: Q1? Answer: yes", "Question: Q3? Answer: up"]
    (folder / "truthfulness_en.json").write_text('{"a": ["pos"]}', encoding="utf-8")
    with pytest.raises(CorpusError, match="not in MVALUE's form"):
        load_pairs(data=tmp_path)


def test_files_are_found_by_concept_and_language_and_others_are_left_alone(tmp_path):
    for name in ("self_respect/self_respect_en.json", "self_respect/notes.json", "fairness/fairness_pt-br.json"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("{}")
    found = corpus_files(tmp_path)
    assert set(found) == {("self_respect", "en"), ("fairness", "pt-br")}
    assert found["self_respect", "en"] == tmp_path / "self_respect" / "self_respect_en.json"
    assert concepts_in(tmp_path) == ["fairness", "self_respect"]
    assert languages_in(tmp_path, "fairness") == ["pt-br"]


def test_scenarios_stand_before_both_texts_and_each_pair_is_a_group_of_its_own(tmp_path):
    path = tmp_path / "deontology_en.json"
    entries = {"a": {str(k): {"scenario": f"S{k}", "pos": "yes", "neg": "no"} for k in range(3)}}
    path.write_text(json.dumps(entries), encoding="utf-8")
    table = read_mvalue(path)
    assert list(table["positive"]) == ["S0 yes", "S1 yes", "S2 yes"] and table["id"].is_unique
    assert "group" not in table


def test_ends_of_fields_and_the_case_of_columns_make_no_difference(tmp_path):
    usual = read_table(write(tmp_path))
    path = write(tmp_path, header="\ufeff ID\tGroup \torigin\tPositive\tnegative\r\n")
    path.write_text(
        path.read_text(encoding="utf-8").replace(".\t", ".\u00a0\u200f\t").replace("g1", " g1 "), encoding="utf-8"
    )
    found = read_table(path)
    assert found.equals(usual)
    assert found.attrs["notes"] == [
        "spaces or invisible characters at the ends of fields are left out in 8 rows, first in '00'"
    ]


@pytest.mark.parametrize("side", ["null", '""', '" \u200b"', "3", '["a"]', '"a\\ud800"'])
@pytest.mark.parametrize("before", ["", '"question": "Q?", ', '"scenario": "S.", '])
def test_a_side_that_is_no_text_is_refused_with_file_and_pair(tmp_path, side, before):
    path = tmp_path / "courage_en.json"
    path.write_text(f'{{"t": {{"03": {{{before}"pos": "a", "neg": {side}}}}}}}', encoding="utf-8-sig")
    with pytest.raises(CorpusError, match=r"courage_en\.json.*'t/03'"):
        read_mvalue(path)


@pytest.mark.parametrize(
    "content", ["[" * 100_000, "3", '{"a": {"1": {"pos": "a", "neg": "b"}, "1": {"pos": "c", "neg": "d"}}}']
)
def test_other_json_is_refused(tmp_path, content):
    (tmp_path / "courage_en.json").write_text(content)
    with pytest.raises(CorpusError, match="MVALUE's form|stands twice"):
        read_mvalue(tmp_path / "courage_en.json")
