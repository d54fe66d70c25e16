"""How the rules of the claims were tried, as the page on claims shows it: simulations, and old rules beside new ones.

It reads what lies in `book/results`: `simulation.json`, which scripts/simulate_rules.py writes, of claim 8
`simulation_control.json` by scripts/simulate_control.py, and `old_rules.json` by scripts/old_rules.py.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pandas as pd

from xlv.questions.claims.ledger import Ledger
from xlv.questions.claims.table import FIRST, SECOND
from xlv.questions.claims.verdicts import FAILS, HOLDS, NOT_ASKED, UNDECIDED
from xlv.report.formats import Said, cell, plain, say, unbroken
from xlv.report.ledger import names

COMMIT = "df65a48"  # the one that holds rules and simulations, made before any model read the second cohort
OF_REFUSALS = "2a68a69"  # that of claim 8, made before any model read the new instructions
RESULTS = Path(__file__).resolve().parents[1] / "book" / "results"
Rows = Sequence[Mapping[str, object]]
SIGNS = {HOLDS: "✓", FAILS: "✗", UNDECIDED: "?", NOT_ASKED: "–"}
LUCK = 27 / 400  # wrong verdicts up to which 400 runs do not contradict one in twenty
COHORTS = (FIRST, SECOND)
FOUND = 0.8  # of the runs with an effect that a rule should find


def simulated() -> Rows:
    """The simulation's rows; none where it has not been run."""
    return _read("simulation.json", [])


def simulated_control() -> Rows:
    """The rows of claim 8's simulation; none where it has not been run."""
    return _read("simulation_control.json", [])


def old_rules() -> Mapping[str, object]:
    """The verdicts of the old rules, `rows`, and the `commit` of the code that judged by them; empty without any."""
    return _read("old_rules.json", {"commit": "", "rows": []})


def _read(name: str, missing):
    path = RESULTS / name
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else missing


def limits(rows: Rows) -> pd.DataFrame:
    """Largest share of wrong verdicts where a rule draws its line, in the direction that errs more often, by size."""
    return _by_size(rows, "wrong", lambda row: max(row[verdict] for verdict in row["wrong"]), "max")


def power(rows: Rows) -> pd.DataFrame:
    """Share of runs in which a rule finds an effect that is there, by size."""
    return _by_size(rows, "wanted", lambda row: row[row["wanted"]], "mean")


def _by_size(rows: Rows, key: str, share: Callable[[Mapping[str, object]], float], over: str) -> pd.DataFrame:
    asked = [row for row in rows if row.get(key)]
    found = [(row["claim"], _case(row), _size(row), share(row)) for row in asked]
    table = pd.DataFrame(found, columns=["claim", "case", "size", "share"])
    wide = table.pivot_table(index=["claim", "case"], columns="size", values="share", aggfunc=over, sort=False)
    return wide.rename_axis(columns=None)


def _size(row: Mapping[str, object]) -> str:
    return f"{row['pairs']} pairs" if "pairs" in row else f"{row['prompts']} × {row['languages']}"


def _case(row: Mapping[str, object]) -> str:
    return f"{row['case']}: {row['wanted']}" if row["wanted"] else str(row["case"])


def percent(table: pd.DataFrame) -> pd.DataFrame:
    """Shares as a reader sees them."""
    return table.map(lambda share: "–" if pd.isna(share) else f"{100 * share:.1f} %").reset_index()


def coverage(rows: Rows) -> pd.DataFrame:
    """How often 95 % intervals of accuracies cover the truth, and their standard error over the true spread."""
    covered = [row for row in rows if "accuracy" in row]
    names = [f"{what}, {of}" for of in ("one language", "mean") for what in ("coverage", "error over spread")]
    table = pd.DataFrame(covered, columns=["pairs", "accuracy", *names]).astype({"accuracy": str})
    return table.assign(**{name: table[name].astype(float).map(plain) for name in names})


def outcome(rows: Rows) -> Said:
    """What came of the trials, in a sentence."""
    wrong, found = limits(rows).stack(), power(rows).stack()
    if not len(wrong) or not len(found):
        return say("trials", "missing")
    claim, case, pairs = wrong.idxmax()
    numbers = {"trials": len(wrong), "within": int((wrong <= LUCK).sum()), "worst": 100 * wrong.max()}
    numbers |= {"effects": len(found), "found": int((found >= FOUND).sum())}
    return say("trials", "outcome", claim=claim, case=f"{case}, {pairs}", **numbers)


def families(found: Ledger) -> Said:
    """How many families of verdicts there are, and how many of them are expected to err, in a sentence."""
    asked = found.verdicts[found.verdicts["status"] != NOT_ASKED]
    count = asked.groupby(["claim", "model", "part"]).ngroups
    return say("trials", "families", count=count, wrong=0.05 * count)


def committed() -> Said:
    """Which commits hold rules and simulations, in words."""
    return say("trials", "committed", commit=COMMIT, refusals=OF_REFUSALS)


def replaced(old: Mapping[str, object]) -> Said:
    """Where the old rules' verdicts come from, and how many of them were none, in a sentence."""
    if not old["rows"]:
        return say("trials", "not_replaced")
    kinds = {cohort: [row["verdict"] for row in old["rows"] if row["cohort"] == cohort] for cohort in COHORTS}
    counts = {cohort: sum(kind not in (HOLDS, FAILS) for kind in verdicts) for cohort, verdicts in kinds.items()}
    return say("trials", "replaced", commit=old["commit"], total=len(kinds[FIRST]), of=len(kinds[SECOND]), **counts)


def before_and_after(old: Rows, found: Ledger) -> pd.DataFrame:
    """The eight claims under old rules, on means over concepts, and under new ones, by concept, on either cohort.

    A row per claim and model; none where the old rules judged none of these models.
    """
    called, rows = names(found), {}
    for row in old:
        if row["model"] in called:
            key = {"claim": str(row["claim"]), "says": row["says"], "model": called[row["model"]]}
            new = {f"new rules, {cohort} cohort": _new(key["claim"], row["model"], cohort, found) for cohort in COHORTS}
            place = rows.setdefault((key["claim"], row["model"]), key | new)
            place[f"old rule, {row['cohort']} cohort"] = f"{row['verdict']} {_written(row)}".strip()
    columns = [f"{rules}, {cohort} cohort" for rules in ("old rule", "new rules") for cohort in COHORTS]
    return pd.DataFrame(list(rows.values()), columns=["claim", "says", "model", *columns]).fillna("–")


def _written(row: Mapping[str, object]) -> str:
    numbers = (float("nan") if row[name] is None else row[name] for name in ("value", "low", "high"))
    value, low, high = (cell(number, "{:.3g}") for number in numbers)
    return "" if value == "–" else f"({value})" if low == "–" else f"({value}; {low} to {high})"


def _new(claim: str, model: str, cohort: str, found: Ledger) -> str:
    """How often each verdict falls under the new rules on one cohort, for each part of a claim."""
    rows = found.findings[(found.findings["model"] == model) & (found.findings["cohort"] == cohort)]
    counts = rows[rows["claim"].str.startswith(claim)].groupby("claim")["verdict"].value_counts()
    by_part = {part: counts[part] for part in counts.index.unique(0)}
    told = [
        f"{part}: " + " ".join(unbroken(f"{of[verdict]} {sign}") for verdict, sign in SIGNS.items() if verdict in of)
        for part, of in by_part.items()
    ]
    return "; ".join(told) or "–"
