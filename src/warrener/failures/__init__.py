"""Failed tasks: chosen, read, grouped, written as a table, and taken out again to be retried or discarded."""

from warrener.failures.choice import Choice, Where, compiled
from warrener.failures.grouping import Group, Groups
from warrener.failures.reading import grouped, in_batches, read
from warrener.failures.table import write_table
from warrener.failures.taking import Taken, discard, preview, retry

__all__ = [
    "Choice",
    "Group",
    "Groups",
    "Taken",
    "Where",
    "compiled",
    "discard",
    "grouped",
    "in_batches",
    "preview",
    "read",
    "retry",
    "write_table",
]
