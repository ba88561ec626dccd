"""`python -m warrener`."""

from warrener.cli import main

main()
