"""Speed and memory measured against the paper's code and against peers, in one run: `make bench`."""
