"""Files of results: written whole or not at all, or to stdout."""

from warrener.writers.formats import FORMULA, Format, checked_format, csv_cell, csv_line
from warrener.writers.opening import opened
from warrener.writers.writer import ResultWriter

__all__ = ["FORMULA", "Format", "ResultWriter", "checked_format", "csv_cell", "csv_line", "opened"]
