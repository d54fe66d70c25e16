"""Convert results of xlv 0.1 (schema 3) to those of 0.2 (schema 4), in place: python scripts/convert_results.py FOLDER.

The headline `accuracy`, at the chosen layer, becomes a variable of its own; conditions of question 4 get coordinates in
place of names that have to be parsed. No number is computed anew.
"""

import re
import sys
from pathlib import Path

import numpy as np
import xarray as xr

from xlv.corpus.languages import LANGUAGES
from xlv.results import ABLATION, ADDITION, DIRECTIONS, NOTHING, OWN, RANDOM, SYSTEM, VERSION, load, save

OLD = 3
_METHODS = {
    "nothing": NOTHING,
    "source vector": ADDITION,
    "other source's vector": ADDITION,
    "own vector": ADDITION,
    "other concept's vector": ADDITION,
    "random vector": RANDOM,
    "ablation": ABLATION,
    "system prompt": SYSTEM,
}
_SEARCH = (
    "search_score",
    "search_divergence",
    "search_rate",
    "search_baseline",
    "search_baseline_rate",
    "strength",
    "chosen_dose",
    "first_layer",
    "last_layer",
)


def recognition(old: xr.Dataset) -> xr.Dataset:
    """`accuracy` by layer and at the chosen layer."""
    new = old.rename(accuracy="accuracy_by_layer")
    chosen = new["correct"].mean("pair") if "correct" in new else new["accuracy_by_layer"].max("layer")
    return new.assign(accuracy=chosen.transpose("protocol", "concept", "source", "target"))


def control(old: xr.Dataset) -> xr.Dataset:
    """Conditions with coordinates; the search's own dimensions."""
    search = old[list(_SEARCH)].rename(source="searched", direction="towards")
    rest = old.drop_vars(
        [*_SEARCH, "source", "direction", "means", "effect", "window", "dose", "rate"], errors="ignore"
    )
    rest = rest.drop_vars("response_score").assign(
        response_score=(("towards", *old["response_score"].dims[1:]), old["response_score"].values)
    )
    new = xr.merge([rest.assign_coords(towards=list(DIRECTIONS)), search], join="exact", compat="no_conflicts")
    new = new[[name for name in old.data_vars]].assign_attrs(old.attrs)
    main, concept = old.attrs["source"], old.attrs["concept"]
    rows = [
        _condition(str(n), str(m), main, concept)
        for n, m in zip(old["condition"].values, old["means"].values, strict=True)
    ]
    methods, sources, concepts, draws = (list(column) for column in zip(*rows, strict=True))
    return new.assign_coords(
        method=("condition", methods),
        direction=("condition", [str(e) for e in old["effect"].values]),
        source=("condition", sources),
        concept=("condition", concepts),
        draw=("condition", np.array(draws, dtype=np.int32)),
    )


def _condition(name: str, means: str, main: str, concept: str) -> tuple[str, str, str, int]:
    source, of, draw = main, concept, -1
    if means == "other source's vector":
        source = next(code for code, known in LANGUAGES.items() if name.startswith(f"{known.name} "))
    elif means == "own vector":
        source = OWN
    elif means == "other concept's vector":
        of = name.split(" vector ")[0]
    elif means == "random vector":
        draw = int(re.match(r"random (\d+) ", name)[1]) - 1
    elif means in ("nothing", "system prompt"):
        source = of = ""
    return _METHODS[means], source, of, draw


def convert(path: Path) -> bool:
    """Convert one file; False for one that is not of the old schema."""
    old = xr.load_dataset(path, engine="netcdf4")
    if old.attrs.get("schema") != OLD:
        return False
    new = {"recognition": recognition, "control": control}.get(path.stem, lambda dataset: dataset)(old)
    written = str(old.attrs["xlv"])
    attributes = {name: value for name, value in old.attrs.items() if name not in ("schema", "xlv")}
    for array in new.variables.values():
        array.encoding = {}
    save(new.assign_attrs({}), path, attributes | {"computed_by": f"xlv {written}"})
    return load(path).attrs["schema"] == VERSION


if __name__ == "__main__":
    for found in sorted(Path(sys.argv[1]).rglob("*.nc")):
        print(found, "converted" if convert(found) else "left as it is")
