"""Names of models in figures and sentences of pages that name them in full elsewhere."""

from collections.abc import Iterable


def short(title: str) -> str:
    """A model's title without its quantisation."""
    return title.split(" (")[0]


def told_apart(titles: Iterable[str]) -> list[str]:
    """Short titles; whole ones, in two lines, where two of them would be the same."""
    whole = list(titles)
    names = [short(title) for title in whole]
    return names if len(set(names)) == len(names) else [title.replace(" (", "\n(") for title in whole]
