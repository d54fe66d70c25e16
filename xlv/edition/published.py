"""The authors' published results beside ours: under the names of our presets, with where they come from."""

from pathlib import Path

from xlv.corpus.importers.published import Published, read_results
from xlv.models.presets import PRESETS, caption
from xlv.results import ResultsError, result_path, save

SUFFIX = "-published"
_RENAMED = {"qwen-chat-1b8": "qwen-chat-1.8b"}


def import_results(res: Path, out: Path) -> dict[str, Published]:
    """Read the authors' `res` folder, or one model's folder in it, and write results of ours; by the names to use.

    `recognition.nc` has protocol `paper` only and no pairs, `consistency.nc` the plain cosines, if the vectors are
    there. Every file is read and checked before any is written. Raises ResultsError as the readers do.
    """
    found = {}
    for model in read_results(res):
        name = _RENAMED.get(model.folder.lower(), model.folder.lower())
        name = name if name in PRESETS else model.folder
        if (first := found.setdefault(name, model)) is not model:
            raise ResultsError(f"{res}: {first.folder} and {model.folder} are both {name}: keep one of them")
    for name, model in found.items():
        about = {"model": name, "title": f"{caption(name)} (published)", "published": model.stamp}
        about |= {"preset": name if name in PRESETS else "", "identity": "", "stamp": f"published {model.stamp}"}
        about |= {"dtype": "not stated", "template": PRESETS[name].template if name in PRESETS else ""}
        about |= {"settings": "{}", "corpus": "MVALUE", "weights": "", "revision": ""}
        for question in ("recognition", "consistency"):
            if (dataset := getattr(model, question)) is not None:
                save(dataset, result_path(out, name + SUFFIX, question), about)
    return {name + SUFFIX: model for name, model in found.items()}
