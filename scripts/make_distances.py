"""Write xlv/corpus/uriel/distances.csv from the URIEL data that urielplus 1.3.2 ships.

Run as `python scripts/make_distances.py`, in an environment of its own with that package.

Pairwise calls, so that each pair is measured on the features that both of its languages have; a pair without any
stays empty. `cmn` and `swh` stand for Chinese and Swahili, whose macro-language codes have no genetic features.
"""

import csv
import itertools
from pathlib import Path

from urielplus import urielplus

CODES = {
    "en": "eng",
    "fr": "fra",
    "zh": "cmn",
    "es": "spa",
    "pt": "por",
    "vi": "vie",
    "ca": "cat",
    "id": "ind",
    "ja": "jpn",
    "ko": "kor",
    "fi": "fin",
    "hu": "hun",
    "ta": "tam",
    "te": "tel",
    "sw": "swh",
    "ny": "nya",
}
TARGET = Path(__file__).resolve().parents[1] / "xlv" / "corpus" / "uriel" / "distances.csv"
KINDS = ("genetic", "syntactic", "geographic", "phonological")

uriel = urielplus.URIELPlus()
with open(TARGET, "w", newline="") as stream:
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["first", "second", *KINDS])
    for one, two in itertools.combinations(CODES, 2):
        row = []
        for kind in KINDS:
            try:
                value = float(uriel.new_distance(kind, CODES[one], CODES[two]))
            except (ValueError, SystemExit):
                value = -1.0
            row.append("" if value < 0 else f"{value:.4f}")
        writer.writerow([one, two, *row])
