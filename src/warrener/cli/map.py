"""`warrener map`: one task for each item, without a file of tasks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from warrener.address import Address
from warrener.cli.batch_options import (
    fresh_option,
    max_failures_option,
    may_start_over,
    share_option,
    window_option,
)
from warrener.cli.ending import finish, guarded
from warrener.cli.files import ResultFile
from warrener.cli.items import Items
from warrener.cli.options import (
    broker_option,
    management_option,
    output_option,
    queue_option_for,
    result_format_option,
    yes_option,
)
from warrener.cli.run import report, run_here
from warrener.cli.work_options import takes_work
from warrener.errors import UsageError
from warrener.failure_limit import FailureLimit
from warrener.provenance import begun_from, queue_named

if TYPE_CHECKING:
    from warrener.cli.work_options import Work

# What a command finds its item by.
_PARAMETER: Final = "item"


@click.command("map")
@click.argument("handler", metavar="APP:HANDLER")
@click.argument("items", metavar="ITEMS...", nargs=-1)
@output_option("results.jsonl")
@result_format_option
@takes_work
@max_failures_option
@share_option
@fresh_option
@window_option
@yes_option
@broker_option
@queue_option_for("named after the handler")
@management_option
def map_(
    handler: str,
    items: tuple[str, ...],
    output: str,
    form: str | None,
    work: Work,
    max_failures: str | None,
    share: bool,
    fresh: bool,
    window: int,
    yes: bool,
    broker: str,
    queue: str | None,
    management: str | None,
) -> None:
    """Run a handler once for each item, and collect the results.

    APP:HANDLER is an app as `warrener run` takes it, and the type of one of its handlers: app.py:resize,
    package.module:app:resize. ITEMS are patterns like 'images/*.jpg' or 'images/**/*.jpg', words that are taken as they
    are, or - for the lines of stdin. Each is the handler's one parameter that has no default.

    With --exec CMD there is no APP:HANDLER: a command runs each item, which it has as {data.item}.

    Run it again, and what has ended is not run again; a row's origin is its item.

    Example: warrener map app.py:resize 'images/*.jpg' -o results.jsonl
    """
    from warrener.local_run import Plan

    results = ResultFile(output, form)
    if work.command:
        app, name, items = "", Path(work.command.split()[0]).name, (handler, *items)
    else:
        app, _, name = handler.rpartition(":")
    with guarded():
        if not items:
            raise UsageError("give the items: patterns, words, or - for the lines of stdin")
        if not ((app and name) or work.command):
            raise UsageError(f"{handler!r} names no handler: give APP:HANDLER, as app.py:resize")
        results.checked()
        limit = FailureLimit.parse(max_failures) if max_failures else None
        source = Items(app, name, items, parameter=_PARAMETER if work.command else "")
        source.check_apart(output)
        address = Address(broker, queue or queue_named(name), management)
        begun = begun_from(f"{Path.cwd()}: map {name}", app or work.command, source.count)
    may_start_over(address, fresh=fresh, yes=yes)
    plan = Plan(
        address,
        begun,
        work.settings(app),
        work.processes,
        share,
        fresh,
        window,
        limit,
        work.keeps_output,
    )
    ended = finish(run_here(plan, source, results))
    raise click.exceptions.Exit(report(ended, address, source, output, is_shared=share))
