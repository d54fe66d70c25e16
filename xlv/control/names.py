"""What the conditions of question 4 are called: by their effect, never by a sign."""

BASELINE = "no control"
REFUSING, FOLLOWING = "towards refusing", "towards following"
DIRECTIONS = (REFUSING, FOLLOWING)
KINDS = ("harmful", "harmless")
REFUSAL, ANSWER, BROKEN = "refusal", "non-refusal", "broken"
OUTCOMES = (ANSWER, REFUSAL, BROKEN)
