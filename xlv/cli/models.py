"""Commands about one model, and the list of those known by name."""

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Column

from xlv.cli import terminal
from xlv.cli.terminal import Ticker, out, say, show
from xlv.settings import Loading


def models() -> None:
    """List the models xlv knows by name: licence, size, disk need, whether their weights are here."""
    from xlv.models.presets import PRESETS
    from xlv.models.weights import ready

    rows = []
    for preset in PRESETS.values():
        here = ("here" if ready(preset) else "fetched on first use") if preset.embedded else "from the Hub"
        shares = ", ".join(f"{code} {share:g} %" for code, share in list(preset.shares.items())[:3])
        about = f"{preset.title}, {preset.licence}, {preset.disk / 1e9:.1f} GB, {here}"
        trained = f"{preset.hub}, template {preset.template}{f', training data {shares} …' if shares else ''}"
        rows.append((preset.name, "\n".join(filter(None, (about, trained, preset.note)))))
    say("Embedded models and the nine of the paper")
    show([Column(style="bold", no_wrap=True), ""], rows, box=None, show_header=False, pad_edge=False)
    say("Any other causal LM: give its Hub id, a folder, or a .gguf file.")


def run(
    model: terminal.Model,
    data: terminal.Data = "",
    concepts: terminal.Concepts = "",
    languages: terminal.Languages = "",
    cohort: terminal.Cohort = "",
    pairs: terminal.Pairs = 0,
    protocol: Annotated[str, typer.Option(help="Protocol of the printed table, cv or paper; both are stored.")] = "cv",
    template: terminal.Template = "",
    dtype: terminal.Dtype = "",
    seed: terminal.Seed = 0,
    profile: terminal.ProfileName = "full",
    revision: terminal.Revision = "",
    device: terminal.Device = "",
    trust_remote_code: terminal.Trust = False,
    baselines: Annotated[
        bool | None, typer.Option(help="Measure likelihood and an untrained model; default: the profile's.")
    ] = None,
    vectors: Annotated[bool, typer.Option("--vectors", help="Also store the concept vectors.")] = False,
    control: Annotated[bool, typer.Option("--control", help="Also question 4.")] = False,
    judge: terminal.Judge = "rules",
    generated: Annotated[
        str, typer.Option(help="Languages in which question 4 generates; default: the profile's.")
    ] = "",
    keep_completions: terminal.KeepCompletions = False,
    overwrite: terminal.Overwrite = False,
    out_dir: Annotated[Path, typer.Option("--out", help="Folder for the results.")] = Path("results"),
) -> None:
    """Questions 1 to 3 (and 4 with --control) for one model; prints a table and writes netCDF files."""
    from xlv.archive import place
    from xlv.profiles import profile_of
    from xlv.questions.control import rates as control_tables
    from xlv.questions.recognition.tables import own_accuracy
    from xlv.study import check_control, run_control, run_study

    if protocol not in ("cv", "paper"):
        raise ValueError(f"unknown protocol {protocol!r}: choose cv or paper")
    size = {"data": data, "concepts": concepts, "languages": languages, "cohort": cohort, "pairs": pairs}
    how = {"template": template, "baselines": baselines, "judge": judge, "generated": generated}
    wanted = profile_of(profile, **size, seed=seed, dtype=dtype, **how)
    if control:
        terminal.note(wanted.notes())
        check_control(wanted.control)  # what is wrong with a control set or a judge is said before a model is read
    model = terminal.at(model, revision)
    how = {"loading": Loading(device or None, trust_remote_code), "overwrite": overwrite, "progress": Ticker()}
    dataset = run_study(model, wanted.study, out_dir, vectors=vectors, **how)
    say(f"{dataset.attrs['title']}: own-language recognition accuracy, protocol {protocol}")
    found = own_accuracy(dataset, protocol)
    text = found.map("{:.3f}".format)
    columns = found.index, text["accuracy"], text["low"] + "–" + text["high"], text["surface"], found["pairs"].map(str)
    show(["language", "accuracy", "95 % interval", "surface", "pairs"], zip(*columns, strict=True))
    if vectors:
        say(f"Concept vectors: {place(model, wanted.study, out_dir) / 'vectors'}")
    if control:
        found = run_control(model, wanted.control, out_dir, keep_completions=keep_completions, **how)
        what, means = control_tables.main_table(found)
        say(f"{found.attrs['title']}: {what} by instructions and condition")
        rows = [(", ".join(name), *(f"{value:.2f}" for value in row)) for name, row in means.T.iterrows()]
        show(["condition", *means.index], rows)
        say(f"Results: {place(model, wanted.control, out_dir)}")
    say(f"Results: {place(model, wanted.study, out_dir)}")


