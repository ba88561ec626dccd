"""Files of tasks: JSONL and CSV, read line by line and never held whole."""

from warrener.sources.opening import STDIN
from warrener.sources.source import Line, read

__all__ = ["STDIN", "Line", "read"]
