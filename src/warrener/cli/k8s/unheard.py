"""Options that say nothing beside others: each is refused in a sentence, and none is passed over in silence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import click
from click.core import ParameterSource

from warrener.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

_IS_LATER: Final = "is for a batch that is waited for"
_BEGINS_ANEW: Final = (
    "is for a batch that runs now: each run of a --schedule drops what is on its queue, and begins anew"
)
BESIDE_SCHEDULE: Final = {
    "output": f"{_IS_LATER}: the rows of each run of a --schedule come into /data/results/JOB.jsonl on the volume of --volume; "
    "without one they stay on the queue, for `warrener results`",
    "form": f"{_IS_LATER}: the rows of each run of a --schedule are lines of JSON; `warrener results --format` writes others",
    "report_file": f"{_IS_LATER}: each run of a --schedule keeps one beside its rows, with --volume",
    "share": _BEGINS_ANEW,
    "fresh": _BEGINS_ANEW,
}
"""Why `submit` takes no such parameter with --schedule."""

_OF_TASKS: Final = (
    "says which tasks each run of a --schedule has: give that, too, or publish tasks with `warrener publish`"
)
WITHOUT_SCHEDULE: Final = {
    **dict.fromkeys(("tasks", "task_type", "id", "priority", "type_column", "delimiter"), _OF_TASKS),
    **dict.fromkeys(("skip_invalid", "invalid"), _OF_TASKS),
    "max_failures": "goes with --schedule",
}
"""Why `render` takes no such parameter without --schedule."""


def refuse_typed(reasons: Mapping[str, str]) -> None:
    """Refuse those parameters of the command that runs which were typed.

    Args:
        reasons: By parameter, what follows its name in the sentence.

    Raises:
        UsageError: One of them was.
    """
    context = click.get_current_context()
    for parameter in context.command.params:
        name = parameter.name or ""
        if name in reasons and context.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            raise UsageError(f"{max(parameter.opts, key=len)} {reasons[name]}")
