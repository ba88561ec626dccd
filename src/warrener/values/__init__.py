"""What values are as JSON, in both directions: the data of tasks and the results of handlers follow one table.

The table is in `docs/handlers.md`. What it does not have is refused, and nothing is changed silently on its way. The
library that a type belongs to is used only where a value or an annotation brings it.
"""
