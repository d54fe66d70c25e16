"""How the rules of the claims were tried, as a reader sees it: simulations, and old rules beside new ones."""

from collections.abc import Mapping, Sequence

import pandas as pd

from xlv.questions.claims.ledger import CONTROL, Ledger
from xlv.questions.claims.table import FIRST, SECOND
from xlv.questions.claims.verdicts import FAILS, HOLDS, NOT_ASKED, UNDECIDED
from xlv.report.formats import Said, cell, plain, say
from xlv.report.ledger import names

Rows = Sequence[Mapping[str, object]]  # of book/results/simulation.json or old_rules.json
LUCK = 27 / 400  # wrong verdicts up to which 400 runs do not contradict one in twenty
SIGNS = {HOLDS: "✓", FAILS: "✗", UNDECIDED: "?", NOT_ASKED: "–"}
FOUND = 0.8  # of the runs with an effect that a rule should find


def limits(simulated: Rows) -> pd.DataFrame:
    """Share of wrong verdicts where a rule draws its line, in the direction that errs more often, by pairs."""
    return _by_pairs(simulated, "wrong", lambda row: max(row[verdict] for verdict in row["wrong"]))


def power(simulated: Rows) -> pd.DataFrame:
    """Share of runs in which a rule finds an effect that is there, by number of pairs."""
    return _by_pairs(simulated, "wanted", lambda row: row[row["wanted"]])


def _by_pairs(simulated: Rows, key: str, share) -> pd.DataFrame:
    rows = [(row["claim"], _case(row), f"{row['pairs']} pairs", share(row)) for row in simulated if row.get(key)]
    table = pd.DataFrame(rows, columns=["claim", "case", "pairs", "share"])
    wide = table.pivot_table(index=["claim", "case"], columns="pairs", values="share", sort=False)
    return wide.rename_axis(columns=None)


def _case(row: Mapping[str, object]) -> str:
    return f"{row['case']}: {row['wanted']}" if row["wanted"] else str(row["case"])


def percent(table: pd.DataFrame) -> pd.DataFrame:
    """Shares as a reader sees them, the claims' numbers beside the cases."""
    return table.map(lambda share: "–" if pd.isna(share) else f"{100 * share:.1f} %").reset_index()


def tried(simulated: Rows) -> Said:
    """What came of the trials in a sentence."""
    wrong, found = limits(simulated).stack(), power(simulated).stack()
    numbers = {"trials": len(wrong), "within": int((wrong <= LUCK).sum()), "worst": 100 * wrong.max()}
    claim, case = wrong.idxmax()[:2]
    numbers |= {"effects": len(found), "found": int((found >= FOUND).sum())}
    return say("trials", "tried", claim=claim, case=case, **numbers)


def coverage(simulated: Rows) -> pd.DataFrame:
    """How often 95 % intervals of accuracies cover the truth, and their standard error over the true one."""
    rows = [row for row in simulated if "accuracy" in row]
    table = pd.DataFrame(rows).drop(columns="runs").set_index(["pairs", "accuracy"])
    return table.map(lambda value: plain(value, 2)).rename(
        columns=lambda name: name.replace("error over spread", "error")
    )


def families(found: Ledger) -> Said:
    """How many families of verdicts there are, and how many of them are expected to err, in a sentence."""
    asked = found.verdicts[found.verdicts["status"] != NOT_ASKED]
    count = asked.groupby(["claim", "model", "part"]).ngroups
    return say("trials", "families", count=count, wrong=0.05 * count)


def before_and_after(old: Rows, found: Ledger) -> pd.DataFrame:
    """The eight claims under old rules, on means over concepts, and under new ones, by concept, on either cohort.

    A row per claim and model; none where the old rules judged none of these models.
    """
    called, rows = names(found), {}
    for row in old:
        if row["model"] in called:
            place = rows.setdefault((str(row["claim"]), str(row["says"]), row["model"]), {})
            place[f"old rule, {row['cohort']} cohort"] = f"{row['verdict']} {_written(row)}".strip()
    for (claim, _, model), place in rows.items():
        place |= {f"new rules, {cohort} cohort": _new(claim, model, cohort, found) for cohort in (FIRST, SECOND)}
    columns = [f"{rules}, {cohort} cohort" for rules in ("old rule", "new rules") for cohort in (FIRST, SECOND)]
    table = pd.DataFrame(
        [dict(zip(("claim", "says", "model"), key, strict=True)) | place for key, place in rows.items()]
    )
    table = table.reindex(columns=["claim", "says", "model", *columns]).fillna("–")
    return table.assign(model=table["model"].map(called))


def _written(row: Mapping[str, object]) -> str:
    value, low, high = (
        cell(float("nan") if row[end] is None else row[end], "{:.3g}") for end in ("value", "low", "high")
    )
    return "" if value == "–" else f"({value})" if low == "–" else f"({value}; {low} to {high})"


def _new(claim: str, model: str, cohort: str, found: Ledger) -> str:
    """How often each verdict falls under the new rules on one cohort, for each part of a claim."""
    if claim == CONTROL:
        return f"{SIGNS[found.control[model].verdict]} (of all instructions)"
    rows = found.findings[(found.findings["model"] == model) & (found.findings["cohort"] == cohort)]
    parts = rows[rows["claim"].str.startswith(claim)].groupby("claim")["verdict"]
    told = ((part, verdict.value_counts()) for part, verdict in parts)
    return "; ".join(
        f"{part}: " + " ".join(f"{n[v]} {sign}" for v, sign in SIGNS.items() if v in n) for part, n in told
    )
