"""Results as they are stored, of states with a known structure."""

from tests.control.measured import found
from tests.questions.conftest import consistency, recognition, results

__all__ = ["consistency", "found", "recognition", "results"]
