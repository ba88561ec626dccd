"""Files of tasks: JSONL and tables, read line by line and never held whole; and small JSON arrays."""

from warrener.sources.given import given_tasks
from warrener.sources.opening import STDIN
from warrener.sources.plan import count_lines, is_table
from warrener.sources.source import InvalidLine, Line, read
from warrener.sources.table import TableOptions

__all__ = ["STDIN", "InvalidLine", "Line", "TableOptions", "count_lines", "given_tasks", "is_table", "read"]
