"""Question 4: what control does to refusals, read from what `xlv.control` stored."""
