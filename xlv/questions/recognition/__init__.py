"""Question 1: are value concepts encoded? Recognition accuracy and what it is held against."""
