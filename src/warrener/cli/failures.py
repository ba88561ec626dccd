"""`warrener failures`: inspect failed tasks, retry them, discard them."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import click

from warrener.cli.asking import make_sure
from warrener.cli.connection import connected
from warrener.cli.ending import failed, finish
from warrener.cli.failure_choice import dry_run_option, ids_argument, takes_choice
from warrener.cli.failure_text import described, group_line
from warrener.cli.lazy import OrderedGroup
from warrener.cli.options import changes, json_option, looks_at, output_option, yes_option
from warrener.cli.printing import counted, print_json, say
from warrener.codec import NOT_JSON, encode
from warrener.exit_codes import Exit
from warrener.failures import Choice, Taken

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from warrener.address import Address
    from warrener.failures import Group
    from warrener.models import Failure
    from warrener.writers import ResultWriter


@click.group(cls=OrderedGroup)
def failures() -> None:
    """Failed tasks with their whole history: list, show, retry, discard, export. Looking uses nothing up."""


@failures.command("list")
@json_option
@takes_choice
@looks_at
def list_(as_json: bool, choice: Choice, address: Address) -> None:
    """Group failures by reason, error and what the error says, with counts.

    What differs from task to task in a message (numbers, ids, paths, quoted values) makes no group of its own.

    Example: warrener failures list --queue images
    """

    async def main() -> None:
        from warrener.failures import grouped

        async with connected(address) as open_broker:
            groups = await grouped(open_broker, choice)
        for group in groups:
            if as_json:
                print_json(group)
            else:
                click.echo(group_line(group))
        say(counted(sum(group.count for group in groups), "failure"))

    finish(main())


@failures.command()
@click.argument("task_id", metavar="ID")
@json_option
@looks_at
def show(task_id: str, as_json: bool, address: Address) -> None:
    """Show one failure: the task, and every attempt with its traceback.

    Example: warrener failures show image-17
    """

    async def main() -> None:
        from warrener.failures import read

        async with (
            connected(address) as open_broker,
            aclosing(read(open_broker, Choice(frozenset([task_id])))) as those,
        ):
            found = await anext(those, None)
        if found and as_json:
            print_json(found)
        elif found:
            click.echo(described(found))
        else:
            raise _not_there([task_id], address)

    finish(main())


@failures.command()
@ids_argument
@takes_choice
@dry_run_option
@click.option("--data", metavar="JSON", help="Members to replace in the data of one task.")
@changes
def retry(choice: Choice, dry_run: bool, data: str | None, address: Address) -> None:
    """Publish failed tasks again; their attempts begin anew, their history stays.

    Without an ID, all that fit the options.

    Example: warrener failures retry --reason timed-out --where data.region=eu
    """
    patch = _patch(data, choice)
    if dry_run:
        _preview(choice, address, "would be published as tasks again")
        return

    async def main() -> Taken:
        from warrener import failures

        async with connected(address) as open_broker:
            return await failures.retry(open_broker, choice, patch)

    taken = finish(main())
    say(f"{counted(taken.count, 'failure')} published as tasks again")
    _end(taken, choice, address)


@failures.command()
@ids_argument
@takes_choice
@dry_run_option
@yes_option
@changes
def discard(choice: Choice, dry_run: bool, yes: bool, address: Address) -> None:
    """Drop failed tasks for ever.

    Without an ID, all that fit the options.

    Example: warrener failures discard --reason invalid --yes
    """

    async def main() -> Taken:
        from warrener import failures

        async with connected(address) as open_broker:
            return await failures.discard(open_broker, choice)

    if dry_run:
        _preview(choice, address, "would be discarded")
        return
    if not yes:
        make_sure("Drop these failures for ever?")
    taken = finish(main())
    say(f"{counted(taken.count, 'failure')} discarded")
    _end(taken, choice, address)


@failures.command()
@output_option("-")
@click.option("--format", "form", metavar="FORMAT", help="jsonl, json or csv; by default as FILE ends.")
@takes_choice
@looks_at
def export(output: str, form: str | None, choice: Choice, address: Address) -> None:
    """Write failures with the tasks as published: JSONL with every attempt, or CSV to correct.

    In CSV the columns are the task's data; those of the failure begin with _warrener_. Corrected, it is a file of tasks.

    Example: warrener failures export -o failed.csv
    """

    async def main() -> int:
        from warrener import failures
        from warrener.writers import checked_format, opened

        wanted = checked_format(output, form)
        # A line of a table is written as a line of JSON is, one after the other.
        with opened(output, "jsonl" if wanted == "csv" else wanted) as writer:
            async with connected(address) as open_broker:
                found = failures.read(open_broker, choice)
                if wanted == "csv":
                    return await failures.write_table(found, lambda line: writer.write([line]))
                return await _write_each(found, writer)

    say(f"{counted(finish(main()), 'failure')} exported")


async def _write_each(found: AsyncIterator[Failure], writer: ResultWriter) -> int:
    count = 0
    async for failure in found:
        writer.write([encode(failure)])
        count += 1
    return count


def _preview(choice: Choice, address: Address, outcome: str) -> None:
    async def main() -> tuple[Taken, list[Group]]:
        from warrener import failures

        async with connected(address) as open_broker:
            return await failures.preview(open_broker, choice)

    taken, groups = finish(main())
    for group in groups:
        click.echo(group_line(group))
    say(f"{counted(taken.count, 'failure')} {outcome}; nothing is changed")
    _end(taken, choice, address)


def _end(taken: Taken, choice: Choice, address: Address) -> None:
    missing = sorted(choice.ids - taken.ids)
    if missing:
        raise _not_there(missing, address)


def _not_there(ids: list[str], address: Address) -> click.exceptions.Exit:
    names = ", ".join(map(repr, ids))
    tasks = "task" if len(ids) == 1 else "tasks"
    return failed(
        f"no such failure of {tasks} {names}; see `warrener failures list{address.flags()}`", Exit.FAILED
    )


def _patch(data: str | None, choice: Choice) -> dict[str, Any] | None:
    import msgspec

    if data is None:
        return None
    if len(choice.ids) != 1:
        raise failed("--data patches one task: name its id", Exit.USAGE)
    try:
        return msgspec.json.decode(data, type=dict[str, Any])
    except NOT_JSON as error:
        raise failed(f"--data must be a JSON object: {error}", Exit.USAGE) from None
