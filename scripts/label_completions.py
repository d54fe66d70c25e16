"""Completions to label by hand, and the table that comes of it: how `judge_validation.tsv` is made.

    xlv run MODEL --control --keep-completions                                        for each model
    python -m scripts.label_completions sample FOLDER FILE ... --count 600            private files, in a private folder
    python -m scripts.label_completions table FOLDER LABELS_1 LABELS_2                writes the table, prints how good

Completions that were labelled before have their labels in `judge_labels.tsv`, by their hash: greedy decoding makes the
same ones again, so that

    python -m scripts.label_completions rejudge FILE ...                              adds them to the table, and prints

FILES are kept completions, `completions/*.jsonl` in the cache. Between the two, two people fill in a file each, a line
per completion: its id, a tab, and non-refusal, refusal, broken or incomprehension. With `--judge chat:MODEL` that judge
is asked, too, and the second command prints how it agrees with the rules. Delete FOLDER and the kept completions then.
"""

import argparse
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from xlv.control.measure import json_lines, write_private
from xlv.control.refusal import RuleJudge, judge_named
from xlv.corpus.pairs import load_instructions
from xlv.questions.control.judge import COLUMNS, VALIDATION, load_validation, quality, quality_table
from xlv.schema import KINDS, OUTCOMES

SHEET, KEY = "sheet.jsonl", "key.jsonl"
LABELS = Path(__file__).with_name("judge_labels.tsv")


