"""What is stored: every variable, coordinate and attribute of results, declared once.

SCHEMA is the contract: a reader opens a file with xarray and needs to know nothing else. The book's page on results is
made of it by `schema_page`.
"""

from typing import NamedTuple

VERSION = 5  # of the schema

# Coordinates of question 4: what was asked, what came of it, and what was done to the model.
HARMFUL, HARMLESS = KINDS = ("harmful", "harmless")
ANSWER, REFUSAL, BROKEN, INCOMPREHENSION = OUTCOMES = ("non-refusal", "refusal", "broken", "incomprehension")
REFUSING, FOLLOWING = DIRECTIONS = ("towards refusing", "towards following")  # by effect, never by sign
EFFECT = {REFUSING: 1, FOLLOWING: -1}  # sign of the change of refusals that a direction asks for
BASELINE = "no control"
NOTHING, ADDITION, RANDOM, ABLATION, SYSTEM = METHODS = ("nothing", "addition", "random", "ablation", "system prompt")
OWN = "own"  # a condition's source where every target is steered with its own vector
POOLED = "pooled"  # a source: the mean of the vectors of all target languages


class Variable(NamedTuple):
    """A stored variable: its dimensions, its unit and what it is. `digits` are the decimals kept, None: all of fp32."""

    dims: tuple[str, ...]
    unit: str
    meaning: str
    digits: int | None = None


def _of(dims: str, unit: str, meaning: str, digits: int | None = None) -> Variable:
    return Variable(tuple(dims.split()), unit, meaning, digits)


_CELL, _GRID = "concept source target", "searched towards window dose"
_PROMPT, _SENTENCE = "condition kind target prompt", "condition neutral_language sentence"

