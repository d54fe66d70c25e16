import os

import pytest

from tests.corpus.written import write
from xlv.corpus.concepts import CONCEPTS, VALUES
from xlv.corpus.languages import LANGUAGES
from xlv.corpus.pairs import (
    BUILT_IN,
    CorpusError,
    cohorts_of,
    concepts_in,
    corpus_fingerprint,
    folder_fingerprint,
    full_texts,
    languages_in,
    load_instructions,
    load_neutral,
    load_pairs,
    neutral_of,
    texts_of,
)


def test_the_built_in_corpus_is_complete_and_parallel():
    table = load_pairs(CONCEPTS, cohort="first")
    assert list(dict.fromkeys(table["language"])) == list(LANGUAGES)
    counts = table.groupby(["concept", "language"]).size()
    assert len(counts) == len(CONCEPTS) * len(LANGUAGES) and (counts == 64).all()
    every = load_pairs(CONCEPTS, ["en"])
    assert every[every["cohort"] == "first"].reset_index(drop=True).equals(load_pairs(CONCEPTS, ["en"], cohort="first"))
    assert (table.groupby("concept")["group"].nunique() >= 32).all()
    origins = table[table["language"] == "en"].groupby("concept")["origin"].value_counts().unstack()
    assert (origins[["en", "zh", "sw"]] == [32, 16, 16]).all(axis=None)
    assert (table.groupby(["concept", "pair"])["group"].nunique() == 1).all()


def test_the_second_cohort_has_its_counts_in_situations_of_two_pairs_and_ids_that_go_on():
    table = load_pairs(cohort="second")
    assert list(dict.fromkeys(table["language"])) == list(LANGUAGES)
    large = {"toxicity", "harmfulness", "deontology"}
    for (concept, _), rows in table.groupby(["concept", "language"], sort=False):
        count = 128 if concept in large else 64
        assert list(rows["pair"]) == [str(64 + k) for k in range(1, count + 1)]
        assert (rows.groupby("group").size() == 2).all()
        assert rows["origin"].value_counts().between(count // 3 - 2, count // 3 + 2).all()
    assert len(load_pairs()) == len(load_pairs(cohort="first")) + len(table)
    assert set(load_pairs("tense", cohort="second")["cohort"]) == {"first"}  # which has no second one


def test_control_set_and_neutral_sentences_are_complete_and_disjoint_from_the_pairs():
    pairs = load_pairs(["harmfulness"])
    for code in LANGUAGES:
        search, evaluation = load_instructions(code, "search"), load_instructions(code, "evaluation")
        assert (len(search), len(evaluation), len(load_neutral(code))) == (24, 80, 48)
        assert not set(search["id"]) & set(evaluation["id"])
        texts = pairs[pairs["language"] == code]
        known = {*texts["positive"], *texts["negative"]}
        assert not known & {*search["harmful"], *search["harmless"], *evaluation["harmful"], *evaluation["harmless"]}
    assert load_instructions("en")["category"].nunique() >= 8


def test_the_data_card_names_the_fingerprint_of_the_texts_it_describes():
    card = (BUILT_IN / "README.md").read_text(encoding="utf-8")
    assert f"fingerprint `{folder_fingerprint()}`" in card
    readings = [line.split("\t")[0] for line in (BUILT_IN / "review.tsv").read_text().splitlines()[1:]]
    assert readings == 2 * list(LANGUAGES)


def test_default_is_the_values_and_limits_are_kept():
    table = load_pairs(languages=["en", "fr"], pairs=4)
    assert tuple(dict.fromkeys(table["concept"])) == VALUES
    assert len(table) == len(VALUES) * 2 * 4


def test_cohorts_are_loaded_apart_or_together_and_a_corpus_without_them_is_of_the_first(tmp_path):
    rows = [f"{k:02d}\tg{k}\ten\t{'second' if k > 2 else 'first'}\tI gave {k}.\tI took {k}." for k in range(1, 6)]
    write(tmp_path, header="id\tgroup\torigin\tcohort\tpositive\tnegative\n", rows=rows)
    write(tmp_path, concept="calm")
    ids = {c: list(load_pairs(["kindness"], data=tmp_path, cohort=c)["pair"]) for c in ("first", "second", "all")}
    assert ids == {"first": ["01", "02"], "second": ["03", "04", "05"], "all": ["01", "02", "03", "04", "05"]}
    assert list(load_pairs(["kindness"], data=tmp_path, cohort="second", pairs=2)["pair"]) == ["03", "04"]
    assert len(load_pairs(["calm"], data=tmp_path)) == len(load_pairs(["calm"], data=tmp_path, cohort="first")) > 0
    with pytest.raises(CorpusError, match="calm/en.tsv has no pairs of the second cohort: choose another, or all"):
        load_pairs(["calm"], data=tmp_path, cohort="second")


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
    assert corpus_fingerprint(table) == corpus_fingerprint(table.assign(cohort="second")) != corpus_fingerprint(changed)


def test_the_pairs_of_cohorts_are_told_apart_where_both_can_be_halved():
    table = load_pairs(["morality"], ["en", "sw"])
    found = cohorts_of(table)
    assert list(found) == ["first", "second", "all"] and [len(places) for places in found.values()] == [64, 64, 128]
    english = table[table["language"] == "en"].reset_index(drop=True)
    assert all(set(english.loc[found[name], "cohort"]) == {name} for name in ("first", "second"))
    for few in ({"cohort": "second"}, {"pairs": 64}, {"pairs": 70}):  # of three situations of the second
        assert list(cohorts_of(load_pairs(["morality"], ["en"], **few))) == ["all"]


def test_a_user_s_folder_works_like_the_built_in_one(tmp_path):
    write(tmp_path)
    write(tmp_path, code="xx")
    assert concepts_in(tmp_path) == ["kindness"]
    assert set(load_pairs(data=tmp_path)["language"]) == {"en", "xx"}


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda f: write(f, rows=["01\tg\ten\tonly four"]), "line 2: 4 fields, expected 5"),
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
        ({"cohort": "third"}, "unknown cohort 'third': choose one of first, second, all"),
    ],
)
def test_unknown_requests_name_the_choices(asked, message):
    with pytest.raises(CorpusError, match=message):
        load_pairs(**asked)


