"""Thresholds of the rules by which claims are judged, fixed before any result was seen; their words: `rules.toml`."""

import tomllib
from pathlib import Path

HOLDS, FAILS, OPEN = "holds", "does not hold", "cannot be told"
LEVEL = 1 - 0.05 / 8  # eight claims are asked of a model at once: together they cover in 95 of 100 cases
READ = 0.60  # accuracy from which a language counts as one that encodes the concepts
RELIABLE = 0.3  # cosine of half vectors from which their cosines across languages can be corrected
MANY, FEW = 0.75, 0.25  # 12 and 4 of 16 languages
ALIKE = 0.8  # corrected cosine from which vectors count as consistent
MARGIN = 0.02  # accuracy below which one-way transfer counts as none
ONE_WAY_P = 0.006
SHIFT = 0.10  # change of a refusal rate that counts
ROOM = (0.2, 0.8)  # refusal rates without control that leave room to move
GATED = (3, 4, 5, 6, 7)


def _worded(rule: str) -> str:
    """A rule with its thresholds, on one line."""
    return " ".join(rule.format(**globals()).split())


_WORDS = tomllib.loads(Path(__file__).with_name("rules.toml").read_text(encoding="utf-8"))
CLAIMS = {number: claim["says"] for number, claim in enumerate(_WORDS["claims"], start=1)}
RULES = {number: _worded(claim["rule"]) for number, claim in enumerate(_WORDS["claims"], start=1)}
GATE = _worded(_WORDS["gate"]["rule"])
