"""A ledger of two models with every kind of verdict, and of one whose results an earlier version made."""

from dataclasses import asdict

import pandas as pd

from xlv.questions.claims.ledger import Ledger
from xlv.questions.claims.table import CONFIRMED, SUPPORTED
from xlv.questions.claims.verdicts import FAILS, HOLDS, NOT_ASKED, UNDECIDED, Finding

TITLES = {"a": "Model A (Q4_1)", "b": "Model B", "old": "Older <b>"}
KINDS = {  # status and verdict by concept, and a statistic
    "toxicity": (CONFIRMED, HOLDS, 0.5),
    "morality": (CONFIRMED, FAILS, 0.9),
    "fairness": (SUPPORTED, HOLDS, 0.7),
    "deontology": (UNDECIDED, UNDECIDED, 0.8),
}
COHORTS = {CONFIRMED: "second", SUPPORTED: "all", UNDECIDED: "all", NOT_ASKED: "second"}


def ledger(model: str = "a", control: tuple = ()) -> Ledger:
    """Claims 1a, 3 and 5 on four concepts of `model` and on one of Model B, claims on both together, and more rows."""
    rows = [
        (model, concept, "", claim, *kind)
        for claim in ("1a", "3", "5")
        for concept, kind in KINDS.items()
        if claim != "5"
    ]
    rows += [(model, "toxicity", "", "5", SUPPORTED, FAILS, 0.01)]
    rows += [("b", "toxicity", "", "1a", UNDECIDED, UNDECIDED, 0.7)]
    rows += [("b", "toxicity", "", "5", NOT_ASKED, NOT_ASKED, float("nan"))]
    rows += [("b", "toxicity", "a", "2", SUPPORTED, HOLDS, 0.02)]
    rows += [("b", "toxicity", f"{part}, minus a", "M", UNDECIDED, UNDECIDED, -0.1) for part in ("ρ", "triangle")]
    rows += [("b", "fairness", "ρ, minus a", "M", NOT_ASKED, NOT_ASKED, float("nan"))]
    if model != "a":
        rows = [row for row in rows if row[3] not in ("2", "M")]
    rows += control
    table = []
    for name, concept, part, claim, status, verdict, value in rows:
        ends = [value - 0.1, value + 0.1, value - 0.05, value + 0.05]
        why = "nobody <i>asked</i>" if status == NOT_ASKED else ""
        found = asdict(Finding(claim, value, *ends, verdict, why, 0.044))
        table.append(
            {"model": name, "concept": concept, "cohort": COHORTS[status], "part": part} | found | {"status": status}
        )
    frame, titles = pd.DataFrame(table), {model: TITLES["a"]} | TITLES
    if model != "a":
        titles.pop("a")
    return Ledger(titles, frame.drop(columns="status"), frame)