@pytest.mark.parametrize(
    ("asked", "twice"),
    [
        ({"concepts": iter(["tense", "morality", "tense"])}, "concepts: tense"),
        ({"concepts": "morality", "languages": ("en", "fr", "fr")}, "languages: fr"),
    ],
)
def test_a_name_given_twice_is_refused_as_its_pairs_would_count_twice(asked, twice):
    with pytest.raises(ValueError, match=f"^{twice} is given twice, .*: name it once$"):
        load_pairs(**asked)


def test_neutral_sentences_are_the_corpus_s_own_or_the_built_in_ones_or_none(tmp_path):
    assert neutral_of(["en", "sw"], limit=3) == {code: load_neutral(code)[:3] for code in ("en", "sw")}
    write(tmp_path)
    assert neutral_of(["en"], tmp_path, 2) == {"en": load_neutral("en")[:2]}
    assert neutral_of(["en", "xx"], tmp_path) is None
    write(tmp_path, concept="neutral", code="xx", header="id\ttext\n", rows=["1\tWater boils.", "2\tSalt melts ice."])
    assert neutral_of(["xx"], tmp_path) == {"xx": ["Water boils.", "Salt melts ice."]}
    assert neutral_of(["en"], tmp_path) is None and concepts_in(tmp_path) == ["kindness"]
    assert load_neutral("xx", data=tmp_path) == ["Water boils.", "Salt melts ice."]
    assert load_neutral("en", data=tmp_path) == load_neutral("en")
    with pytest.raises(CorpusError, match=f"no file {tmp_path}/neutral/yy.tsv"):
        load_neutral("yy", data=tmp_path)


def test_a_split_of_the_instructions_can_be_limited_and_an_unknown_one_is_refused():
    ids = list(load_instructions("sw")["id"])
    assert [list(load_instructions("sw", split, limit=2)["id"]) for split in ("search", "evaluation")] == [
        ids[:2],
        ids[-2:],
    ]
    with pytest.raises(ValueError, match="unknown split 'train': choose one of search, evaluation, all"):
        load_instructions("en", "train")


def test_languages_come_in_the_usual_order_and_others_by_name(tmp_path):
    for code in ("xx", "sw", "en", "ab"):
        write(tmp_path, code=code)
    assert languages_in(tmp_path, "kindness") == ["en", "sw", "ab", "xx"]
    assert languages_in(tmp_path, "courage") == []


def test_texts_by_concept_and_language_are_the_positive_ones_then_the_negative_ones():
    found = texts_of(load_pairs(["morality", "truthfulness"], ["en", "zh"], pairs=3))
    assert [key for key in found] == [(c, code) for c in ("morality", "truthfulness") for code in ("en", "zh")]
    table = load_pairs(["truthfulness"], ["zh"], pairs=3)
    assert found["truthfulness", "zh"] == [*full_texts(table)[0], *full_texts(table)[1]]


