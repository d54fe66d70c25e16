import json

import pandas as pd
import pytest

from xlv.corpus.check import check_corpus
from xlv.corpus.importers.recipes import RECIPES, convert
from xlv.corpus.pairs import full_texts, load_pairs
from xlv.corpus.table import CorpusError

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
    path = folder / "annotated_train.csv"
    pd.concat([*sides, unsure]).to_csv(path, index=False)
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
        for split, rows in (("train", slice(0, 40)), ("val", slice(40, 64))):
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
    "advbench": {("harmfulness", "en")},
    "polyrefuse": {("harmfulness", code) for code in ("en", "es", "zh", "oc")},
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
    for concept in {concept for concept, _ in MADE[source]}:
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
    convert("polyrefuse", folder, tmp_path / "corpus")
    table = load_pairs(["harmfulness"], data=tmp_path / "corpus")
    assert list(dict.fromkeys(table["language"])) == ["en", "zh", "es", "oc"]
    wide = table.pivot(index="pair", columns="language", values="negative")
    english = built_in("harmfulness")["negative"].tolist()
    for _, row in wide.iterrows():
        assert row["zh"][:-1] == built_in("harmfulness", "zh")["negative"][english.index(row["en"])][:-1]


def test_a_limit_is_kept_and_levelled(tmp_path):
    made = convert("toxigen", write_toxigen(tmp_path), tmp_path / "corpus", limit=8)
    assert 2 <= made["toxicity", "en"] <= 8 and check_corpus(tmp_path / "corpus").errors == []
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
        ("polyrefuse", "harmful_train_translated_de.json", "[]", "expected PolyRefuse's folder"),
        ("advbench", "a.csv", "goal\nOnly one goal here\n", "expected at least two"),
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


def test_malformed_polyrefuse_and_unequal_lengths_are_named(tmp_path):
    folder = write_polyrefuse(tmp_path)
    entries = json.loads((folder / "harmful_val_translated_es.json").read_text())
    (folder / "harmful_val_translated_es.json").write_text(json.dumps(entries[1:]))
    with pytest.raises(CorpusError, match="the harmful val files of the languages differ in length"):
        convert("polyrefuse", folder, tmp_path / "corpus")
    (folder / "harmful_val_translated_es.json").write_text('["bare"]')
    with pytest.raises(CorpusError, match=r"harmful_val_translated_es.json is not in PolyRefuse's form"):
        convert("polyrefuse", folder, tmp_path / "corpus")


def test_an_unknown_source_and_a_folder_in_the_way_are_refused(tmp_path):
    with pytest.raises(ValueError, match="unknown source 'wikipedia': choose one of ethics"):
        convert("wikipedia", tmp_path, tmp_path / "corpus")
    with pytest.raises(CorpusError, match="exists"):
        convert("advbench", write_advbench(tmp_path), tmp_path)
