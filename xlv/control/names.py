"""What the conditions of question 4 are called: by their effect, never by a sign."""

BASELINE = "no control"
REFUSING, FOLLOWING = "towards refusing", "towards following"
DIRECTIONS = (REFUSING, FOLLOWING)
KINDS = ("harmful", "harmless")
REFUSAL, ANSWER, BROKEN = "refusal", "non-refusal", "broken"
OUTCOMES = (ANSWER, REFUSAL, BROKEN)

# By what means a condition acts.
NOTHING, SOURCE, OTHER_SOURCE, OWN = "nothing", "source vector", "other source's vector", "own vector"
OTHER_CONCEPT, RANDOM, ABLATION, SYSTEM = "other concept's vector", "random vector", "ablation", "system prompt"
