"""Other people's data in our terms: published data sets, MVALUE, the authors' result files."""
