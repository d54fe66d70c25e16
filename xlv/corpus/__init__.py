"""Contrastive pairs about values in sixteen languages, and the means to read and check anybody's."""
