import json
import re
from itertools import product

import pandas as pd
import pytest

from xlv.corpus.check import check_corpus
from xlv.corpus.importers.recipes import RECIPES, convert, unwrapped
from xlv.corpus.pairs import SPLITS, full_texts, load_instructions, load_pairs
from xlv.corpus.table import CorpusError
from xlv.schema import KINDS

# The published files are rebuilt in their own format from sentences of the built-in corpus.


def built_in(concept, code="en"):
    return load_pairs([concept], [code])


def write_ethics(folder, *, later=False):
    def place(task, prefix):
        path = folder / task / ("train.csv" if later else f"{prefix}_train.csv")
        path.parent.mkdir(parents=True)
        return path

    def labelled(concept, column, positive, negative, **more):
        table = built_in(concept)
        rows = [
            pd.DataFrame({"label": label, column: table[side], **more})
            for label, side in ((positive, "positive"), (negative, "negative"))
        ]
        return pd.concat(rows).sample(frac=1, random_state=0)

    labelled("morality", "input", 0, 1, is_short=True, edited=False).to_csv(place("commonsense", "cm"), index=False)
    contexts = [*built_in("deontology")["context"]] * 2
    deontology = pd.concat(
        pd.DataFrame({"label": label, "excuse": built_in("deontology")[side]})
        for label, side in ((1, "positive"), (0, "negative"))
    )
    deontology.insert(1, "scenario", contexts)
    deontology.to_csv(place("deontology", "deontology"), index=False)
    labelled("fairness", "scenario", 1, 0).to_csv(place("justice", "justice"), index=False)
    pleasant = built_in("utilitarianism")[["positive", "negative"]]
    pleasant.columns = ["baseline", "less_pleasant"]
    pleasant.to_csv(place("utilitarianism", "util"), index=False, header=later)
    return folder


def write_truthfulqa(folder):
    table = built_in("truthfulness")
    wrong = [f"{text[:-1]}; No; Nobody {'can ever know ' * 12}such a thing" for text in table["negative"]]
    answers = {"Best Answer": table["positive"], "Correct Answers": table["positive"], "Incorrect Answers": wrong}
    path = folder / "TruthfulQA.csv"
    pd.DataFrame({"Type": "Adversarial", "Category": "x", "Question": table["context"], **answers}).to_csv(path)
    return path


def write_toxigen(folder):
    table = built_in("toxicity")
    sides = [
        pd.DataFrame({"text": table[side].str[:-1], "target_group": table["group"], "toxicity_human": rating})
        for side, rating in (("positive", 1.3), ("negative", 4.6))
    ]
    unsure = pd.DataFrame({"text": ["Some say one thing"], "target_group": ["x"], "toxicity_human": [3.0]})
    path, rows = folder / "annotated_train.csv", pd.concat([*sides, unsure])
    rows["text"] = [repr(text.encode()) for text in rows["text"]]  # as they are published
    rows.assign(**{"factual?": "opinion", "toxicity_ai": 1.0, "actual_method": "topk"}).to_csv(path, index=False)
    return path


def write_advbench(folder):
    path = folder / "harmful_behaviors.csv"
    goals = built_in("harmfulness")["negative"].str[:-1]
    pd.DataFrame({"goal": goals, "target": "Sure, here it is"}).to_csv(path, index=False)
    return path


def write_polyrefuse(folder):
    codes = {"en": "en", "es": "es", "zh": "zh", "oc": "ca"}  # Catalan stands for a language that xlv does not know
    for code, source in codes.items():
        name = "" if code == "en" else f"_translated_{code}"
        table = built_in("harmfulness", source)
        for split, rows in (("train", slice(0, 60)), ("val", slice(60, 84)), ("test", slice(84, 124))):
            for kind, side in (("harmless", "positive"), ("harmful", "negative")):
                entries = [{"instruction": f"{text[:-1]}\n", "category": None} for text in table[side][rows]]
                (folder / f"{kind}_{split}{name}.json").write_text(json.dumps(entries))
    return folder


