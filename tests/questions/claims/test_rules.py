from xlv.questions.claims import rules
from xlv.questions.claims.rules import CLAIMS, GATE, GATED, RULES


def test_every_claim_has_a_rule_that_names_its_verdicts():
    assert set(CLAIMS) == set(RULES) == set(range(1, 9))
    assert all("olds if" in rule and "does not hold" in rule for number, rule in RULES.items() if number not in (5,))


def test_rules_say_the_numbers_by_which_is_judged():
    said = {1: (rules.READ,), 3: (rules.ALIKE,), 5: (rules.MARGIN, rules.ONE_WAY_P), 6: (rules.MARGIN,)}
    said |= {7: (rules.MARGIN,), 8: (*rules.ROOM, rules.SHIFT)}
    for claim, numbers in said.items():
        assert all(f"{number:g}" in RULES[claim] for number in numbers), claim
    assert (rules.MANY * 16, rules.FEW * 16) == (12, 4) and "(12 of 16)" in RULES[1] and "(4 of 16)" in RULES[1]
    assert f"{rules.RELIABLE:g}" in GATE


def test_the_gate_is_on_the_claims_that_compare_vectors_across_languages():
    assert GATED == tuple(range(3, 8)) and "Claims 3 to 7" in GATE


def test_eight_claims_together_cover_in_95_of_100_cases():
    assert 1 - len(CLAIMS) * (1 - rules.LEVEL) >= 0.95 - 1e-12


def test_rules_are_written_without_line_breaks():
    assert all(text == " ".join(text.split()) for text in (*RULES.values(), GATE))
