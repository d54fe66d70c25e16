"""How far a model's results in one dtype lie from those in another: `book/results/dtypes.json`, for the models page.

xlv run qwen2.5-coder-1.5b --dtype fp32 --concepts toxicity --languages en,zh,fr,ja,fi,sw --no-baselines
xlv run qwen2.5-coder-1.5b --dtype bf16 --concepts toxicity --languages en,zh,fr,ja,fi,sw --no-baselines
python -m scripts.compare_dtypes FP32/recognition.nc BF16/recognition.nc
"""

import argparse
import json
from pathlib import Path

import numpy as np

from xlv.corpus.languages import language
from xlv.models.names import named
from xlv.report.formats import Said, say
from xlv.results import load

FOUND = Path(__file__).resolve().parents[1] / "book" / "results" / "dtypes.json"


def said() -> Said:
    """What was found, in a sentence; empty where nothing was compared."""
    if not FOUND.is_file():
        return Said("")
    found = json.loads(FOUND.read_text(encoding="utf-8"))
    title, names = named(found["model"]).title, [language(code).name for code in found["languages"]]
    found |= {"title": title, "concepts": Said(", ").join(found["concepts"]), "languages": Said(", ").join(names)}
    return say("dtypes", "deviation", **found)


def main() -> None:
    """Compare the accuracies of two results of one model on the same pairs, and write what differs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("exact", type=Path)
    parser.add_argument("rounded", type=Path)
    parser.add_argument("--out", type=Path, default=FOUND)
    asked = parser.parse_args()
    one, other = load(asked.exact), load(asked.rounded)
    if one.attrs["weights"] != other.attrs["weights"] or one.attrs["corpus"] != other.attrs["corpus"]:
        raise SystemExit("expected results of the same weights on the same texts")
    gaps = np.abs((other["accuracy"] - one["accuracy"]).sel(protocol="cv").values)
    layers = np.abs((other["accuracy_by_layer"] - one["accuracy_by_layer"]).sel(protocol="cv").values)
    found = {
        "model": one.attrs["model"],
        "exact": one.attrs["dtype"],
        "rounded": other.attrs["dtype"],
        "concepts": [str(name) for name in one["concept"].values],
        "languages": [str(code) for code in one["source"].values],
        "pairs": one.sizes["pair"],
        "mean": round(float(gaps.mean()), 5),
        "largest": round(float(gaps.max()), 5),
        "mean_by_layer": round(float(layers.mean()), 5),
        "same_layer": round(float((one["chosen_layer"] == other["chosen_layer"]).sel(protocol="cv").mean()), 3),
    }
    asked.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
