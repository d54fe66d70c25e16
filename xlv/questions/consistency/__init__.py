"""Question 2: are concepts consistent across languages, and do they keep linguistic relationships?"""
