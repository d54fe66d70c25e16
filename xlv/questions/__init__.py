"""The four questions and the claims: arrays in; Datasets and tables out. Nothing here knows a model."""
