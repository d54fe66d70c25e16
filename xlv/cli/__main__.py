"""`python -m xlv.cli`: the command line where `xlv` is not on the path."""

from xlv.cli import main

main()
