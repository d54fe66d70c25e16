"""The book of a batch: all models of its done runs side by side, from results alone."""

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from xlv import __version__
from xlv.batch.board import duration
from xlv.batch.plan import Run
from xlv.batch.spec import Spec
from xlv.cache import Progress, file_sha256, fingerprint, silent, whole_file
from xlv.edition.book import build_book, repository
from xlv.edition.notebook import STORED
from xlv.questions.recognition.tables import own_accuracy
from xlv.results import load, save

_MADE = "made.json"
_TEXTS = ("data", "languages", "concepts", "pairs", "profile")


def build_batch_book(
    spec: Spec, runs: Sequence[Run], failed: Mapping[str, str], *, progress: Progress = silent
) -> Path:
    """Build one book that compares the done runs, with a page on all of them; returns its index.html.

    Figures compare runs on the same texts: those with the data, languages, concepts, pairs and profile that most models
    share. It is not built again as long as no run, notebook or page has changed. Raises BookError.
    """
    shown = _comparable([run for run in runs if run.record()])
    folder, pages = spec.out / "book", {"batch-runs": _page(runs, shown, failed)}
    parts = ("notebooks/*.ipynb", "book/*.md", "_toc.yml", "_config.yml")
    sources = [path for part in parts for path in repository().glob(part)]
    key = fingerprint([run.key for run in shown], pages, [file_sha256(path) for path in sorted(sources)], __version__)
    index, made = folder / "_build" / "html" / "index.html", folder / _MADE
    if index.is_file() and made.is_file() and json.loads(made.read_text(encoding="utf-8")) == key:
        return index
    results = folder / "results"
    shutil.rmtree(results, ignore_errors=True)
    for run in shown:
        _file(run, results)
    parameters = {
        "models": ",".join(run.name for run in shown),
        "data": shown[0].parameters["data"],
        "results": str(results),
        "profile": STORED,
        "languages": "",
        "concepts": "",
        "pairs": 0,
        "seed": 0,
        "protocol": spec.parameters.get("protocol", "cv"),
    }
    size = f"{len(shown)} of {len(runs)} runs of a batch"
    index = build_book(parameters, folder, f"Edition “{spec.out.name}”: {size}.", pages, progress=progress)
    with whole_file(made) as temporary:
        temporary.write_text(json.dumps(key), encoding="utf-8")
    return index


def _comparable(runs: Sequence[Run]) -> list[Run]:
    """The runs on the same texts: of all such sets the first with the most models."""
    sets: dict[tuple, list[Run]] = {}
    for run in runs:
        sets.setdefault(tuple(run.parameters[name] for name in _TEXTS), []).append(run)
    return max(sets.values(), key=lambda same: len({run.model for run in same}))


def _file(run: Run, results: Path) -> None:
    """Copy a run's results under its own name, its variant in the title, so that figures tell the runs apart."""
    for path in run.results.glob("*.nc"):
        dataset = load(path)
        provenance = dict(dataset.attrs)
        if run.variant:
            provenance["title"] = f"{provenance['title']}, {run.variant}"
        for name in ("schema", "xlv"):
            provenance.pop(name)
        save(dataset, results / run.name / path.name, provenance)


def _page(runs: Sequence[Run], shown: Sequence[Run], failed: Mapping[str, str]) -> str:
    """The page on the runs: which are done, how long they took, and what each reads in the languages' own vectors."""
    lines = [
        "# The runs of this batch",
        "",
        f"{sum(run.record() is not None for run in runs)} of {len(runs)} runs are done; the pages of this "
        f"book compare the {len(shown)} of them that have the same texts. Accuracy is that of a language's own concept "
        "vectors on held-out pairs, averaged over languages.",
        "",
        "| run | state | time | accuracy | languages |",
        "| --- | --- | --- | --- | --- |",
    ]
    for run in runs:
        record = run.record()
        if record is None:
            lines.append(f"| {run.name} | failed: {_escaped(failed.get(run.name, 'not run'))} | | | |")
            continue
        accuracy, languages = _accuracy(run)
        state = "done, compared" if run in shown else "done"
        lines.append(f"| {run.name} | {state} | {duration(record['seconds'])} | {accuracy} | {languages} |")
    return "\n".join(lines) + "\n"


def _accuracy(run: Run) -> tuple[str, str]:
    path = run.results / "recognition.nc"
    if not path.is_file():
        return "", ""
    table = own_accuracy(load(path), str(run.parameters.get("protocol", "cv")))
    return f"{table['accuracy'].mean():.3f}", str(len(table))


def _escaped(text: str) -> str:
    """A message as the cell of a table: nothing in it is Markdown, HTML or an end of the cell."""
    return "`" + text.replace("`", "'").replace("|", "/").replace("\n", " ") + "`"
