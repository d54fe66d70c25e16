"""Batches: a matrix of runs on one machine or a cluster, and one book that compares them."""
