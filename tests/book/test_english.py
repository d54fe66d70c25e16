"""The English of pages, chapters, phrases and README: what readers stumbled over does not come back.

Every pattern was met in an earlier text and is listed with what to write instead. `FORBIDDEN` has habits of language,
`OVERSTATED` claims that went further than their numbers. Code and formulas are not searched.
"""

import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HOME, CONTROL, EXPLORER = (f"notebooks/{name}.ipynb" for name in ("home", "q4_control", "explorer"))
PHRASES = "xlv/report/assets/phrases.toml"
FILES = [*(ROOT / "book").glob("*.md"), *(ROOT / "notebooks").glob("*.ipynb"), ROOT / "README.md", ROOT / PHRASES]
PAGES = sorted(str(path.relative_to(ROOT)) for path in FILES)

COUNTED = r"pairs?|dots?|cards?|rows?|lines?|panels?|points?|tables?|runs?|vectors?|files?|folders?|prompts?|one"
EACH = r"language|concept|model|claim|question|pair|seed|cell|source|target"
FORBIDDEN = {
    rf"\b(?:{COUNTED}) an? (?:{EACH})\b(?!['’])": "per language; for each model",
    r"\bfor want of\b": "because we lack",
    r"\bof which [^.,;]{1,40} is no part\b|\bis no part of\b": "does not include",
    r"\bt(?:ell|ells|elling|old) (?:\w+ ){0,5}apart\b": "distinguish",
    r"\btell(?:s|ing)? (?:\w+ ){1,3}from\b": "distinguish",
    r"\bcan(?:not)? be told\b": "undecided; can be distinguished",
    r"\bbeside\b": "next to; in addition to; compared with",
    r"\bheed(?:s|ed|ing)?\b": "respect",
    r"\bwhatever (?:it|they) turns? out\b": "whatever it is",
    r"\bask(?:s|ed)? it (?:again )?of\b": "studied; repeats the study on",
    r"\bbegins? with alike\b": "a shared prefix",
    r"\bwhat (?:reads|read them)\b[^.]{0,12} (?:as|for) given\b": "we resample only the test pairs",
    r"\boutside of (?:that|it|this) altogether\b": "is not covered",
    r"\bspeaks where\b": "say what it measures",
    r"\bgenerated with(?=[.,;:)])": "say who generates what",
    r"\bat one: the same\b": "1 if they point the same way",
    r"\b(?:is|are) no (?:values?|findings?|results?)\b": "are not values",
    r"\bno single (?:pairs?|texts?)\b": "no individual pairs",
    r"\bby no accident\b": "say the reason",
    r"\bthe whole of it\b": "all of it",
    r"\bh(?:eld|old|olds) against\b": "compared with",
    r"\bta(?:ken|ke|kes|king) (?:\w+ ){0,3}off\b": "subtract; correct for",
    r"\bwhat becomes of\b|\bwhat is stored of\b": "what changes; what we keep",
    r"\b(?:is|are) said (?:of|on|in|here)\b": "the page explains",
    r"\bbehind the final norm\b": "after the final norm",
    r"\b(?:results|files|cards?|pairs) lies? (?:under|in|next)\b|\bas (?:it|they) lies?\b": "are filed under; as it is",
    r"\bstands? (?:in (?:its|their|full)|uncorrected|twice|above|below|there)\b": "is; appears",
    r"\bput to (?:it|this|a|the) model\b": "asked of this model",
    r"\b(?:languages?|models?|pairs?|tokens?|groups?|two|three) at (?:least|most)\b": "at least two languages",
    r"\b\d only\b": "only 0.07",
    r"\bwould have it\b": "more than chance",
    r"\bthe own\b": "its own; the language's own",
    r"\bknown in no\b": "could not be computed for any",
    r"\b(?:the|its|their) likes?\b": "name them",
    r"\bin line with the value\b": "upholds the value",
    r"\bputs? (?:them )?in order\b": "ranks correctly",
    r"\bworth quoting\b|\ball the machinery\b": "trustworthy; the method is",
    r"\bfurther down\b": "below",
    r"\bfolder with a folder\b": "a folder that holds one folder per concept",
    r"\bto be had\b|\bfor what is not ordinary\b": "available; less common",
    r"\b(?:whereof|thereof|whilst|amongst|albeit|lest|nought|forthwith)\b": "plain words",
}
OVERSTATED = {
    r"\buncertainty on every figure\b": "some figures have no interval",
    r"\bevery (?:number|result) (?:appears |stands )?(?:beside|next to)\b": "some have no baseline",
    r"\bstrengthens? alignment\b": "the model refuses more, perhaps harmless requests too",
    r"\bat matched over-refusal\b": "an AUROC involves no threshold and matches nothing",
    r"\bmoves? as asked\b": "say in which direction and among which languages",
    r"\bwhere claim 1 does not hold\b": "name the claim and the concept",
    r"\bfollows? genetic\b": "a correlation, with its interval",
    r"\bbootstrap intervals over groups\b": "95 % intervals over situations",
    r"\bnone is drawn\b|\bnothing can be (?:said|concluded)\b": "say how wide the interval is",
}
YET = {  # what still stands in files that are being rewritten: to be deleted from here with them, and never to grow
    HOME: {"asked it of", "asks it again of", "uncertainty on every figure"},
    CONTROL: {
        *("what becomes of", "what is stored of", "is said on", "speaks where"),
        *("strengthens alignment", "at matched over-refusal", "tokens at most", "told apart"),
    },
    EXPLORER: {"no single pairs"},
    PHRASES: {
        *("known in no", "the own", "put to this model", "stand uncorrected", "at matched over-refusal"),
        *("two at least", "languages at least"),
        "cannot be told",  # the old rules' verdict, quoted
    },
}


