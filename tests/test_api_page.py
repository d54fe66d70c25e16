import doctest
import importlib
import re
from pathlib import Path

import pytest

PAGE = Path(__file__).resolve().parents[1] / "book" / "api.md"
TEXT = PAGE.read_text(encoding="utf-8")


def test_every_example_on_the_page_gives_what_it_says(tiny):
    examples = "\n".join(re.findall(r"```pycon\n(.*?)```", TEXT, flags=re.DOTALL))
    test = doctest.DocTestParser().get_doctest(examples, {"model": tiny()}, "api.md", str(PAGE), 0)
    assert len(test.examples) > 30
    result = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE).run(test)
    assert result.failed == 0


@pytest.mark.parametrize("path", re.findall(r"autofunction:: (\S+)", TEXT))
def test_every_function_on_the_page_exists_and_says_what_it_is(path):
    module, _, name = path.rpartition(".")
    documented = getattr(importlib.import_module(module), name).__doc__
    assert documented and "|" not in re.sub(r"`[^`]*`", "", documented)  # a bar would be a substitution in the page


def test_code_that_needs_a_download_compiles():
    for block in re.findall(r"```python\n(.*?)```", TEXT, flags=re.DOTALL):
        compile(block, str(PAGE), "exec")
