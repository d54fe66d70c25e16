import doctest
import re
from pathlib import Path

from xlv.schema import ATTRIBUTES, COORDINATES, SCHEMA, schema_page

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "book" / "schema.md"
TEXT = PAGE.read_text(encoding="utf-8")
INTRODUCTION, TABLES = TEXT[: TEXT.index("## ")], TEXT[TEXT.index("## ") :]
REMEDY = (
    'book/schema.md is stale, make it anew: python -c "from pathlib import Path; from xlv.schema import schema_page; '
    "page = Path('book/schema.md'); page.write_text(page.read_text().split('## ')[0] + schema_page())\""
)


def test_the_page_holds_exactly_what_the_schema_says():
    assert schema_page() == TABLES, REMEDY


def test_every_variable_and_coordinate_has_a_row_of_the_table_s_width():
    rows = [re.split(r"(?<!\\)\|", line)[1:-1] for line in TABLES.splitlines() if line.startswith("| `")]
    variables = sum(map(len, SCHEMA.values()))
    assert len(rows) == variables + len(COORDINATES) + len(ATTRIBUTES)
    assert {len(row) for row in rows[:variables]} == {4} and {len(row) for row in rows[variables:]} == {2}


def test_the_examples_of_the_introduction_give_what_they_say(monkeypatch):
    monkeypatch.chdir(ROOT)
    examples = "\n".join(re.findall(r"```pycon\n(.*?)```", INTRODUCTION, flags=re.DOTALL))
    test = doctest.DocTestParser().get_doctest(examples, {}, "schema.md", str(PAGE), 0)
    assert len(test.examples) == 6
    assert doctest.DocTestRunner().run(test).failed == 0
