"""`python -m warren`."""

from warren.cli import main

main()
