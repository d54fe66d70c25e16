import doctest
import importlib
import re
from pathlib import Path

import pytest

import xlv

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "book" / "api.md"
TEXT = PAGE.read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8")
DOCUMENTED = re.findall(r"auto(?:function|class):: (\S+)", TEXT)


def python_blocks(text: str) -> list[str]:
    return re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)


def documented(path: str):
    module, _, name = path.rpartition(".")
    return getattr(importlib.import_module(module), name)


def test_every_example_on_the_page_gives_what_it_says(tiny, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    examples = "\n".join(re.findall(r"```pycon\n(.*?)```", TEXT, flags=re.DOTALL))
    test = doctest.DocTestParser().get_doctest(examples, {"model": tiny()}, "api.md", str(PAGE), 0)
    assert len(test.examples) > 60
    result = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE).run(test)
    assert result.failed == 0


@pytest.mark.parametrize("path", DOCUMENTED)
def test_everything_on_the_page_exists_and_says_what_it_is(path):
    text = documented(path).__doc__
    assert text and "|" not in re.sub(r"`[^`]*`", "", text)  # a bar would be a substitution in the page


def test_every_public_name_is_on_the_page():
    objects = [documented(path) for path in DOCUMENTED]
    missing = [name for name in xlv.__all__ if name != "__version__" and getattr(xlv, name) not in objects]
    assert missing == []


def test_code_that_needs_a_download_compiles():
    for block in python_blocks(TEXT):
        compile(block, str(PAGE), "exec")


@pytest.mark.parametrize("block", [python_blocks(README)[-1], python_blocks(TEXT)[0]], ids=["README", "api"])
def test_steering_as_shown_first_runs(block, tiny_folder, tmp_path, monkeypatch, capsys):
    """The first example of the page and of README, with a tiny model in place of the one that is downloaded."""
    monkeypatch.chdir(tmp_path)
    block = block.replace("qwen2.5-coder-0.5b", str(tiny_folder)).replace("range(10, 18)", "range(1, 3)")
    exec(compile(block, "example", "exec"), {})
    assert len(capsys.readouterr().out.splitlines()) == 2