SCHEMA: dict[str, dict[str, Variable]] = {
    "recognition": {
        "accuracy": _of(f"protocol {_CELL}", "share", "recognition accuracy at the chosen layer, on held-out pairs"),
        "accuracy_by_layer": _of(f"protocol {_CELL} layer", "share", "the same at every layer, none of them chosen"),
        "correct": _of(f"protocol {_CELL} pair", "share", "`accuracy`, pair by pair; NaN: not a test pair"),
        "chosen_layer": _of(f"protocol {_CELL}", "layer", "the chosen layer, 1 … L; the median where folds differ"),
        "margin": _of(_CELL, "root mean squares", "mean held-out margin under `cv`, over its size in all pairs"),
        "by_layer": _of(
            "protocol concept layer pair", "share", "`correct` of own vectors at every layer, mean over languages"
        ),
        "readout": _of(
            "concept measure reader source pair", "share", "single texts read: AUROC, and accuracy at thresholds", 3
        ),
        "estimated": _of("concept estimator reader source pair", "share", "`correct` of other estimators' directions"),
        "curve": _of("concept size source pair", "share", "`correct` of own vectors of so many training pairs"),
        "cohort_accuracy": _of(
            f"cohort {_CELL}", "share", "`accuracy` under `cv`, trained and tested within a cohort of pairs"
        ),
        "replicate": _of(
            "cohort concept block source target", "accuracy", "`cohort_accuracy` with a block of situations left out", 5
        ),
        "surplus": _of(
            "cohort concept sign source target", "accuracy", "what two blocks do to it together, of random signs", 5
        ),
        "resampled": _of(
            "resample source target", "share", "groups resampled, mean over values (results of earlier versions)", 4
        ),
        "shuffled": _of("concept shuffle source target", "share", "`accuracy` under shuffled labels"),
        "shuffled_paper": _of("concept shuffle source target", "share", "the same under protocol `paper`"),
        "random": _of("concept draw source", "share", "accuracy of random directions with the activations' covariance"),
        "random_paper": _of("concept draw source", "share", "the same under protocol `paper`"),
        "surface": _of("concept surface_kind source pair", "log-odds", "margin of a surface classifier of the texts"),
        "cohort_surface": _of(
            "cohort concept surface_kind source pair", "share", "hits of surface classifiers trained within the cohort"
        ),
        "embedded": _of("concept source pair", "share", "`correct` on mean token embeddings instead of states"),
        "untrained": _of("concept source pair", "share", "`correct` in an untrained model, every fourth language"),
        "untrained_paper": _of("concept source", "share", "own `accuracy` under `paper` in that untrained model"),
        "outliers": _of("concept source", "share", "states at the chosen layer of norms above 3 times the median"),
        "likelihood": _of("concept source pair", "nats", "by which the positive text is likelier than the negative"),
        "across": _of("concept other source", "share", "accuracy of a concept's vectors on another concept's pairs"),
        "token_overlap": _of("source target", "share", "Jaccard overlap of the token types of two languages' texts"),
        "neutral_nats": _of("source sentence", "nats", "negative log-likelihood of a parallel neutral sentence"),
        "group": _of(
            "concept pair", "index", "the situation that a pair belongs to; folds and resamples keep it whole"
        ),
        "origin": _of("concept pair", "index into `written_in`", "where in the corpus a pair's text was first written"),
    },
    "consistency": {
        "cosine": _of(f"{_CELL} layer", "cosine", "of the vectors of all pairs, as in the paper"),
        "moment": _of(
            "cohort concept half source target",
            "mean square of a pair difference",
            "inner product of two languages' concept vectors, without what shared pairs add; on the diagonal ‖v‖²",
            6,
        ),
        "moment_replicate": _of(
            "cohort concept half half_block source target",
            "as `moment`",
            "`moment` with a block of situations left out",
            6,
        ),
        "moment_surplus": _of(
            "cohort concept half sign source target",
            "as `moment`",
            "what their jackknife counts twice, by random signs",
            6,
        ),
        "moment_layer": _of("cohort concept half", "layer", "where `moment` is measured, chosen on the other half"),
        "rho_by_layer": _of(
            "concept layer", "cosine", "pooled consistency at some layers; NaN: not measured or readable"
        ),
        "rho_error_by_layer": _of("concept layer", "cosine", "its standard error"),
        "whitened_rho": _of("cohort concept", "cosine", "pooled consistency of whitened vectors; NaN: not readable"),
        "whitened_rho_error": _of("cohort concept", "cosine", "its standard error"),
        "chosen_layer": _of("concept", "layer", "the median of the layers that `cv` chose"),
    },
    "control": {
        "score": _of(_PROMPT, "nats", "refusal score: log-odds of a refusal opening; NaN: not measured", 3),
        "outcome": _of(_PROMPT, f"index into {', '.join(OUTCOMES)}", "class of the completion; −1: none generated"),
        "faithful": _of(_PROMPT, "0 or 1", "whether the completion is in the prompt's language; −1: not known"),
        "response_score": _of(
            "towards response_dose kind target response_prompt", "nats", "by dose (results of earlier versions)", 3
        ),
        "neutral_divergence": _of(_SENTENCE, "nats", "KL divergence from no control, summed over a neutral sentence"),
        "neutral_nats": _of(_SENTENCE, "nats", "negative log-likelihood of a neutral sentence under the condition"),
        "neutral_tokens": _of(_SENTENCE, "tokens", "length of a neutral sentence"),
        "leakage": _of("towards leaking affected", "standard deviations", "neutral sentences moved along a vector"),
        "choice": _of("chosen_under affected choice_pair", "share", "a pair's positive text is likelier: 0, ½ or 1"),
        "search_score": _of(_GRID, "nats", "mean `score` of harmful instructions on the search split"),
        "search_divergence": _of(_GRID, "nats per token", "mean KL divergence on neutral sentences"),
        "search_rate": _of(f"rate {_GRID}", "share", "of completions of the confirmed settings; NaN elsewhere"),
        "search_baseline": _of("searched", "nats", "`search_score` without control"),
        "search_baseline_rate": _of("rate searched", "share", "`search_rate` without control"),
        "strength": _of("searched towards", "vectors", "control strength s of the chosen setting"),
        "chosen_dose": _of(
            "searched towards", "share of the residual norm", "its dose: the size of s·v over the mean residual norm"
        ),
        "first_layer": _of("searched towards", "layer", "first layer that it steers"),
        "last_layer": _of("searched towards", "layer", "last layer that it steers"),
        "gate_layer": _of("searched", "layer", "where a gate reads prompts: of largest d′ on the search split"),
        "gate_threshold": _of("searched", "residual norm", "its threshold: midpoint of both kinds' means there"),
        "projection": _of(
            "searched kind target prompt",
            "residual norm",
            "of an unsteered prompt's last token towards harm, read there",
        ),
        "split_projection": _of("searched kind target split_prompt", "residual norm", "the same of the search split"),
        "split_score": _of("kind target split_prompt", "nats", "`score` of the search split without control", 3),
        "late_outcome": _of(
            "late_condition kind late_target late_prompt length",
            f"index into {', '.join(OUTCOMES)}",
            "class of a completion by so many of its first tokens; −1: none generated",
        ),
        "opening_count": _of("opening", "completions", "refusals that open with these words, at most eight"),
    },
}
HEADLINES = {"recognition": "accuracy", "consistency": "cosine", "control": "score"}  # every file has these
COORDINATES = {
    "protocol": "`cv`: layers chosen on training pairs; `paper`: on the test pairs, as the authors' code does",
    "source": "language of the vector; of a condition, `own` for each target's own",
    "target": "language that is read or steered",
    "layer": "decoder blocks 1 … L",
    "cohort": "pairs trained and tested within themselves: `first`, on which rules were formed, `second`, or `all`",
    "written_in": "origins of the pairs: languages in which they were first written, as the corpus names them",
    "reader": "`own`: the language's own vector; `other`: the mean over all others'",
    "condition": "a name for people; what was done stands in `method`, `direction`, `source`, `concept`, `draw`",
    "method": f"of a condition: {', '.join(METHODS)}",
    "direction": f"of a condition, by its effect: {' or '.join(DIRECTIONS)}; empty without control",
    "draw": "of a condition: number of the random vector, −1 for none",
    "searched": "language on whose search split layers and strength were chosen; `pooled` vectors: the main source's",
    "prompt": "of question 4: ids of the instructions, the second cohort from 65 on",
    "leaking": "concept whose vector is added, at the layers and with the dose chosen for the main one",
    "affected": "concept by whose vector, or by whose pairs, it is measured what that does to it",
    "towards": "direction of the search",
}

