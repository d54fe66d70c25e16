"""`python -m xlv.cli`: the command line where `xlv` is not on the path."""

from xlv.cli import main

if __name__ == "__main__":  # not in a process that multiprocessing starts
    main()
