"""Results as they are stored, of a tiny model."""

from tests.control.measured import found

__all__ = ["found"]
