"""What makes reading fast: several texts in a row, attention for many short rows, no work that nobody reads."""
