"""Results as they are stored, of states with a known structure."""

from tests.questions.conftest import consistency, recognition, results

__all__ = ["consistency", "recognition", "results"]