WRITERS = {
    "ethics": write_ethics,
    "truthfulqa": write_truthfulqa,
    "toxigen": write_toxigen,
    "advbench": write_advbench,
    "polyrefuse": write_polyrefuse,
}
MADE = {
    "ethics": {("morality", "en"), ("deontology", "en"), ("utilitarianism", "en"), ("fairness", "en")},
    "truthfulqa": {("truthfulness", "en")},
    "toxigen": {("toxicity", "en")},
    "advbench": {("harmfulness", "en"), ("control", "en")},
    "polyrefuse": {(name, code) for name in ("harmfulness", "control") for code in ("en", "es", "zh", "oc")},
}


@pytest.mark.parametrize("source", RECIPES)
def test_a_converted_source_passes_the_check_and_loads(source, tmp_path):
    files = tmp_path / "files"
    files.mkdir()
    convert(source, WRITERS[source](files), tmp_path / "corpus")
    report = check_corpus(tmp_path / "corpus")
    assert report.errors == []
    assert {*zip(report.figures["concept"], report.figures["language"], strict=True)} == MADE[source]
    assert (report.figures["pairs"] >= 25).all()
    for concept in {concept for concept, _ in MADE[source]} - {"control"}:
        assert len(load_pairs([concept], data=tmp_path / "corpus"))
    assert f"Made from {source}" in (tmp_path / "corpus" / "README.md").read_text()


def pairs_of(corpus, concept):
    table = load_pairs([concept], ["en"], data=corpus)
    return set(zip(*full_texts(table), strict=True))


def test_positive_texts_are_those_in_line_with_the_value(tmp_path):
    convert("ethics", write_ethics(tmp_path / "old"), tmp_path / "a")
    convert("ethics", write_ethics(tmp_path / "new", later=True), tmp_path / "b")
    for concept in ("morality", "deontology", "utilitarianism", "fairness"):
        table = built_in(concept)
        assert pairs_of(tmp_path / "a", concept) == pairs_of(tmp_path / "b", concept)
        positives = {p for p, _ in zip(*full_texts(table), strict=True)}
        negatives = {n for _, n in zip(*full_texts(table), strict=True)}
        for positive, negative in pairs_of(tmp_path / "a", concept):
            assert positive in positives and negative in negatives
    written = load_pairs(["deontology"], ["en"], data=tmp_path / "a")
    assert all(len(rows) <= 2 for _, rows in written.groupby("context")) and written["context"].str.len().min() > 0


def test_truthfulqa_takes_the_incorrect_answer_nearest_in_length(tmp_path):
    convert("truthfulqa", write_truthfulqa(tmp_path), tmp_path / "corpus")
    expected = set(zip(*full_texts(built_in("truthfulness")), strict=True))
    assert pairs_of(tmp_path / "corpus", "truthfulness") <= expected


def test_polyrefuse_keeps_translations_together_and_leaves_incomplete_files_out(tmp_path):
    folder = write_polyrefuse(tmp_path)
    (folder / "harmful_train_translated_de.json").write_text("[]")
    (folder / "harmless_test_translated_es.json").write_text("[]")
    (folder / "harmful_test_translated_es.json").unlink()
    convert("polyrefuse", folder, tmp_path / "corpus")
    table = load_pairs(["harmfulness"], data=tmp_path / "corpus")
    assert list(dict.fromkeys(table["language"])) == ["en", "zh", "es", "oc"]
    wide = table.pivot(index="pair", columns="language", values="negative")
    english = built_in("harmfulness")["negative"].tolist()
    for _, row in wide.iterrows():
        assert row["zh"][:-1] == built_in("harmfulness", "zh")["negative"][english.index(row["en"])][:-1]


def test_a_limit_is_kept_and_levelled(tmp_path):
    convert("toxigen", write_toxigen(tmp_path), tmp_path / "corpus", limit=8)
    assert 2 <= len(pairs_of(tmp_path / "corpus", "toxicity")) <= 8 and check_corpus(tmp_path / "corpus").errors == []
    with pytest.raises(ValueError, match="at least 2 pairs"):
        convert("toxigen", tmp_path / "annotated_train.csv", tmp_path / "other", limit=1)


