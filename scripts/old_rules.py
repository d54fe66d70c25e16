"""What the rules of before said of each cohort: the old code, from the history, on the same activations.

    python scripts/old_rules.py first second --models smollm2-135m,gemma-3-270m --out book/results/old_rules.json

The eight rules on means over concepts were replaced before the second cohort was read. Their verdicts are shown beside
the new ones; nothing else rests on them. Claim 8 is another question's, and its verdicts stand in its results.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

COMMIT = "f363d17"  # the last one that judged by them
CODE = """
import json, sys
from dataclasses import asdict
from xlv.corpus import pairs as corpus
from xlv.models.activations import concept_states
from xlv.models.load import load_model
from xlv.models.decoding import total_nats
from xlv.models.names import named
from xlv.questions.claims.ledger import findings
from xlv.questions.claims.rules import CLAIMS
from xlv.study import analyse
import numpy as np

model, dtype, cohort = sys.argv[1:]
table = corpus.load_pairs(cohort=cohort)
loaded = load_model(model, dtype=dtype, template="raw")
states = concept_states(loaded, corpus.texts_of(table))
recognition, consistency = analyse(table, states, loaded.n_layers)
nats = [total_nats(loaded, rows) for rows in corpus.neutral_of(list(dict.fromkeys(table["language"]))).values()]
recognition["neutral_nats"] = ("source", "sentence"), np.stack(nats)
about = {"model": model, "title": named(model).title, "preset": model}
results = {model: recognition.assign_attrs(about)}, {model: consistency.assign_attrs(about)}
found = findings(*results, {}, {})[model]
rows = [asdict(one) | {"says": CLAIMS[one.claim]} for one in found if one.claim not in (2, 8)]
print("ROWS " + json.dumps([{"model": model, "cohort": cohort} | row for row in rows]))
"""


def judged(code: Path, model: str, dtype: str, cohort: str) -> list[dict]:
    """The old findings on one cohort of one model."""
    command = [sys.executable, "-c", CODE, model, dtype, cohort]
    done = subprocess.run(command, cwd=code, capture_output=True, text=True, check=False)
    rows = [line.removeprefix("ROWS ") for line in done.stdout.splitlines() if line.startswith("ROWS ")]
    if not rows:
        raise SystemExit(f"{model}, {cohort} cohort: {done.stderr.strip().splitlines()[-1:]}")
    return json.loads(rows[0])


def main() -> None:
    """Judge the cohorts asked for and write the table; what is in it already of other models stays."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cohorts", nargs="+", choices=("first", "second"))
    parser.add_argument("--models", required=True)
    parser.add_argument("--dtype", default="fp32")
    parser.add_argument("--out", type=Path, default=Path("book/results/old_rules.json"))
    asked = parser.parse_args()
    code = Path("build/old-rules")
    if not code.exists():
        subprocess.run(["git", "worktree", "add", "--detach", str(code), COMMIT], check=True)
    rows = json.loads(asked.out.read_text(encoding="utf-8"))["rows"] if asked.out.exists() else []
    for model in asked.models.split(","):
        for cohort in asked.cohorts:
            rows = [row for row in rows if (row["model"], row["cohort"]) != (model, cohort)]
            rows += judged(code, model, asked.dtype, cohort)
            text = json.dumps({"commit": COMMIT, "rows": rows}, indent=1, ensure_ascii=False) + "\n"
            asked.out.write_text(text.replace("NaN", "null"), encoding="utf-8")


if __name__ == "__main__":
    main()
