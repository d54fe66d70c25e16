from xlv.control.journal import Journal


def test_only_missing_items_are_measured_and_all_are_remembered(tmp_path):
    asked = []

    def measure(indices):
        asked.append(list(indices))
        return [10 * i for i in indices]

    journal = Journal(tmp_path / "j.jsonl")
    assert journal.recall("cell", ["a", "b"], measure) == [0, 10]
    assert journal.recall("cell", ["a", "c", "b"], measure) == [0, 10, 10]
    assert Journal(tmp_path / "j.jsonl").recall("cell", ["c", "b"], measure) == [10, 10]
    assert asked == [[0, 1], [1]]


def test_a_value_that_holds_too_little_is_measured_again(tmp_path):
    journal = Journal(tmp_path / "j.jsonl")
    journal.recall("cell", ["a"], lambda _: [[1.0, None]])
    full = journal.recall("cell", ["a"], lambda _: [[1.0, "refusal"]], enough=lambda value: value[1] is not None)
    assert full == [[1.0, "refusal"]] == Journal(tmp_path / "j.jsonl").recall("cell", ["a"], lambda _: [])


def test_a_line_cut_short_costs_that_line_only(tmp_path):
    path = tmp_path / "j.jsonl"
    Journal(path).recall("one", ["a"], lambda _: [1])
    path.write_text(path.read_text() + '["two", {"a"')
    Journal(path).recall("three", ["a"], lambda _: [3])
    again = Journal(path)
    assert again.known["one"] == {"a": 1} and again.known["three"] == {"a": 3} and "two" not in again.known
