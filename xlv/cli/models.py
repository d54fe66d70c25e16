"""Commands about one model, and the list of those known by name."""

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from xlv.cli.options import Concepts, Data, Device, Languages, Model, Pairs, ProfileName, Revision, Trust, at, changed
from xlv.cli.terminal import Ticker, out, say, show, table
from xlv.settings import Loading


def models() -> None:
    """List the models xlv knows by name: licence, size, disk need, whether their weights are here."""
    from xlv.models.presets import PRESETS
    from xlv.models.weights import ready

    listed = Table.grid(padding=(0, 2))  # lines, not a column each: nine columns do not fit a terminal
    listed.add_column(style="bold", no_wrap=True)
    for preset in PRESETS.values():
        here = ("here" if ready(preset) else "fetched on first use") if preset.embedded else "from the Hub"
        listed.add_row(preset.name, f"{preset.title}, {preset.licence}, {preset.disk / 1e9:.1f} GB, {here}")
        shares = ", ".join(f"{code} {share:g} %" for code, share in list(preset.shares.items())[:3])
        trained = f", training data {shares} …" if shares else ""
        listed.add_row("", f"{preset.hub}, template {preset.template}{trained}")
        if preset.note:
            listed.add_row("", preset.note)
    say("Embedded models and the nine of the paper")
    show(listed)
    say("Any other causal LM: give its Hub id, a folder, or a .gguf file.")


def run(
    model: Model,
    data: Data = "",
    concepts: Concepts = "",
    languages: Languages = "",
    pairs: Pairs = 0,
    protocol: Annotated[
        str, typer.Option(help="Protocol of the printed figures: cv or paper (both are stored).")
    ] = "cv",
    template: Annotated[
        str, typer.Option(help="raw, chat, llama2 or a pattern with {input}; default: the paper's.")
    ] = "",
    dtype: Annotated[str, typer.Option(help="fp32, bf16 or fp16; default: the profile's.")] = "",
    profile: ProfileName = "full",
    revision: Revision = "",
    device: Device = "",
    trust_remote_code: Trust = False,
    baselines: Annotated[bool, typer.Option(help="Also measure likelihood and an untrained model.")] = True,
    control: Annotated[bool, typer.Option("--control", help="Also question 4.")] = False,
    keep_completions: Annotated[
        bool, typer.Option("--keep-completions", help="With --control: completions go to a private file in the cache.")
    ] = False,
    out_dir: Annotated[Path, typer.Option("--out", help="Folder for the results.")] = Path("results"),
) -> None:
    """Questions 1 to 3 (and 4 with --control) for one model; prints a table and writes netCDF files."""
    from xlv.models.presets import PRESETS
    from xlv.models.weights import short_name
    from xlv.questions.control import rates as control_tables
    from xlv.questions.recognition import tables as tables
    from xlv.study import run_control, run_study

    if protocol not in ("cv", "paper"):
        raise ValueError(f"unknown protocol {protocol!r}: choose cv or paper")
    preset = PRESETS.get(model)
    wanted = changed(
        profile,
        data,
        concepts,
        languages,
        pairs,
        dtype=dtype or None,
        baselines=baselines,
        template=template or (preset.template if preset else "raw"),
    )
    model = at(model, revision)
    loading = Loading(device or None, trust_remote_code)
    dataset = run_study(model, wanted.study, out_dir, loading=loading, progress=Ticker())
    accuracies = table("language", "accuracy", "95 % interval", "surface", "pairs")
    for code, row in tables.own_accuracy(dataset, protocol).iterrows():
        accuracy, surface = f"{row['accuracy']:.3f}", f"{row['surface']:.3f}"
        interval = f"{row['low']:.3f}–{row['high']:.3f}"
        accuracies.add_row(str(code), accuracy, interval, surface, f"{row['pairs']:.0f}")
    say(f"{dataset.attrs['title']}: own-language recognition accuracy, protocol {protocol}")
    show(accuracies)
    if control:
        found = run_control(
            model, wanted.control, out_dir, loading=loading, keep_completions=keep_completions, progress=Ticker()
        )
        what, rows = control_tables.main_table(found)
        refusals = table("language", *map(", ".join, rows.columns))
        for code, row in rows.iterrows():
            refusals.add_row(str(code), *(f"{value:.2f}" for value in row))
        say(f"{found.attrs['title']}: {what} by instructions and condition")
        show(refusals)
    say(f"Results: {out_dir / short_name(model)}")


def steer(
    model: Model,
    prompt: Annotated[str, typer.Argument(help="Any prompt.")],
    concept: Annotated[str, typer.Option(help="Concept whose vector steers.")] = "harmfulness",
    source: Annotated[str, typer.Option(help="Language whose vector steers.")] = "en",
    direction: Annotated[
        str, typer.Option(help="refusing (harmfulness) or positive (other concepts), the default.")
    ] = "",
    dose: Annotated[float, typer.Option(help="Strength times vector norm, over the mean residual norm.")] = 0.04,
    layers: Annotated[str, typer.Option(help="Span of relative depth, as 0.4-0.7.")] = "0.4-0.7",
    tokens: Annotated[int, typer.Option(help="Length of the completions, 32 at most.")] = 32,
    pairs: Pairs = 32,
    data: Data = "",
    revision: Revision = "",
    device: Device = "",
    trust_remote_code: Trust = False,
) -> None:
    """Complete a prompt unsteered and steered towards refusing, or towards the positive side of another concept."""
    from xlv.control.steer import steer as complete
    from xlv.settings import ControlSettings

    try:
        low, high = (float(part) for part in layers.split("-"))
    except ValueError:
        raise ValueError(f"expected --layers as two shares of the depth, for example 0.4-0.7, got {layers!r}") from None
    wanted = ControlSettings(concept=concept, source=source, tokens=tokens, pairs=pairs or None, data=data or None)
    found = complete(
        at(model, revision),
        prompt,
        settings=wanted,
        direction=direction,
        dose=dose,
        window=(low, high),
        loading=Loading(device or None, trust_remote_code),
        progress=Ticker(),
    )
    acted = f"{found.direction}, layers {found.layers[0]}–{found.layers[-1]}, s = {found.strength:+.3g}"
    for title, text in (("unsteered", found.plain), (acted, found.steered)):
        out.print(f"{title}:", style="bold", highlight=False)
        out.print(text.strip() + "\n", highlight=False, markup=False)


def audit(
    model: Model,
    data: Data = "",
    concepts: Concepts = "",
    languages: Languages = "",
    pairs: Pairs = 0,
    profile: ProfileName = "quick",
    revision: Revision = "",
    device: Device = "",
    trust_remote_code: Trust = False,
    out_dir: Annotated[Path, typer.Option("--out", help="Folder for the card and its results.")] = Path("audit"),
) -> None:
    """The four questions on one model, and one page with the verdicts: a card to attach to the model."""
    from xlv.edition.audit import audit_model

    wanted = changed(profile, data, concepts, languages, pairs)
    loading = Loading(device or None, trust_remote_code)
    say(f"The card: {audit_model(at(model, revision), wanted, out_dir, loading=loading, progress=Ticker())}")
