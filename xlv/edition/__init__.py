"""From results to a book: notebooks executed by papermill, Jupyter Book, the audit card."""
