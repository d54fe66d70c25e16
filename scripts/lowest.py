"""Print the lowest release that pyproject.toml allows of each requirement, extras and build backend included.

`make lowest` installs just these and runs tests with them, so that no bound is claimed that does not hold.
"""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def lowest(content: dict) -> list[str]:
    """`name==bound` for each `name>=bound` of a pyproject.toml; other forms, of extras of its own, say no bound."""
    project = content["project"]
    wanted = content["build-system"]["requires"] + project["dependencies"]
    wanted += [one for extra in project["optional-dependencies"].values() for one in extra]
    found = [re.match(r"([\w.-]+)>=([\w.]+)", requirement) for requirement in wanted]
    return [f"{match[1]}=={match[2]}" for match in found if match]


if __name__ == "__main__":
    print(*lowest(tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))), sep="\n")
