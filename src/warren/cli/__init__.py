"""The command line: one file per verb, each of them parsing, calling the library and printing."""

from __future__ import annotations

from warren.cli.main import main

__all__ = ["main"]
