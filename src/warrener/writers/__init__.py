"""Files of results: written whole or not at all, or to stdout."""

from warrener.writers.formats import Format, checked_format
from warrener.writers.opening import opened
from warrener.writers.writer import ResultWriter

__all__ = ["Format", "ResultWriter", "checked_format", "opened"]
