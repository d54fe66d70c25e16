"""Completions to label by hand, and the table that comes of it: how `judge_validation.tsv` is made.

xlv run MODEL --control --keep-completions      for each model
sample_completions(files, 480, folder)          then two people fill in a label each, without the key
validation_rows(folder, labels_1, labels_2)     to be written to `xlv/questions/control/judge_validation.tsv`
"""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from xlv.control.measure import json_lines, write_private
from xlv.control.refusal import RuleJudge
from xlv.corpus.pairs import load_instructions
from xlv.questions.control.judge import COLUMNS
from xlv.schema import KINDS

SHEET, KEY = "sheet.jsonl", "key.jsonl"


def sample_completions(
    files: Sequence[Path], count: int, folder: Path, *, data: Path | None = None, seed: int = 0
) -> int:
    """Draw completions from files of kept ones, evenly over models, languages and conditions, into private files.

    `sheet.jsonl` has what a labeller sees: id, language, kind of instruction and completion. `key.jsonl` has what they
    must not see: model, condition, hash of the completion, and the rule judge's verdict. Both have mode 0600. Returns
    how many were drawn: fewer than `count` if there are no more. Raises ValueError if there are none.
    """
    drawn = _evenly([record for path in files for record in json_lines(path)], count, seed)
    kinds, sheet, key = {}, [], []
    for number, record in enumerate(drawn, start=1):
        code, completion = record["language"], record["completion"]
        if code not in kinds:
            table = load_instructions(code, data=data)
            kinds[code] = {text: kind for kind in KINDS for text in table[kind]}
        name = f"{number:04d}"
        kind = kinds[code][record["prompt"]]
        sheet.append({"id": name, "language": code, "kind": kind, "completion": completion})
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
