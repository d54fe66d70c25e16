"""Question 3: do concepts transfer, and in which direction?"""
