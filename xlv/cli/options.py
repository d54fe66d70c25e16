"""Arguments and options that several commands share, and what their texts mean."""

from typing import Annotated

import typer

from xlv.settings import PROFILES, Profile

Model = Annotated[str, typer.Argument(help="Embedded name, preset, Hub id, folder or .gguf file.")]
Models = Annotated[str, typer.Option(help="Models, separated by commas.")]
Data = Annotated[str, typer.Option(help="Corpus folder; default: the built-in corpus.")]
Concepts = Annotated[str, typer.Option(help="Concepts, separated by commas; default: all of the profile.")]
Languages = Annotated[str, typer.Option(help="Language codes, separated by commas; default: all of the corpus.")]
Pairs = Annotated[int, typer.Option(help="Pairs per concept; 0: as many as the profile has.", min=0)]
ProfileName = Annotated[str, typer.Option(help=f"Size of the run: {', '.join(PROFILES)}.")]
Revision = Annotated[str, typer.Option(help="Revision of a Hub model: a branch, tag or commit (or org/name@revision).")]
Device = Annotated[str, typer.Option(help="cpu, cuda, cuda:1 … or auto (spread over all); default: cuda if here.")]
Trust = Annotated[bool, typer.Option("--trust-remote-code", help="Run code that the model brings; read it first.")]
KeepCompletions = Annotated[bool, typer.Option("--keep-completions", help="With --control: into a private file.")]


def names(text: str) -> tuple[str, ...] | None:
    """Names separated by commas; None for none."""
    return tuple(name.strip() for name in text.split(",") if name.strip()) or None


def at(model: str, revision: str) -> str:
    """A model's name with its revision, if one is given."""
    return f"{model}@{revision}" if revision else model


def changed(name: str, data: str, concepts: str, languages: str, pairs: int, **study: object) -> Profile:
    """A profile with what the options change; raises ValueError for an unknown name."""
    return Profile.named(name).changed(
        data=data or None, concepts=names(concepts), languages=names(languages), pairs=pairs or None, **study
    )
