import pytest

from xlv.questions import as_published as tables
from xlv.report import as_published


@pytest.fixture
def published(recognition):
    """Results as the authors publish them: accuracies of their protocol only."""
    return recognition[["accuracy"]].sel(protocol=["paper"]).assign_attrs(title="Theirs (published)", published="x")


def test_published_results_stand_beside_ours_under_their_whole_titles(recognition, consistency, published):
    maps = as_published.transfer_maps({"ours": recognition, "theirs": published})
    assert [axes.get_title() for axes in maps.axes[:2]] == ["My model", "Theirs (published)"]
    assert "Theirs (published)" in maps.numbers
    assert as_published.cosine_maps({"ours": consistency}).axes[0].get_title() == "My model"


def test_the_answer_has_a_cosine_where_there_are_vectors_and_says_where_nothing_was_imported(
    recognition, consistency, published
):
    words = as_published.answer({"ours": recognition, "theirs": published}, {"ours": consistency})
    row = tables.summary({"ours": recognition}, {"ours": consistency}).loc["My model"]
    assert f"**My model**: own accuracy {row['own']:.2f}, across languages {row['across']:.2f}; mean cosine" in words
    assert words.splitlines()[1].count("cosine") == 0 and "import-results" not in words and "nan" not in words
    assert "xlv import-results" in as_published.answer({"ours": recognition}, {"ours": consistency})
