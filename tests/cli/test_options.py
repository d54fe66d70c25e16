import pytest

from xlv.cli.options import at, changed, names
from xlv.settings import PROFILES


def test_names_are_separated_by_commas_and_none_is_none():
    assert names("en, fr,,sw ") == ("en", "fr", "sw")
    assert names("") is None and names(" , ") is None


def test_a_revision_is_part_of_a_model_s_name():
    assert at("org/model", "v1.0") == "org/model@v1.0" and at("org/model", "") == "org/model"


def test_options_that_are_not_given_leave_the_profile_as_it_is():
    assert changed("quick", "", "", "", 0) == PROFILES["quick"]
    assert changed("quick", "", "", "", 0, dtype=None).study == PROFILES["quick"].study


def test_options_change_the_profile():
    wanted = changed("quick", "corpus", "courage", "en,de", 8, template="chat")
    study = wanted.study
    assert (study.data, study.concepts, study.languages, study.pairs) == ("corpus", ("courage",), ("en", "de"), 8)
    assert study.template == "chat" and wanted.control.pairs == 8
    with pytest.raises(ValueError, match="unknown profile 'huge': choose one of quick, medium, full"):
        changed("huge", "", "", "", 0)
