"""An audit: the four questions on one model, and the card that says what came out."""

from pathlib import Path

from xlv.cache import Progress, silent, whole_file
from xlv.models.weights import short_name
from xlv.report.card import card
from xlv.results import load, result_path
from xlv.settings import DEFAULT_LOADING, Loading, Profile
from xlv.study import run_control, run_study


def audit_model(
    model: str, profile: Profile, out: Path, *, loading: Loading = DEFAULT_LOADING, progress: Progress = silent
) -> Path:
    """Ask the questions of a model and write `{out}/{model}.html`; results lie in `{out}/results`. Returns the path.

    Question 4 is asked of models with a chat template only; the card says where it was not. A second call computes
    nothing again. Raises as `run_study` does.
    """
    from xlv.models.load import has_chat_template

    results = out / "results"
    recognition = run_study(model, profile.study, results, loading=loading, progress=progress)
    consistency = load(result_path(results, short_name(model), "consistency"))
    control = None
    if has_chat_template(model, trust_remote_code=loading.trust_remote_code):
        control = run_control(model, profile.control, results, loading=loading, progress=progress)
    path = out / f"{short_name(model)}.html"
    with whole_file(path) as temporary:
        temporary.write_text(card(recognition, consistency, control), encoding="utf-8")
    return path