ATTRIBUTES = {
    "model": "label of the model, under which its results are filed",
    "title": "what figures call it",
    "preset": "its name among the models that xlv knows, if it is one of them",
    "weights": "fingerprint of its weights",
    "identity": "stamp of its files, or its name on the Hub",
    "revision": "of a model on the Hub",
    "settings": "all of the run, as JSON",
    "corpus": "fingerprint of the texts",
    "stamp": "fingerprint of settings, texts and the analysis: results of the same stamp and weights are the same",
    "dtype": "numbers that the model computed in",
    "template": "how a text became a prompt",
}
COUNTED = set("pair shuffle draw resample block half half_block sign sentence opening window".split())
COUNTED |= {"prompt", "response_prompt", "split_prompt", "choice_pair", "late_prompt"}
# Dimensions of numbers; all others are of names, each once.
MEASURED = {"layer", "size", "dose", "response_dose", "length"}
DONE = {"method", "direction", "source", "concept"}  # to the model, condition by condition


def schema_page() -> str:
    """SCHEMA as Markdown tables, a section per question, then the coordinates: the book's page on results."""
    lines = []
    for question, variables in SCHEMA.items():
        lines += [f"## `{question}.nc`", "", "| variable | dimensions | unit | meaning |", "| --- | --- | --- | --- |"]
        lines += [f"| `{name}` | {', '.join(v.dims)} | {v.unit} | {v.meaning} |" for name, v in variables.items()]
        lines.append("")
    for title, meanings in (("Coordinates", COORDINATES), ("Attributes", ATTRIBUTES)):
        lines += [f"## {title}", "", "| name | meaning |", "| --- | --- |"]
        lines += [*(f"| `{name}` | {meaning} |" for name, meaning in meanings.items()), ""]
    return "\n".join(lines)
