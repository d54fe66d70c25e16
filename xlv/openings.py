"""What a corpus folder brings for question 4 in a language of its own: how refusals and answers open there.

They stand in `control/openings.yaml` of the folder, a table per language in the form of `xlv/control/refusals.toml`.
"""

import re
from pathlib import Path

import yaml

KEYS = ("refusals", "answers", "declines")  # lists of texts that a language needs, the last of regular expressions
FURTHER = ("sorry", "condemns", "helps", "unclear", "letters")  # more of them, which it may have
PLACE = Path("control", "openings.yaml")
LARGEST = 100_000  # bytes of the file
Openings = dict[str, dict[str, list[str] | bool]]  # by language and key


class StrictLoader(yaml.SafeLoader):
    """YAML without what can nest without bounds, and without the silent loss of a key that is given twice."""

    def compose_node(self, parent, index):
        """Compose a node; raises ValueError for an alias, an anchor or a tag."""
        if (event := self.peek_event()).anchor or getattr(event, "tag", None):
            raise ValueError(f"line {event.start_mark.line + 1}: write the value itself, without &, * and !")
        return super().compose_node(parent, index)

    def construct_mapping(self, node, deep=False):
        """Build a mapping; raises ValueError for a repeated key."""
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        if twice := [key for key in keys if keys.count(key) > 1]:
            raise ValueError(f"{twice[0]!r} is given twice: keep one of them")
        return super().construct_mapping(node, deep)


def own_openings(data: Path | str | None) -> Openings:
    """The openings of a corpus folder by language and key, none without such a file.

    Raises ValueError in one line that names the file, the language and the key.
    """
    path = Path(data or "") / PLACE
    if not data or not path.exists():
        return {}
    if not path.is_file() or path.stat().st_size > LARGEST:
        raise ValueError(f"{path}: expected a file of at most {LARGEST:,} bytes")
    try:
        content = yaml.load(path.read_text(encoding="utf-8-sig"), StrictLoader)
        if not isinstance(content, dict) or not content:
            raise ValueError(f"expected a table per language, such as `de:`, got {content!r:.80}")
        for code, table in content.items():
            _check(code, table)
    except (yaml.YAMLError, ValueError, RecursionError, OSError) as error:
        raise ValueError(f"{path}: {' '.join(str(error).split())}") from None
    return content


def _check(code: object, table: object) -> None:
    """Raise ValueError for what is no table of a language; YAML takes the code `no` for false."""
    if not isinstance(code, str) or not isinstance(table, dict):
        raise ValueError(f'{code}: expected the code of a language, as "no", with {", ".join(KEYS)}, got {table!r:.80}')
    known = (*KEYS, *FURTHER, "inside_words")
    if unknown := [key for key in table if key not in known]:
        raise ValueError(f"{code}: unknown key {unknown[0]!r}: choose from {', '.join(known)}")
    if not isinstance(table.get("inside_words", False), bool):
        raise ValueError(f"{code}: inside_words: expected true or false, got {table['inside_words']!r:.80}")
    for key in (*KEYS, *(key for key in FURTHER if key in table)):
        texts = table.get(key)
        if not isinstance(texts, list) or not texts or not all(isinstance(t, str) and t.strip() for t in texts):
            raise ValueError(f"{code}: {key}: expected a list of texts, none of them empty, got {texts!r:.80}")
        for pattern in texts if key not in ("refusals", "answers") else ():
            try:
                if re.search(f"(?:{pattern})", ""):
                    raise ValueError(f"{code}: {key}: {pattern!r:.80} fits any text: expected words")
            except re.error as error:
                raise ValueError(f"{code}: {key}: {pattern!r:.80} is no regular expression ({error})") from None
