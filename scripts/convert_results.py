"""Convert results of earlier schemas (3, 4) in place: python scripts/convert_results.py FOLDER [PROFILE].

The headline `accuracy`, at the chosen layer, becomes a variable of its own; conditions of question 4 get coordinates in
place of names that have to be parsed; the file is sealed. No number is computed anew. Earlier files do not hold all
settings: name the PROFILE that they were made with, and its settings are written into them.
"""

import re
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import xarray as xr

from xlv.archive import said
from xlv.corpus.languages import LANGUAGES
from xlv.models.presets import PRESETS
from xlv.profiles import Profile
from xlv.results import load, save
from xlv.schema import ABLATION, ADDITION, DIRECTIONS, NOTHING, OWN, RANDOM, SCHEMA, SYSTEM, VERSION

OLD = 3, 4
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


def convert(path: Path, profile: str = "") -> bool:
    """Convert one file, made with the settings of a profile; False for one that is not of an old schema."""
    old = xr.load_dataset(path, engine="netcdf4")
    schema = old.attrs.get("schema")
    if schema not in OLD:
        return False
    change = {"recognition": recognition, "control": control}.get(path.stem)
    new = change(old) if schema == 3 and change else old
    new = new.drop_vars([name for name in new.data_vars if name not in SCHEMA[path.stem]])  # measured no more
    about = {name: value for name, value in old.attrs.items() if name not in ("schema", "xlv")}
    about = {"computed_by": f"xlv {old.attrs['xlv']}"} | about
    preset = PRESETS.get(about["model"])
    about["preset"] = preset.name if preset else ""
    about["identity"] = about["weights"] if preset and preset.embedded else ""
    about["stamp"], about["settings"] = about["settings"], "{}"
    if profile:
        sizes = Profile.named(profile)
        how = {name: about[name] for name in ("dtype", "template")} | {"seed": int(about.get("seed", 0))}
        if path.stem != "control":
            with xr.open_dataset(path.with_name("recognition.nc"), engine="netcdf4") as read:
                how |= {"baselines": "likelihood" in read, "cohort": "first"}  # the only one there was
            how |= {"concepts": None, "pairs": 16} if profile == "quick" else {}  # as the profile was then
        about["settings"] = said(replace(sizes.control if path.stem == "control" else sizes.study, **how))
    for array in new.variables.values():
        array.encoding = {}
    save(new.assign_attrs({}), path, about)
    return load(path).attrs["schema"] == VERSION


if __name__ == "__main__":
    for found in sorted(Path(sys.argv[1]).rglob("*.nc")):
        print(found, "converted" if convert(found, *sys.argv[2:]) else "left as it is")
