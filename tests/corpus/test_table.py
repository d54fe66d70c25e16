import pytest

from tests.corpus.written import write
from xlv.corpus.table import CorpusError, read_table


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
        (lambda f: write(f).write_bytes(b"id\tpositive\tnegative\n1\t\xff\xfe\tb\n"), "not UTF-8"),
        (lambda f: None, r"no file .*en\.tsv"),
    ],
)
def test_a_malformed_file_gives_one_error_that_names_the_fault(tmp_path, spoil, message):
    spoil(tmp_path)
    with pytest.raises(CorpusError, match=message):
        read_table(tmp_path / "kindness" / "en.tsv")
