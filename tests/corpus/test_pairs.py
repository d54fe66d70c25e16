import json
from math import isnan

import pytest

from xlv.corpus.check import check_corpus, in_script
from xlv.corpus.concepts import CONCEPTS, VALUES
from xlv.corpus.distances import KINDS, linguistic_similarity
from xlv.corpus.languages import LANGUAGES
from xlv.corpus.pairs import (
    BUILT_IN,
    CorpusError,
    concepts_in,
    corpus_fingerprint,
    folder_fingerprint,
    full_texts,
    load_instructions,
    load_neutral,
    load_pairs,
)
from xlv.corpus.shortcut import shortcut_accuracy, shortcut_scores

HEADER = "id\tgroup\torigin\tpositive\tnegative\n"


def write(folder, concept="kindness", code="en", rows=None, header=HEADER):
    rows = rows or [f"{k:02d}\tg{k // 2}\ten\tI helped neighbour {k}.\tI mocked neighbour {k}." for k in range(8)]
    path = folder / concept / f"{code}.tsv"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(header + "\n".join(rows) + "\n", encoding="utf-8")
    return path


def test_the_built_in_corpus_is_complete_and_parallel():
    table = load_pairs(CONCEPTS)
    assert list(dict.fromkeys(table["language"])) == list(LANGUAGES)
    counts = table.groupby(["concept", "language"]).size()
    assert len(counts) == len(CONCEPTS) * len(LANGUAGES) and (counts == 64).all()
    assert (table.groupby("concept")["group"].nunique() >= 32).all()
    origins = table[table["language"] == "en"].groupby("concept")["origin"].value_counts().unstack()
    assert (origins[["en", "zh", "sw"]] == [32, 16, 16]).all(axis=None)
    assert (table.groupby(["concept", "pair"])["group"].nunique() == 1).all()


def test_control_set_and_neutral_sentences_are_complete_and_disjoint_from_the_pairs():
    pairs = load_pairs(["harmfulness"])
    for code in LANGUAGES:
        search, evaluation = load_instructions(code, "search"), load_instructions(code, "evaluation")
        assert (len(search), len(evaluation), len(load_neutral(code))) == (24, 40, 48)
        assert not set(search["id"]) & set(evaluation["id"])
        texts = pairs[pairs["language"] == code]
        known = {*texts["positive"], *texts["negative"]}
        assert not known & {*search["harmful"], *search["harmless"], *evaluation["harmful"], *evaluation["harmless"]}
    assert load_instructions("en")["category"].nunique() >= 8


def test_the_built_in_corpus_passes_its_own_check():
    assert check_corpus(languages=["sw", "ta", "zh"]).errors == []


def test_the_data_card_names_the_fingerprint_of_the_texts_it_describes():
    card = (BUILT_IN / "README.md").read_text(encoding="utf-8")
    assert f"fingerprint `{folder_fingerprint()}`" in card
    readings = [line.split("\t")[0] for line in (BUILT_IN / "review.tsv").read_text().splitlines()[1:]]
    assert readings == list(LANGUAGES)


def test_default_is_the_values_and_limits_are_kept():
    table = load_pairs(languages=["en", "fr"], pairs=4)
    assert tuple(dict.fromkeys(table["concept"])) == VALUES
    assert len(table) == len(VALUES) * 2 * 4


def test_contexts_stand_before_both_texts_and_join_without_a_space_in_chinese():
    table = load_pairs(["truthfulness"], ["en", "zh"], pairs=2)
    positive, negative = full_texts(table)
    first = table.iloc[0]
    assert positive[0] == f"{first['context']} {first['positive']}" and negative[0].startswith(first["context"])
    chinese = table[table["language"] == "zh"].iloc[0]
    assert positive[2] == chinese["context"] + chinese["positive"]


def test_fingerprints_follow_the_texts():
    table = load_pairs(["morality"], ["en"], pairs=4)
    changed = table.copy()
    changed.loc[0, "positive"] += "!"
    assert corpus_fingerprint(table) == corpus_fingerprint(table.copy()) != corpus_fingerprint(changed)


