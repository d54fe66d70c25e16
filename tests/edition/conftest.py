"""Results of a tiny model on disk, of all questions: what notebooks, books and cards are made of."""

from pathlib import Path

import pytest

from xlv.settings import Comparisons, ControlSettings, Profile, Search, Settings
from xlv.study import run_control, run_study

LANGUAGES = ("en", "fr", "sw", "zh")
PROFILE = Profile(
    "tiny",
    Settings(concepts=("morality", "fairness", "tense"), languages=LANGUAGES, pairs=12, neutral=2, dtype="fp32"),
    ControlSettings(
        targets=("en", "sw"),
        pairs=12,
        prompts=2,
        tokens=2,
        search=Search(prompts=2, doses=(0.01,), windows=((0.4, 0.7),), neutral=2, confirmed=1),
        compare=Comparisons(prompts=1, contrast="", random=1, random_generated=1, detailed=(), doses=(0.01,)),
    ),
)


@pytest.fixture(scope="session")
def studied(saved_model, tmp_path_factory) -> Path:
    """A folder of results of the tiny model `my-model`, not to be changed."""
    folder = tmp_path_factory.mktemp("studied")
    (folder / "my-model").symlink_to(saved_model)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XLV_CACHE", str(folder / "cache"))
        run_study(str(folder / "my-model"), PROFILE.study, folder / "results")
        run_control(str(folder / "my-model"), PROFILE.control, folder / "results")
    return folder / "results"