@pytest.mark.parametrize(
    ("source", "name", "content", "message"),
    [
        ("truthfulqa", "a.csv", "Question,Best Answer\nx,y\n", "lacks the column 'Incorrect Answers'.*Question"),
        ("toxigen", "a.csv", "text,label\nx,1\n", "lacks the column 'target_group'"),
        ("advbench", "a.csv", "prompt\nx\n", "lacks the column 'goal'"),
        ("ethics", "commonsense/cm_train.csv", "label,text\n0,x\n", "lacks the column 'input'"),
        ("ethics", "deontology/train.csv", "label,scenario\n0,x\n", "lacks the column 'excuse'"),
        ("ethics", "utilitarianism/util_train.csv", "only one column\n", "lacks the column 1"),
        ("ethics", "elsewhere/x.csv", "a\n", "expected the folder of ethics.tar"),
        ("truthfulqa", "x.csv", "a\n", "holds no TruthfulQA.csv or the like: expected that file or its folder"),
        ("polyrefuse", "harmful_train_translated_de.json", "[]", "expected PolyRefuse's folder"),
        ("advbench", "a.csv", "goal\nOnly one goal here\n", "fewer than two pairs of harmfulness.*1 goals"),
        ("advbench", "a.csv", "", "no CSV file"),
    ],
)
def test_files_of_another_form_are_named_and_nothing_is_written(tmp_path, source, name, content, message):
    path = tmp_path / "files" / name
    path.parent.mkdir(parents=True)
    path.write_text(content)
    with pytest.raises(CorpusError, match=message):
        convert(source, path if name == "a.csv" else tmp_path / "files", tmp_path / "corpus")
    assert not (tmp_path / "corpus").exists()


@pytest.mark.parametrize("source", ["advbench", "polyrefuse"])
def test_no_instruction_of_a_pair_is_searched_or_evaluated_on(tmp_path, source):
    (tmp_path / "files").mkdir()
    said = convert(source, WRITERS[source](tmp_path / "files"), tmp_path / "corpus")
    for code in ("en", "es", "zh", "oc") if source == "polyrefuse" else ("en",):
        pairs = load_pairs(["harmfulness"], [code], data=tmp_path / "corpus")
        splits = [load_instructions(code, name, data=tmp_path / "corpus") for name in ("search", "evaluation")]
        texts = [{*table[side]} for table in splits for side in ("harmless", "harmful")]
        texts += [{*pairs["positive"]}, {*pairs["negative"]}]
        assert len(set().union(*texts)) == sum(map(len, texts)) and min(map(len, texts)) >= 2
        assert len({*pairs["group"]}) == len(pairs)
    numbers = " and ".join(f"{len(table)} for the {name}" for table, name in zip(splits, SPLITS, strict=True))
    assert any(line.startswith(f"control: of each kind {numbers}; left out: ") for line in said)


def test_polyrefuse_is_searched_on_its_train_and_evaluated_on_its_test_split(tmp_path):
    exams(tmp_path, ["en", "de"])
    exams(tmp_path, ["en", "de"], "test", range(500, 506))
    said = convert("polyrefuse", tmp_path, tmp_path / "corpus")
    assert "control: of each kind 4 for the search and 6 for the evaluation; left out: 0" in said[-2]
    for code in ("en", "de"):
        found = [load_instructions(code, split, data=tmp_path / "corpus") for split in SPLITS]
        numbers = [{re.search(r"\d+", text)[0][0] for kind in KINDS for text in table[kind]} for table in found]
        assert numbers == [{"1"}, {"5"}]  # train has exams 100 to 111
        assert all(
            table[kind].str.contains(FORMS[code][k][:8]).all() for table in found for k, kind in enumerate(KINDS)
        )
    assert not load_pairs(["harmfulness"], data=tmp_path / "corpus")["negative"].str.contains("50").any()


def test_without_a_test_split_there_is_no_control_set(tmp_path):
    exams(tmp_path, ["de"])
    assert any(line.startswith("control: none, ") for line in convert("polyrefuse", tmp_path, tmp_path / "corpus"))
    assert not (tmp_path / "corpus" / "control").exists()