def plain(text: str) -> str:
    """Prose on one line, without code blocks, formulas, roles and the marks of emphasis."""
    block = {"flags": re.DOTALL | re.MULTILINE}
    text = re.sub(r"^```\{glossary\}$(.*?)^```$", r"\1", text, **block)
    text = re.sub(r"^(`{3,}).*?^\1$", " ", text, **block)
    text = re.sub(r"\$\$.*?\$\$|\$[^$\n]+\$", " x ", text, flags=re.DOTALL)
    text = re.sub(r"\{term\}`([^`<]*)(?:<[^`]*)?`", r"\1", text)
    text = re.sub(r"(?:\{[\w:]+\})?(`+)[^`]*\1", " x ", text)
    return " ".join(re.sub(r"[*_]", "", text).split())


def texts(value: object) -> Iterator[str]:
    """All texts in nested tables."""
    if isinstance(value, dict):
        for inner in value.values():
            yield from texts(inner)
    elif isinstance(value, str):
        yield value


def prose(name: str) -> Iterator[str]:
    """What a reader sees of a file: pages, cells, captions, alternative texts and phrases."""
    text = (ROOT / name).read_text(encoding="utf-8")
    if name.endswith(".toml"):
        yield from texts(tomllib.loads(text))
    elif name.endswith(".ipynb"):
        for cell in json.loads(text)["cells"]:
            if cell["cell_type"] == "markdown":
                yield "".join(cell["source"])
            yield from texts(cell["metadata"].get("mystnb", {}))
    else:
        yield text


def faults(said: str) -> list[tuple[str, str]]:
    """Forbidden words in a text, each with a remedy."""
    return [
        (hit[0], f"«{said[max(0, hit.start() - 40) : hit.end() + 40]}»: instead, {remedy}")
        for pattern, remedy in (FORBIDDEN | OVERSTATED).items()
        for hit in re.finditer(pattern, said, flags=re.IGNORECASE)
    ]


@pytest.mark.parametrize("name", PAGES)
def test_a_page_has_no_phrase_that_readers_stumbled_over(name):
    found = [fault for said in map(plain, prose(name)) for fault in faults(said)]
    assert [remedy for words, remedy in found if words.lower() not in YET.get(name, ())] == []


@pytest.mark.parametrize(
    "said",
    [
        "448 test pairs a language",
        "one a claim, for want of the machines",
        "Random vectors stand beside it.",
        "A system prompt, of which control is no part",
        "This tells harm from harmlessness; two models can be told apart.",
        "Untested in two languages at least",
        "Towards refusing *strengthens* alignment.",
    ],
)
def test_what_was_removed_is_found(said):
    assert faults(plain(said))


def test_code_formulas_and_what_is_well_said_are_left_alone():
    said = "On this page a language's own vector has two pairs per language, `for want of` $beside$ next to it."
    assert faults(plain(said + "\n```python\nfor want of\n```\n")) == []


def test_exceptions_are_files_that_there_are():
    assert set(YET) <= set(PAGES)
