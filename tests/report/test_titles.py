from xlv.report.titles import told_apart


def test_titles_are_short_where_that_tells_models_apart():
    assert told_apart(["Model A (Q4_1)", "Model B"]) == ["Model A", "Model B"]


def test_titles_are_whole_where_two_would_be_the_same():
    assert told_apart(["Model A (Q4_1)", "Model A (Q8_0)"]) == ["Model A\n(Q4_1)", "Model A\n(Q8_0)"]
