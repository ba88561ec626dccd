"""The options of verbs that have a batch run by itself, again and again."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, Final

import click
import msgspec

from warrener.cli.batch_options import max_failures_option
from warrener.cli.ending import guarded
from warrener.cli.run import ANY_COMMAND
from warrener.errors import UsageError
from warrener.kubernetes.manifests.cron import DATA, Schedule

if TYPE_CHECKING:
    from collections.abc import Callable

    from warrener.cli.files import TaskFile
    from warrener.kubernetes.manifests.spec import Spec

_SCHEDULE: Final = click.option(
    "--schedule",
    "cron",
    metavar="CRON",
    help="Have the batch run by itself, each time anew: '0 2 * * *' for every night at two. Its tasks are at a URL or on a volume.",
)
_TIME_ZONE: Final = click.option(
    "--time-zone",
    metavar="ZONE",
    help="With --schedule: whose clock, as in Europe/Vienna; by default that of the cluster's controllers.",
)
_VOLUME: Final = click.option(
    "--volume",
    metavar="CLAIM",
    help="With --schedule: the PersistentVolumeClaim that is /data, for the tasks, and for the results in /data/results.",
)


def takes_schedule(verb: Callable[..., Any]) -> Callable[..., Any]:
    """Give a verb that has a `spec` and `tasks` the options of a schedule; it finds that in its spec.

    The verb gets `max_failures`, too, which it minds itself where there is no schedule.
    """

    @max_failures_option
    @_SCHEDULE
    @_TIME_ZONE
    @_VOLUME
    @functools.wraps(verb)
    def command(
        *,
        spec: Spec,
        tasks: TaskFile,
        cron: str | None,
        time_zone: str | None,
        volume: str | None,
        max_failures: str | None,
        **given: Any,
    ) -> Any:
        with guarded():
            if cron is not None:
                if not tasks.path:
                    raise UsageError(
                        "--schedule needs --tasks: a URL, or /data/FILE on the volume of --volume"
                    )
                if tasks.invalid and not (volume and tasks.invalid.startswith(f"{DATA}/")):
                    raise UsageError(
                        f"--invalid {tasks.invalid} cannot be written in the cluster: with --schedule, name {DATA}/FILE on the "
                        "volume that --volume CLAIM names"
                    )
                words = _words(tasks, ANY_COMMAND if spec.child.command else "")
                schedule = Schedule(
                    cron=cron, tasks=words, time_zone=time_zone, volume=volume, max_failures=max_failures
                )
                spec = msgspec.structs.replace(spec, schedule=schedule)
            elif time_zone or volume:
                raise UsageError("--time-zone and --volume go with --schedule")
        return verb(spec=spec, tasks=tasks, max_failures=max_failures, **given)

    decorated: Callable[..., Any] = command
    return decorated


def _words(tasks: TaskFile, usual_type: str) -> tuple[str, ...]:
    """The file and its options, as they are typed."""
    options = {
        "--type": tasks.type or usual_type,
        "--id": tasks.table.id_column,
        "--priority": tasks.table.priority_column,
        "--type-column": tasks.table.type_column,
        "--delimiter": tasks.table.delimiter,
        "--invalid": tasks.invalid,
    }
    words = [word for name, value in options.items() if value for word in (name, value)]
    return (tasks.path, *words, *(["--skip-invalid"] if tasks.skip_invalid else []))
