"""Random input to what reads input, from seeds: a sample of what `make fuzz` tries at full size.

What a user hands over is either read or refused in one line, never answered with another error; what is fast equals
what is plain.
"""

import json
import random

import numpy as np
import pytest
import torch

from xlv.batch.spec import read_spec
from xlv.corpus.pairs import COLUMNS, CorpusError, full_texts, load_pairs
from xlv.models.activations import extract
from xlv.models.fast.rows import batches, many_a_row, one_a_row, sheet
from xlv.models.vectors import ConceptVectors
from xlv.questions.recognition.accuracy import cross_validated
from xlv.statistics.resampling import partitions
from xlv.statistics.vectors import concept_vectors, hits

pytestmark = pytest.mark.fuzz
PIECES = (
    b"\t",
    b"\n",
    b"\r",
    b'"',
    b"\x00",
    b"\xff",
    b"\xef\xbb\xbf",
    b"{}",
    b"[",
    b": ",
    b"- ",
    b"id",
    b"1e999",
    b"\xc2\x85",
)


def damaged(dice: random.Random, data: bytes) -> bytes:
    """Some bytes with one to four faults: a byte changed, a stretch lost, repeated or moved, a piece put in."""
    for _ in range(dice.randint(1, 4)):
        start, stop = sorted(dice.choices(range(len(data) + 1), k=2))
        stop = min(stop, start + 40)
        fault = dice.choice(("change", "lose", "repeat", "move", "put in", "end"))
        if fault == "change":
            data = data[:start] + bytes([dice.randrange(256)]) + data[start + 1 :]
        elif fault == "lose":
            data = data[:start] + data[stop:]
        elif fault == "repeat":
            data = data[:stop] + data[start:]
        elif fault == "move":
            data = data[stop:] + data[start:stop] + data[:start]
        elif fault == "put in":
            data = data[:start] + dice.choice(PIECES) + data[start:]
        else:
            data = data[:stop]
    return data


def with_other_columns(dice: random.Random, data: bytes) -> bytes:
    """A table one column of which is lost, repeated or given another name, in every row."""
    rows = [line.split(b"\t") for line in data.split(b"\n")]
    place, fault = dice.randrange(len(rows[0])), dice.choice(("lose", "repeat", "rename"))
    for row in rows:
        row[place : place + 1] = {"lose": [], "repeat": [row[place]] * 2, "rename": [row[place]]}[fault]
    if fault == "rename":
        rows[0][place] = dice.choice((b"id", b"pair", b"concept", b"language", b"origin", b"", b" positive"))
    return b"\n".join(map(b"\t".join, rows))


def refused_in_one_line(error: ValueError) -> bool:
    return 10 < len(str(error)) and "\n" not in str(error)


def corpus(folder, form: str) -> dict[str, bytes]:
    """Files of a small corpus by name, in our layout or in the authors'."""
    texts = [(f"{k:02d}", f"g{k // 2}", "user", f"Task {k}.", f"I helped {k}.", f"I mocked {k}.") for k in range(4)]
    if form == "tsv":
        lines = ["\t".join(row) for row in [("id", "group", "origin", "context", "positive", "negative"), *texts]]
        return {f"{code}.tsv": "\n".join(lines).encode() for code in ("en", "fr")}
    entries = {"a": {row[0]: {"question": row[3], "pos": row[4], "neg": row[5]} for row in texts}}
    return {f"truthfulness_{code}.json": json.dumps(entries).encode() for code in ("en", "fr")}


@pytest.mark.parametrize("form", ["tsv", "json"])
def test_a_damaged_corpus_is_read_or_refused_in_one_line(tmp_path, runs, form):
    folder = tmp_path / "truthfulness"
    folder.mkdir()
    files = corpus(folder, form)
    outcomes = set()
    for seed in range(runs(20_000, sample=300)):
        dice = random.Random(seed)
        for name, data in files.items():
            if form == "tsv" and dice.random() < 0.2:
                data = with_other_columns(dice, data)
            (folder / name).write_bytes(damaged(dice, data) if dice.random() < 0.6 else data)
        try:
            table = load_pairs(data=tmp_path)
        except CorpusError as error:
            assert refused_in_one_line(error), f"seed {seed}: {error}"
            outcomes.add("refused")
        else:
            assert list(table.columns) == list(COLUMNS) and len(table) % 2 == 0, f"seed {seed}"
            assert all(text.strip() for side in full_texts(table) for text in side), f"seed {seed}"
            outcomes.add("read")
    assert outcomes == {"read", "refused"}


SPEC = """
out: build/batch
notebooks: [q1_recognition, q3_transfer]
matrix:
  models: [smollm2-135m, gemma-3-270m]
  seed: [0, 1]
exclude:
  - {models: gemma-3-270m, seed: 1}
parameters: {profile: quick, pairs: 8}
needs: {memory: 2 GB, time: 30 min}
overrides:
  - {where: {seed: 1}, needs: {threads: 2}}
retries: 1
"""


