"""xlv: are the value concepts inside a language model consistent, transferable and controllable across languages?"""

__version__ = "0.1.0"
