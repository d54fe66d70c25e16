"""The ledger of some models: what cohorts come to by claim and concept."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import pandas as pd

from xlv.questions.claims import control as refusals
from xlv.questions.claims import table, verdicts
from xlv.questions.claims.verdicts import OF_CONTROL
from xlv.results import Results

CLAIMS = verdicts.CLAIMS


@dataclass(frozen=True)
class Ledger:
    """All verdicts on some models.

    titles    by model
    findings  on each cohort, as of `table.findings`; of claim 8 the concept is the one whose vector controls
    verdicts  what the cohorts come to, as of `table.verdicts`
    """

    titles: Mapping[str, str]
    findings: pd.DataFrame
    verdicts: pd.DataFrame

    def rows(self, claim: str, model: str) -> pd.DataFrame:
        """The verdicts on a claim about a model."""
        return self.verdicts[(self.verdicts["claim"] == claim) & (self.verdicts["model"] == model)]

    @property
    def unjudged(self) -> list[str]:
        """Titles of the models whose results an earlier version made, without cohorts: no verdict can rest on them."""
        judged = self.verdicts[~self.verdicts["claim"].isin(OF_CONTROL)]["model"]
        return [title for model, title in self.titles.items() if model not in set(judged)]


def judged(recognition: Results, consistency: Results, control: Results) -> Ledger:
    """The ledger of results by model; `control` has those to whom question 4 was put."""
    found = table.findings(recognition, consistency)
    eighth = [
        {"model": model, "concept": control[model].attrs["concept"], "cohort": cohort, "part": part} | asdict(finding)
        for model in recognition
        if model in control
        for cohort, part, finding in refusals.findings(control[model])
    ]
    found = pd.DataFrame(found.to_dict("records") + eighth, columns=found.columns)
    titles = {model: str(dataset.attrs["title"]) for model, dataset in recognition.items()}
    return Ledger(titles, found, table.verdicts(found))