def test_a_damaged_spec_is_read_or_refused_in_one_line(tmp_path, runs):
    path, outcomes = tmp_path / "spec.yaml", set()
    for seed in range(runs(5_000, sample=60)):
        path.write_bytes(damaged(random.Random(seed), SPEC.encode()))
        try:
            spec = read_spec(path)
        except ValueError as error:
            assert refused_in_one_line(error) and str(error).startswith(f"{path}: "), f"seed {seed}: {error}"
            outcomes.add("refused")
        else:
            assert spec.matrix and all(spec.matrix.values()), f"seed {seed}"
            outcomes.add("read")
    assert outcomes == {"read", "refused"}


def test_a_damaged_file_of_vectors_is_read_or_refused_in_one_line(tmp_path, runs):
    origin = {"model": "m", "concept": "fairness", "language": "sw", "texts": "0123"}
    path = tmp_path / "vectors.safetensors"
    ConceptVectors({k: torch.ones(4) for k in (1, 2, 3)}, {1: 1.0, 2: 2.0, 3: 3.0}, origin).save(path)
    whole = path.read_bytes()
    for seed in range(runs(20_000, sample=300)):
        path.write_bytes(damaged(random.Random(seed), whole))
        try:
            vectors = ConceptVectors.load(path)
        except ValueError as error:
            assert refused_in_one_line(error), f"seed {seed}: {error}"
        else:
            assert vectors.layers.keys() == vectors.norms.keys(), f"seed {seed}"


def texts_as_ids(dice: random.Random) -> list[list[int]]:
    """Texts of one to twelve tokens, many of which begin alike or are one another's beginnings."""
    found = [[dice.randint(1, 9) for _ in range(dice.randint(1, 12))]]
    for _ in range(dice.randint(0, 12)):
        before = dice.choice(found)
        found.append(before[: dice.randint(0, len(before))] + [dice.randint(1, 9) for _ in range(dice.randint(0, 4))])
    return [ids or [dice.randint(1, 9)] for ids in found]


def test_every_text_stands_in_its_row_as_it_would_alone(runs):
    for seed in range(runs(20_000, sample=200)):
        dice = random.Random(seed)
        ids, layout = texts_as_ids(dice), dice.choice((one_a_row, many_a_row))
        parts = list(batches(ids, range(len(ids)), dice.randint(1, 60), layout, dice.randint(1, 3)))
        assert sorted(i for part in parts for row in part for i in row) == list(range(len(ids))), f"seed {seed}"
        for part in parts:
            inputs, texts, rows, paths = sheet(ids, part, 0, torch.ones(1))
            for i, row, path in zip(texts, rows, paths, strict=True):
                assert inputs["input_ids"][row, path].tolist() == ids[i], f"seed {seed}"
                if "position_ids" not in inputs:
                    assert path == list(range(len(ids[i]))), f"seed {seed}"
                    continue
                assert inputs["position_ids"][row, path].tolist() == list(range(len(ids[i]))), f"seed {seed}"
                for place, token in enumerate(path):
                    sees = torch.nonzero(inputs["attention_mask"][row, 0, token] == 0)[:, 0].tolist()
                    assert sees == sorted(path[: place + 1]), f"seed {seed}"


@pytest.mark.parametrize("architecture", ["llama", "gemma3", "bloom"])
def test_the_fast_reader_equals_the_plain_one(tiny, runs, architecture):
    model = tiny(architecture)
    words = ["I", "paid", "my", "neighbour", "for", "nothing", "നന്ദി", "谢谢", "!", "42"]
    for seed in range(runs(300, sample=4)):
        dice = random.Random(seed)
        texts = [" ".join(dice.choices(words, k=dice.randint(1, 12))) for _ in range(dice.randint(1, 8))]
        texts += [f"{dice.choice(texts)} {dice.choice(words)}" for _ in range(dice.randint(0, 4))]
        fast = extract(model, texts, token_budget=dice.choice((None, 16, 64)))
        torch.testing.assert_close(fast, extract(model, texts, fast=False), atol=1e-4, rtol=1e-4, msg=f"seed {seed}")


def test_the_accuracy_of_gram_matrices_is_that_of_explicit_vectors(runs):
    for seed in range(runs(2_000, sample=20)):
        draw = np.random.default_rng(seed)
        n_languages, n_pairs, n_layers, width = draw.integers(1, 4), draw.integers(6, 15), 2, draw.integers(2, 8)
        groups = np.sort(draw.integers(0, n_pairs // 2, n_pairs))
        if len(np.unique(groups)) < 2:
            continue
        groups = np.unique(groups, return_inverse=True)[1]
        states = draw.normal(size=(n_layers, 2, n_languages, n_pairs, width)) + draw.normal(size=width)
        differences = states[:, 0] - states[:, 1]
        found = cross_validated(differences, groups, n_partitions=2)
        folds = partitions(groups, n_folds=8, n_partitions=2)
        for layer, part in enumerate(differences):
            by_hand = np.zeros((n_languages, n_languages))
            for fold_of in folds:
                for pair in range(n_pairs):
                    trained = states[layer][:, :, fold_of != fold_of[pair]]
                    vectors = [concept_vectors(*trained[:, language]) for language in range(n_languages)]
                    by_hand += hits(np.round(vectors @ part[:, pair].T, 6))
            np.testing.assert_allclose(
                found.accuracy[:, :, layer], by_hand / (len(folds) * n_pairs), atol=1e-6, err_msg=f"seed {seed}"
            )