def test_a_control_set_is_split_only_where_something_is_left_to_evaluate_on(tmp_path):
    rows = [f"{k:02d}\tc{k % 3}\ten\tBake bread {k}.\tSpoil bread {k}." for k in range(26)]
    about = {"concept": "control", "header": "id\tcategory\torigin\tharmless\tharmful\n"}
    write(tmp_path, rows=rows, **about)
    assert [len(load_instructions("en", split, data=tmp_path)) for split in ("search", "evaluation")] == [24, 2]
    path = write(tmp_path, rows=rows[:-1], **about)
    assert len(load_instructions("en", data=tmp_path)) == 25
    for split in ("search", "evaluation"):
        with pytest.raises(CorpusError, match=f"{path} has 25 rows: expected 26, 24 to search on"):
            load_instructions("en", split, limit=4, data=tmp_path)


def test_a_control_set_may_say_which_split_a_row_is_of(tmp_path):
    about = {"concept": "control", "header": "id\tcategory\torigin\tsplit\tharmless\tharmful\n"}
    names = ["evaluation", "search"] * 2 + ["evaluation"]
    rows = [f"{k:02d}\tc\ten\t{name}\tBake bread {k}.\tSpoil bread {k}." for k, name in enumerate(names)]
    path = write(tmp_path, rows=rows, **about)
    found = {split: load_instructions("en", split, data=tmp_path) for split in ("search", "evaluation", "all")}
    assert {split: [*table["id"]] for split, table in found.items()} == {
        "search": ["01", "03"],
        "evaluation": ["00", "02", "04"],
        "all": ["00", "01", "02", "03", "04"],
    }
    write(tmp_path, rows=rows[:3], **about)
    with pytest.raises(CorpusError, match=f"^{path} has 3 rows: expected 2 of each split$"):
        load_instructions("en", "search", data=tmp_path)
    write(tmp_path, rows=[row.replace("search", "train") for row in rows], **about)
    with pytest.raises(CorpusError, match=f"^{path} has a row of the split 'train': expected search or evaluation$"):
        load_instructions("en", data=tmp_path)


def test_concepts_without_a_language_in_common_are_named_with_their_languages(tmp_path):
    write(tmp_path, concept="bravery")
    write(tmp_path, concept="courage", code="de")
    with pytest.raises(CorpusError, match=r"--concepts: bravery has en; courage has de$"):
        load_pairs(data=tmp_path)
    assert len(load_pairs(["courage"], data=tmp_path)) == 8


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("DE.TSV", "DE.TSV is not read: save it as de.tsv, or move it away"),
        ("de.tsv.gz", "not read: save it as de.tsv"),
        ("pt-BR.csv", "not read: save it as pt-br.tsv"),
        ("de.json", "not read"),
        ("kindness_en.json", "are both kindness in en: keep one"),
        ("de\n.tsv", "printable name"),
        ("\udcff.tsv", "printable name"),
    ],
)
def test_a_file_that_would_be_passed_over_or_confused_is_refused_in_one_line(tmp_path, name, message):
    other = write(tmp_path).with_name(name)
    other.write_text("{}")
    with pytest.raises(CorpusError, match=message) as error:
        folder_fingerprint(tmp_path)
    assert "\n" not in str(error.value) and str(error.value).encode()


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda path: os.symlink("/dev/zero", path)])
@pytest.mark.parametrize("concept", ["kindness", "control"])
def test_what_is_no_file_is_refused_before_it_is_opened(tmp_path, make, concept):
    path = write(tmp_path, concept=concept).with_name("fr.tsv")
    write(tmp_path)
    make(path)
    for read in (lambda data: load_pairs(data=data), folder_fingerprint, concepts_in):
        with pytest.raises(CorpusError, match="fr.tsv': expected a file of at most 64,000,000 bytes"):
            read(tmp_path)


def test_a_file_of_two_gigabytes_in_one_line_is_refused_before_it_is_read(tmp_path):
    path = write(tmp_path)
    os.truncate(path, 2_000_000_000)
    with pytest.raises(CorpusError, match="at most 64,000,000 bytes"):
        load_pairs(data=tmp_path)


def test_what_is_hidden_is_no_part_of_a_corpus(tmp_path):
    usual = folder_fingerprint((write(tmp_path), tmp_path)[1])
    write(tmp_path, concept=".ipynb_checkpoints")
    write(tmp_path, code="._en").write_bytes(b"\0\5\x16\7")
    assert concepts_in(tmp_path) == ["kindness"] and languages_in(tmp_path, "kindness") == ["en"]
    assert folder_fingerprint(tmp_path) == usual
