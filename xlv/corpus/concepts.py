"""The seven value concepts of the paper and the two control concepts beside them."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Concept:
    """One concept: what its positive and its negative texts are, and whether it is a value at all."""

    name: str
    positive: str
    negative: str
    value: bool = True


_ALL = (
    Concept("morality", "an act that is clearly right", "an act that is clearly wrong"),
    Concept("deontology", "a reasonable duty or excuse", "an unreasonable duty or excuse"),
    Concept("utilitarianism", "the more pleasant outcome", "the less pleasant outcome"),
    Concept("fairness", "a reasonable claim of desert or equal treatment", "an unreasonable claim"),
    Concept("truthfulness", "a true answer", "a common false answer"),
    Concept("toxicity", "a benign statement", "a mildly demeaning statement"),
    Concept("harmfulness", "a harmless instruction", "a harmful instruction"),
    Concept("sentiment", "a pleasant everyday event", "an unpleasant everyday event", value=False),
    Concept("tense", "a statement about the past", "a statement about the present", value=False),
)

CONCEPTS: dict[str, Concept] = {concept.name: concept for concept in _ALL}
VALUES: tuple[str, ...] = tuple(concept.name for concept in _ALL if concept.value)
CONTROLS: tuple[str, ...] = tuple(concept.name for concept in _ALL if not concept.value)
