import json

import pytest

from xlv.corpus.importers import mvalue
from xlv.corpus.pairs import CorpusError, concepts_in, full_texts, languages_in, load_pairs


def test_the_authors_layout_is_read_as_it_is(tmp_path):
    folder = tmp_path / "truthfulness"
    folder.mkdir()
    entries = {
        "a": {
            "7": {"question": "Q1?", "pos": "yes", "neg": "no"},
            "2": {"question": "Q2?", "pos": "same", "neg": "same"},
        },
        "b": {"1": {"question": "Q3?", "pos": "up", "neg": "down"}},
    }
    for code in ("en", "ja"):
        (folder / f"truthfulness_{code}.json").write_text(json.dumps(entries), encoding="utf-8")
    table = load_pairs(data=tmp_path)
    assert list(table["pair"]) == ["a/7", "b/1"] * 2
    assert full_texts(table)[0][:2] == ["Question: Q1? Answer: yes", "Question: Q3? Answer: up"]
    (folder / "truthfulness_en.json").write_text('{"a": ["pos"]}', encoding="utf-8")
    with pytest.raises(CorpusError, match="not in MVALUE's form"):
        load_pairs(data=tmp_path)


def test_files_are_found_by_concept_and_language_and_others_are_left_alone(tmp_path):
    for name in ("self_respect/self_respect_en.json", "self_respect/notes.json", "fairness/fairness_pt-br.json"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("{}")
    found = mvalue.files(tmp_path)
    assert set(found) == {("self_respect", "en"), ("fairness", "pt-br")}
    assert found["self_respect", "en"] == tmp_path / "self_respect" / "self_respect_en.json"
    assert concepts_in(tmp_path) == ["fairness", "self_respect"]
    assert languages_in(tmp_path, "fairness") == ["pt-br"]


def test_scenarios_stand_before_both_texts_and_each_pair_is_a_group_of_its_own(tmp_path):
    path = tmp_path / "deontology_en.json"
    entries = {"a": {str(k): {"scenario": f"S{k}", "pos": "yes", "neg": "no"} for k in range(3)}}
    path.write_text(json.dumps(entries), encoding="utf-8")
    table = mvalue.read(path)
    assert list(table["positive"]) == ["S0 yes", "S1 yes", "S2 yes"] and table["id"].is_unique
    assert "group" not in table
