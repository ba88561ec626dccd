"""The options by which `warrener failures` is told which failures are meant."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, Final, get_args

import click

from warrener.cli.ending import guarded
from warrener.failures import Choice, Where, compiled
from warrener.models import Reason

if TYPE_CHECKING:
    from collections.abc import Callable

ids_argument: Final = click.argument("ids", metavar="[ID]...", nargs=-1)
dry_run_option: Final = click.option(
    "--dry-run", is_flag=True, help="Only say which failures are meant, by group; nothing is changed."
)


def takes_choice(verb: Callable[..., Any]) -> Callable[..., Any]:
    """Give a verb the options that choose failures; it gets a `Choice` of all that fit every one as `choice`."""

    @click.option(
        "--reason",
        type=click.Choice(get_args(Reason)),
        metavar="REASON",
        help=f"Why they failed: {', '.join(get_args(Reason)[:-1])} or {get_args(Reason)[-1]}.",
    )
    @click.option("--error", metavar="TYPE", help="The last attempt's error type, as ValueError.")
    @click.option(
        "--error-match",
        metavar="REGEX",
        help="What is found in the last attempt's message or traceback, as a regular expression.",
    )
    @click.option(
        "--where",
        "wheres",
        multiple=True,
        metavar="PATH=VALUE",
        help="What the task says, as data.region=eu or data.files[0]=a.jpg; several must all fit.",
    )
    @functools.wraps(verb)
    def command(
        *,
        reason: str | None,
        error: str | None,
        error_match: str | None,
        wheres: tuple[str, ...],
        **given: Any,
    ) -> Any:
        with guarded():
            where = tuple(map(Where.parse, wheres))
            pattern = None if error_match is None else compiled(error_match)
        ids = frozenset(given.pop("ids", ()))
        return verb(choice=Choice(ids, reason, error, where, pattern), **given)

    return command
