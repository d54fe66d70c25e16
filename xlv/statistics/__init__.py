"""Arrays and resampling that every question shares: concept vectors, Gram matrices, folds, intervals, threads."""
