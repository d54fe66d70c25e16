"""xlv: are the value concepts inside a language model consistent, transferable and controllable across languages?

The names below are what a notebook needs; each is loaded when it is first used.
"""

from importlib import import_module

__version__ = "0.2.0"

_HOMES = {
    "load_model": "xlv.models.load",
    "load_pairs": "xlv.corpus.pairs",
    "extract": "xlv.models.activations",
    "ConceptVectors": "xlv.models.vectors",
    "concept_vectors": "xlv.models.vectors",
    "recognition": "xlv.questions.recognition.accuracy",
    "consistency": "xlv.questions.consistency.cosines",
    "transferability": "xlv.questions.transfer.one_way",
    "steer": "xlv.models.steering",
    "Gate": "xlv.models.steering",
    "generate": "xlv.models.decoding",
    "run_study": "xlv.study",
    "run_control": "xlv.study",
    "Profile": "xlv.profiles",
    "open_results": "xlv.edition.notebook",
    "open_chat": "xlv.edition.notebook",
    "open_example": "xlv.edition.notebook",
    "open_ledger": "xlv.edition.notebook",
    "check_parameters": "xlv.edition.notebook",
}
__all__ = ["__version__", *_HOMES]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'xlv' has no attribute {name!r}: it offers {', '.join(_HOMES)}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