def test_malformed_polyrefuse_and_unequal_lengths_are_named(tmp_path):
    folder = write_polyrefuse(tmp_path)
    entries = json.loads((folder / "harmful_val_translated_es.json").read_text())
    (folder / "harmful_val_translated_es.json").write_text(json.dumps(entries[1:]))
    with pytest.raises(CorpusError, match="harmful_val.json has 24, .*harmful_val_translated_es.json has 23"):
        convert("polyrefuse", folder, tmp_path / "corpus")
    (folder / "harmful_val_translated_es.json").write_text('["bare"]')
    with pytest.raises(CorpusError, match=r"harmful_val_translated_es.json is not in PolyRefuse's form"):
        convert("polyrefuse", folder, tmp_path / "corpus")


def test_an_unknown_source_and_a_folder_in_the_way_are_refused(tmp_path):
    with pytest.raises(ValueError, match="unknown source 'wikipedia': choose one of ethics"):
        convert("wikipedia", tmp_path, tmp_path / "corpus")
    with pytest.raises(CorpusError, match="exists"):
        convert("advbench", write_advbench(tmp_path), tmp_path)


@pytest.mark.parametrize(
    ("published", "text"),
    [
        ("b'some don\\'t'", "some don't"),
        ('b"some don\'t"', "some don't"),
        ("b'caf\\xc3\\xa9 owners\\nare'", "caf\u00e9 owners\nare"),
        ("b'they\\xe2\\x80", "they"),
        ("b'cut off", "cut off"),
        ("already caf\u00e9", "already caf\u00e9"),
        ("plain 'words'", "plain 'words'"),
    ],
)
def test_texts_that_are_printed_bytes_are_read_as_the_text_they_print(published, text):
    assert unwrapped(published) == text


def test_toxigen_s_texts_are_those_without_their_wrapping(tmp_path):
    convert("toxigen", write_toxigen(tmp_path), tmp_path / "corpus")
    table = built_in("toxicity")
    assert pairs_of(tmp_path / "corpus", "toxicity") <= {(p, n) for p in table["positive"] for n in table["negative"]}


def instructions(folder, name, texts, **more):
    entries = [
        {"instruction": text, **{key: values[k] for key, values in more.items()}} for k, text in enumerate(texts)
    ]
    (folder / name).write_text(json.dumps(entries), encoding="utf-8")


FORMS = {
    "de": (
        "Erkl\u00e4re genau, wie man in Pr\u00fcfung {} betr\u00fcgt.",
        "Erkl\u00e4re genau, wie man f\u00fcr Pr\u00fcfung {} \u00fcbt.",
    ),
    "fr": ("Explique bien comment tricher \u00e0 l'examen {}.", "Explique bien comment r\u00e9viser l'examen {}."),
    "th": ("อธิบายวิธีโกงข้อสอบที่ {} ให้เพื่อน", "อธิบายวิธีอ่านหนังสือสอบที่ {} ให้ดี"),
    "en": ("Explain exactly how to cheat in exam {}.", "Explain exactly how to study for exam {}."),
}


def exams(folder, codes, split="train", numbers=range(100, 112)):
    for code, (kind, k) in product(codes, (("harmful", 0), ("harmless", 1))):
        instructions(folder, f"{kind}_{split}_translated_{code}.json", map(FORMS[code][k].format, numbers))


@pytest.mark.parametrize("codes", [["fr", "de"], ["fr", "de", "th"]])
def test_polyrefuse_makes_as_many_pairs_with_thai_as_without(tmp_path, codes):
    exams(tmp_path, codes)
    said = convert("polyrefuse", tmp_path, tmp_path / "corpus")
    assert said[-1] == f"harmfulness: 12 pairs in {' '.join(codes)}; left out: nothing"
    report = check_corpus(tmp_path / "corpus")
    assert report.errors == [] and list(report.figures["same_ending"]) == [1] * len(codes)


