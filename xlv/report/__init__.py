"""Results on disk, the figures made of them, and the book made of the figures."""
