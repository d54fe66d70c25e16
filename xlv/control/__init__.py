"""Question 4: steering refusals across languages, and judging what comes out."""