def steer(
    model: terminal.Model,
    prompt: Annotated[str, typer.Argument(help="Any prompt.")],
    concept: Annotated[str, typer.Option(help="Concept whose vector steers.")] = "harmfulness",
    source: Annotated[str, typer.Option(help="Language whose vector steers.")] = "en",
    vector: Annotated[Path | None, typer.Option(help="File of concept vectors to steer with instead.")] = None,
    direction: Annotated[str, typer.Option(help="refusing (harmfulness) or positive (other concepts).")] = "",
    dose: Annotated[float, typer.Option(help="Strength times vector norm, over the mean residual norm.")] = 0.04,
    layers: Annotated[str, typer.Option(help="Span of relative depth, as 0.4-0.7.")] = "0.4-0.7",
    tokens: Annotated[int, typer.Option(help="Length of the completions, 32 at most.")] = 32,
    pairs: terminal.Pairs = 32,
    data: terminal.Data = "",
    template: Annotated[str, typer.Option(help="chat (where there is one), raw, or with {input}.")] = "chat",
    revision: terminal.Revision = "",
    device: terminal.Device = "",
    trust_remote_code: terminal.Trust = False,
) -> None:
    """Complete a prompt unsteered and steered towards refusing, or towards the positive side of another concept."""
    from xlv.control.steer import steer as complete
    from xlv.settings import ControlSettings

    try:
        low, high = map(float, layers.split("-"))
    except ValueError:
        raise ValueError(f"expected --layers as two shares of the depth, for example 0.4-0.7, got {layers!r}") from None
    size = {"tokens": tokens, "pairs": pairs or None, "data": data or None}
    wanted = ControlSettings(concept=concept, source=source, template=template, **size)
    how = {"vectors": vector, "direction": direction, "dose": dose, "window": (low, high), "progress": Ticker()}
    loading = Loading(device or None, trust_remote_code)
    found = complete(terminal.at(model, revision), prompt, settings=wanted, loading=loading, **how)
    acted = f"{found.direction}, layers {found.layers[0]}–{found.layers[-1]}, s = {found.strength:+.3g}"
    for title, text in (("unsteered", found.plain), (acted, found.steered)):
        out.print(f"{title}:", style="bold", highlight=False)
        say(text.strip() + "\n")


def audit(
    model: terminal.Model,
    data: terminal.Data = "",
    concepts: terminal.Concepts = "",
    languages: terminal.Languages = "",
    cohort: terminal.Cohort = "",
    pairs: terminal.Pairs = 0,
    seed: terminal.Seed = 0,
    dtype: terminal.Dtype = "",
    template: terminal.Template = "",
    judge: terminal.Judge = "rules",
    profile: terminal.ProfileName = "quick",
    revision: terminal.Revision = "",
    device: terminal.Device = "",
    trust_remote_code: terminal.Trust = False,
    overwrite: terminal.Overwrite = False,
    out_dir: Annotated[Path, typer.Option("--out", help="Folder for the card and its results.")] = Path("audit"),
) -> None:
    """The four questions on one model, and one page with the verdicts: a card to attach to the model."""
    from xlv.edition.book import audit_model
    from xlv.profiles import profile_of

    size = {"data": data, "concepts": concepts, "languages": languages, "cohort": cohort, "pairs": pairs}
    wanted = profile_of(profile, **size, seed=seed, dtype=dtype, template=template, judge=judge)
    terminal.note(wanted.notes())
    how = {"loading": Loading(device or None, trust_remote_code), "overwrite": overwrite, "progress": Ticker()}
    say(f"The card: {audit_model(terminal.at(model, revision), wanted, out_dir, **how)}")
