from importlib.resources import files

import pandas as pd

from xlv.corpus.languages import LANGUAGES, labels, language


def test_the_sixteen_languages_have_distinct_codes_and_names_and_a_script():
    assert len(LANGUAGES) == 16 and all(code == known.code for code, known in LANGUAGES.items())
    assert len({known.name for known in LANGUAGES.values()}) == 16
    assert all(known.scripts for known in LANGUAGES.values())
    assert [code for code, known in LANGUAGES.items() if not known.spaces] == ["zh", "ja"]


def test_an_unknown_code_is_its_own_name_without_family_or_script():
    unknown = language("xx")
    assert (unknown.name, unknown.family, unknown.scripts, unknown.label) == ("xx", "unknown", (), "xx")
    assert language("sw") is LANGUAGES["sw"]


def test_labels_are_name_and_code():
    assert labels(["sw", "xx"]) == ["Swahili (sw)", "xx"]


def test_every_language_has_its_distances_under_its_own_code():
    table = pd.read_csv(str(files("xlv.corpus") / "uriel" / "distances.csv"))
    assert {*table["first"], *table["second"]} == set(LANGUAGES)