def sample_completions(
    files: Sequence[Path], count: int, folder: Path, *, data: Path | None = None, seed: int = 0, judge: str = ""
) -> int:
    """Draw completions from files of kept ones, evenly over models, languages and conditions, into private files.

    `sheet.jsonl` has what a labeller sees: id, language, kind of instruction, instruction and completion. `key.jsonl`
    has what they must not see: model, condition, hash of the completion, and the verdict of the rules; of another
    `judge`, too, if one is named. Both have mode 0600. Returns how many were drawn: fewer than `count` if there are no
    more. Raises ValueError if there are none.
    """
    other = judge_named(judge) if judge else None
    drawn = _evenly([record for path in files for record in json_lines(path)], count, seed)
    kinds, sheet, key = {}, [], []
    for number, record in enumerate(drawn, start=1):
        code, completion = record["language"], record["completion"]
        if code not in kinds:
            table = load_instructions(code, data=data)
            kinds[code] = {text: kind for kind in KINDS for text in table[kind]}
        name = f"{number:04d}"
        kind = kinds[code][record["prompt"]]
        sheet.append({"id": name, "language": code, "kind": kind, "prompt": record["prompt"], "completion": completion})
        [rule] = RuleJudge().classify([record["prompt"]], [completion], code)
        key.append(
            {
                "id": name,
                "language": code,
                "model": record["model"],
                "condition": record["condition"],
                "completion_sha256": hashlib.sha256(completion.encode()).hexdigest(),
                "rule": rule,
            }
        )
        if other:
            [key[-1]["other"]] = other.classify([record["prompt"]], [completion], code)
    for file, rows in ((SHEET, sheet), (KEY, key)):
        write_private(folder / file, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    return len(drawn)


def _evenly(records: list[dict[str, str]], count: int, seed: int) -> list[dict[str, str]]:
    """Records drawn in turn from every model, language and condition, without repeats, in random order."""
    if not records:
        raise ValueError("no kept completions: make some with `xlv run MODEL --control --keep-completions`")
    generator, strata = np.random.default_rng(seed), {}
    for record in records:
        stratum = strata.setdefault((record["model"], record["language"], record["condition"]), {})
        stratum[record["prompt"]] = record
    queues = [list(generator.permutation(np.array(list(s.values()), dtype=object))) for _, s in sorted(strata.items())]
    generator.shuffle(queues)
    drawn = []
    while len(drawn) < count and any(queues):
        drawn += [queue.pop() for queue in queues if queue]
    return list(generator.permutation(np.array(drawn[:count], dtype=object)))


def validation_rows(folder: Path, labels_1: dict[str, str], labels_2: dict[str, str]) -> pd.DataFrame:
    """The rows of `judge_validation.tsv` of a sample and two passes of labels by id: no completion, hashes only.

    Raises ValueError for an id without both labels.
    """
    key = pd.DataFrame(list(json_lines(folder / KEY)))
    for labels in (labels_1, labels_2):
        if missing := sorted(set(key["id"]) - set(labels)):
            raise ValueError(f"{len(missing)} completions lack a label, the first {missing[0]!r}: label all of {SHEET}")
    return key.assign(label_1=key["id"].map(labels_1), label_2=key["id"].map(labels_2))[list(COLUMNS)]


def read_labels(path: Path) -> dict[str, str]:
    """Labels by id of a file with an id, a tab and a label per line; ValueError for a line that is not so."""
    found = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        name, _, label = line.strip().partition("\t")
        if label not in OUTCOMES:
            raise ValueError(
                f"{path}: line {number}: expected an id, a tab and one of {', '.join(OUTCOMES)}: {line!r:.80}"
            )
        found[name] = label
    return found


def rejudged(files: Sequence[Path], labels: Path = LABELS) -> pd.DataFrame:
    """The rows of earlier labels whose completions are among kept ones, with today's verdicts of the rules."""
    named = [name for name in COLUMNS if name not in ("rule", "label_1", "label_2")]
    known = pd.read_csv(labels, sep="\t", dtype=str).drop_duplicates(named).set_index(named)[["label_1", "label_2"]]
    rows = {}
    for record in (record for path in files for record in json_lines(path)):
        record["completion_sha256"] = hashlib.sha256(record["completion"].encode()).hexdigest()
        if (key := tuple(record[name] for name in named)) in known.index:
            [rule] = RuleJudge().classify([record["prompt"]], [record["completion"]], record["language"])
            rows[key] = [*key, rule, *known.loc[key]]
    return pd.DataFrame([*rows.values()], columns=list(COLUMNS))


def agreement(folder: Path) -> pd.DataFrame:
    """How often each verdict of the rules meets each of the other judge, by their verdicts; empty without another."""
    key = pd.DataFrame(list(json_lines(folder / KEY)))
    return pd.crosstab(key["rule"], key["other"]) if "other" in key else pd.DataFrame()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    sample, table, again = (commands.add_parser(name) for name in ("sample", "table", "rejudge"))
    for command in (sample, table):
        command.add_argument("folder", type=Path)
    for command in (sample, again):
        command.add_argument("files", type=Path, nargs="+")
    for command in (table, again):
        command.add_argument("--out", type=Path, default=VALIDATION)
    sample.add_argument("--count", type=int, default=600)
    sample.add_argument("--judge", default="")
    table.add_argument("labels", type=Path, nargs=2)
    given = parser.parse_args()
    if given.command == "sample":
        drawn = sample_completions(given.files, given.count, given.folder, judge=given.judge)
        print(f"{drawn} completions in {given.folder}")
        return
    new = given.command == "table"
    rows = validation_rows(given.folder, *map(read_labels, given.labels)) if new else rejudged(given.files)
    if given.out.is_file() and not new:  # short refusals are the same text many times: a row is one by its condition
        before = load_validation(given.out)
        known = set(before[list(COLUMNS[:4])].itertuples(index=False, name=None))
        fresh = [row not in known for row in rows[list(COLUMNS[:4])].itertuples(index=False, name=None)]
        rows = pd.concat([before, rows[fresh]])
    rows = rows.sort_values(list(COLUMNS))
    rows.to_csv(given.out, sep="\t", index=False)
    for name in OUTCOMES[1:]:
        shares = quality(rows, name).shares().items()
        print(
            name,
            quality(rows, name),
            {what: f"{value:.2f} ({low:.2f}–{high:.2f})" for what, (value, low, high) in shares},
        )
    print(quality_table(rows).to_string(), agreement(given.folder).to_string() if new else "", sep="\n\n")


if __name__ == "__main__":
    main()
