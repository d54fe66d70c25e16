from xlv.corpus.concepts import CONCEPTS, CONTROLS, VALUES
from xlv.corpus.pairs import concepts_in


def test_seven_values_and_two_controls_are_those_of_the_built_in_corpus():
    assert (len(VALUES), CONTROLS) == (7, ("sentiment", "tense"))
    assert [*CONCEPTS] == [*VALUES, *CONTROLS] == concepts_in()


def test_each_concept_says_what_its_two_sides_are():
    sides = [side for concept in CONCEPTS.values() for side in (concept.positive, concept.negative)]
    assert all(sides) and len(set(sides)) == len(sides)
    assert CONCEPTS["harmfulness"].positive == "a harmless instruction"  # positive is the side of the value
