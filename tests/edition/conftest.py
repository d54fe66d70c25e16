"""Results of a tiny model on disk, of all questions: what notebooks, books and cards are made of."""

import shutil
from pathlib import Path

import pytest

from xlv.archive import place
from xlv.profiles import Profile
from xlv.settings import Comparisons, ControlSettings, Search, Settings
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
        compare=Comparisons(prompts=1, contrast="", random=1, random_generated=1, detailed=()),
    ),
)


@pytest.fixture(scope="session")
def studied(saved_model, tmp_path_factory) -> Path:
    """A collection of results of the tiny model `my-model`, not to be changed."""
    folder = tmp_path_factory.mktemp("studied")
    (folder / "my-model").symlink_to(saved_model)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XLV_CACHE", str(folder / "cache"))
        for run, settings in ((run_study, PROFILE.study), (run_control, PROFILE.control)):
            run(str(folder / "my-model"), settings, folder / "out")
            made = place(str(folder / "my-model"), settings, folder / "out")
            shutil.copytree(made, folder / "results" / "my-model", dirs_exist_ok=True)
    return folder / "results"