def test_a_user_s_folder_works_like_the_built_in_one(tmp_path):
    write(tmp_path)
    write(tmp_path, code="xx")
    assert concepts_in(tmp_path) == ["kindness"]
    assert set(load_pairs(data=tmp_path)["language"]) == {"en", "xx"}


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda f: write(f, rows=["01\tg\ten\tonly four"]), "line 2: 4 fields, expected 5"),
        (lambda f: write(f, rows=["", "01\tg\ten\tonly four"]), "line 3: 4 fields"),
        (lambda f: write(f, header="id\tpos\tneg\n"), "lacks the column 'positive'"),
        (lambda f: write(f, rows=["01\tg\ten\ta\tb", "01\th\ten\tc\td"]), "stands twice"),
        (lambda f: write(f, rows=["01\tg\ten\t \tb"]), "an empty field"),
        (lambda f: write(f).write_text(""), "is empty"),
        (lambda f: write(f).write_bytes(b"id\tpositive\tnegative\n1\t\xff\xfe\tb\n"), "not UTF-8"),
        (lambda f: (write(f), write(f, code="fr", rows=["99\tg0\ten\ta\tb"])), "ids and groups"),
        (lambda f: (f / "kindness").mkdir(), "holds no.*see the page"),
        (lambda f: write(f.parent, concept="data"), "holds no.*give the folder above"),
        (lambda f: f.rmdir(), "no folder"),
    ],
)
def test_a_malformed_corpus_gives_one_error_that_names_the_fault(tmp_path, spoil, message):
    folder = tmp_path / "data"
    folder.mkdir()
    spoil(folder)
    with pytest.raises(CorpusError, match=message):
        load_pairs(data=folder)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"concepts": ["courage"]}, "unknown concept"),
        ({"languages": ["xx"]}, "unknown language"),
        ({"pairs": 1}, "at least 2 pairs"),
    ],
)
def test_unknown_requests_name_the_choices(asked, message):
    with pytest.raises(CorpusError, match=message):
        load_pairs(**asked)


def test_the_check_finds_each_kind_of_fault(tmp_path):
    rows = [
        f"{k:02d}\tg{k // 2}\ten\tI helped the neighbour with task {k}.\tI mocked the neighbour for task {k}."
        for k in range(24)
    ]
    write(tmp_path, rows=rows)
    spoilt = [
        row.replace("I helped the neighbour with task", "Tolong bantu tetangga itu dengan tugas nomor") for row in rows
    ]
    spoilt[1] = rows[1]
    spoilt[2] = spoilt[2].replace("\tI mocked the neighbour for task 2.", "\t" + spoilt[2].split("\t")[3])
    write(tmp_path, code="ta", rows=spoilt)
    errors = "\n".join(check_corpus(tmp_path).errors)
    for fault in ("still the English one", "both sides are equal", "not in the script of Tamil", "identified as Tamil"):
        assert fault in errors


def test_the_check_says_that_only_the_order_of_ids_differs(tmp_path):
    first, second, *rest = write(tmp_path).read_text(encoding="utf-8").splitlines()[1:]
    write(tmp_path, code="fr", rows=[second, first, *rest])
    assert "kindness/fr: ids are not in en's order" in check_corpus(tmp_path).errors


def test_the_check_measures_what_it_can_of_a_corpus_of_one_group_in_an_unknown_language(tmp_path):
    write(tmp_path, code="xx", rows=["01\tg\txx\tone text.\ttwo text.", "02\tg\txx\tred text.\tsix text."])
    [row] = check_corpus(tmp_path).figures.to_dict("records")
    assert row["pairs"] == 2 and row["groups"] == 1
    assert all(isnan(row[name]) for name in ("identified", "words", "characters"))


def test_a_mark_of_the_byte_order_is_no_part_of_the_first_column(tmp_path):
    path = write(tmp_path)
    path.write_text(path.read_text(encoding="utf-8"), encoding="utf-8-sig")
    assert len(load_pairs(data=tmp_path)) == 8


def test_shares_of_script():
    assert in_script("Habari ya asubuhi.", "sw") == 1 and in_script("Habari", "ta") == 0
    assert in_script("வணக்கம்", "ta") == 1 and in_script("123", "ta") == 1


def test_surface_classifiers_find_a_planted_word_and_nothing_in_noise():
    groups = [str(k // 2) for k in range(60)]
    positive = [f"the gardener carried stone {k}" for k in range(60)]
    planted = shortcut_scores(positive, [p.replace("carried", "dropped") for p in positive], groups, surface="words")
    assert shortcut_accuracy(planted) == 1.0
    swapped = [p.replace("carried", "dropped") if k % 2 else p for k, p in enumerate(positive)]
    other = [p if k % 2 else p.replace("carried", "dropped") for k, p in enumerate(positive)]
    assert shortcut_accuracy(shortcut_scores(swapped, other, groups, surface="words")) < 0.6
    with pytest.raises(ValueError, match="unknown surface"):
        shortcut_scores(positive, positive, groups, surface="smell")


def test_linguistic_similarity_is_symmetric_masked_and_sensible():
    languages = list(LANGUAGES)
    for kind in KINDS:
        matrix = linguistic_similarity(languages)[kind]
        assert ((matrix == matrix.T) | ((matrix != matrix) & (matrix.T != matrix.T))).all()
    genetic = linguistic_similarity(["es", "pt", "ja"])["genetic"]
    assert genetic[0, 1] > genetic[0, 2]


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
