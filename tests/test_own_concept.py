import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = (Path(__file__).resolve().parents[1] / "book" / "own-concept.md").read_text(encoding="utf-8")
FILES = dict(re.findall(r"```\{code-block\} text\n:caption: (\S+)\n(.*?)```", PAGE, flags=re.DOTALL))
COMMANDS = [line for block in re.findall(r"```bash\n(.*?)```", PAGE, flags=re.DOTALL) for line in block.splitlines()]


@pytest.fixture
def shell(tiny_folder, tmp_path):
    """Run a command of the page in a folder with the page's files, with a tiny model where it names an embedded one."""
    for name, content in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content, encoding="utf-8")

    def run(line):
        program, *arguments = line.replace("smollm2-135m", str(tiny_folder)).split()
        assert program == "xlv"
        return subprocess.run(
            [sys.executable, "-m", "xlv.cli", *arguments],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=500,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[1])},
        )

    return run


def command(start):
    (line,) = (line for line in COMMANDS if line.startswith(start))
    return line


def test_the_page_has_two_files_and_one_command_for_the_book():
    assert list(FILES) == ["my-corpus/courage/en.tsv", "my-corpus/courage/de.tsv"]
    assert command("xlv book") == "xlv book --models smollm2-135m --data my-corpus"


def test_the_check_says_of_the_page_s_corpus_what_the_page_says(shell):
    done = shell(command("xlv data check"))
    assert done.returncode == 0, done.stdout
    assert "courage/en: words alone distinguish the sides in 81% of the pairs" in done.stdout
    assert "Errors: 0" in done.stdout
    assert "words alone are right in 81 % of the pairs" in PAGE


def test_a_run_on_the_page_s_corpus_gives_a_table(shell):
    done = shell(command("xlv run"))
    assert done.returncode == 0 and "de" in done.stdout, done.stderr


def test_the_page_s_command_gives_a_book_with_the_new_concept_in_every_figure(shell, tmp_path):
    done = shell(command("xlv book"))
    assert done.returncode == 0, done.stderr
    [html] = (tmp_path / "build").glob("my-model,quick-default-bf16,data=my-corpus-*/_build/html")
    assert f"The book: {html / 'index.html'}" in done.stdout
    pages = {path.stem: path.read_text(encoding="utf-8") for path in (html / "notebooks").glob("*.html")}
    for name, page in pages.items():
        drawn = [path for path in re.findall(r'<img alt="[^"]*"[^>]* src="\.\./(_images/[^"]+\.svg)"', page)]
        drawn += re.findall(r'<img [^>]*src="\.\./(_images/[^"]+\.svg)"[^>]* alt="', page)
        for picture in drawn:
            text = (html / picture).read_text(encoding="utf-8")
            assert not re.search("morality|fairness|toxicity", text), f"{name} still shows a built-in concept"
    assert any(
        "courage" in (html / picture).read_text(encoding="utf-8")
        for picture in re.findall(r'src="\.\./(_images/[^"]+\.svg)"', pages["q1_recognition"])
    )
    assert "courage" in pages["corpus"]