def test_a_test_split_is_read_in_its_own_language(tmp_path):
    exams(tmp_path, ["de"])
    for kind, k in (("harmful", 0), ("harmless", 1)):
        german, english = ([FORMS[code][k].format(n) for n in range(500, 506)] for code in ("de", "en"))
        instructions(tmp_path, f"{kind}_test_translated_de.json", english, instruction_translated=german)
    convert("polyrefuse", tmp_path, tmp_path / "corpus")
    table = load_pairs(["harmfulness"], data=tmp_path / "corpus")
    assert len(load_instructions("de", "evaluation", data=tmp_path / "corpus")) == 6
    assert len(table) == 8 and table["positive"].str.startswith("Erkl\u00e4re genau").all()


def test_polyrefuse_s_english_is_the_sampled_file(tmp_path):
    exams(tmp_path, ["de"])
    for kind, k, n in (("harmful", 0, 12), ("harmless", 1, 40)):
        instructions(tmp_path, f"{kind}_train.json", map(FORMS["en"][k].format, range(100, 100 + n)))
    message = "harmless_train.json has 40, harmless_train_translated_de.json has 12; .*harmless_train_200_sampled.json"
    with pytest.raises(CorpusError, match=message):
        convert("polyrefuse", tmp_path, tmp_path / "corpus")
    instructions(tmp_path, "harmless_train_200_sampled.json", map(FORMS["en"][1].format, range(100, 112)))
    assert "12 pairs in en de" in convert("polyrefuse", tmp_path, tmp_path / "corpus")[-1]


def test_languages_may_be_chosen_where_there_are_several(tmp_path):
    exams(tmp_path, ["de", "fr", "th"])
    exams(tmp_path, ["de", "fr"], "val", range(200, 206))
    said = convert("polyrefuse", tmp_path, tmp_path / "all")
    assert "split val left out: th lack it" in said and "12 pairs in fr de th" in said[-1]
    assert "18 pairs in fr de" in convert("polyrefuse", tmp_path, tmp_path / "two", languages=["fr", "de"])[-1]
    with pytest.raises(CorpusError, match="lacks train files of 'sw': choose from fr, de, th"):
        convert("polyrefuse", tmp_path, tmp_path / "none", languages=["fr", "sw"])
    with pytest.raises(ValueError, match="advbench is in English only"):
        convert("advbench", write_advbench(tmp_path), tmp_path / "none", languages=["fr"])


def test_rows_of_a_file_that_do_not_go_with_the_others_are_said(tmp_path):
    exams(tmp_path, ["de", "fr"])
    instructions(tmp_path, "harmless_train_translated_fr.json", map(FORMS["fr"][1].format, range(111, 99, -1)))
    said = convert("polyrefuse", tmp_path, tmp_path / "corpus")
    assert any(
        re.match("harmless train: the rows of de do not go with those of fr: other numbers in 12", s) for s in said
    )
    assert not any("harmful train: the rows" in line for line in said)
    assert any("positive: the rows of de do not go" in note for note in check_corpus(tmp_path / "corpus").notes)


def test_what_was_read_and_left_out_is_said_and_adds_up(tmp_path):
    goals = [f"Write goal number {k}{' or so' * (k % 40)}" for k in range(520)]
    pd.DataFrame({"goal": goals}).to_csv(tmp_path / "harmful_behaviors.csv", index=False)
    read, control, made = convert("advbench", tmp_path / "harmful_behaviors.csv", tmp_path / "corpus")
    n_goals, n_ours = map(int, re.match(r"(\d+) goals, (\d+) texts of ours", read).groups())
    left = {
        reason: int(n)
        for n, reason in re.findall(r"(\d+) ((?:positive|negative|pairs) [^,]+)", made.split("left out: ")[1])
    }
    pairs = int(re.match(r"harmfulness: (\d+) pairs", made)[1])
    later = sum(n for reason, n in left.items() if reason.startswith("pairs"))
    for side, n in (("negative", n_goals), ("positive", n_ours)):
        assert pairs + later + left[f"{side} texts without a partner of like length and ending"] == n
    aside, lost = sum(map(int, re.findall(r"(\d+) for the", control))), int(re.search(r"out: (\d+)", control)[1])
    assert left["pairs set aside for the control set"] == aside + lost
    assert n_goals == 520 and made in (tmp_path / "corpus" / "README.md").read_text()
