"""`warrener failures`: inspect failed tasks, retry them, discard them."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, Final, get_args

import click

from warrener.cli.connection import connected
from warrener.cli.ending import failed, finish
from warrener.cli.failure_text import described
from warrener.cli.lazy import OrderedGroup
from warrener.cli.options import json_option, looks_at, output_option, yes_option
from warrener.cli.printing import counted, plain, print_json, say
from warrener.codec import NOT_JSON, encode
from warrener.exit_codes import Exit
from warrener.failures import Choice, Taken
from warrener.models import Reason

if TYPE_CHECKING:
    from collections.abc import Callable

    from warrener.address import Address

_ids: Final = click.argument("ids", metavar="[ID]...", nargs=-1)


def _takes_choice(verb: Callable[..., Any]) -> Callable[..., Any]:
    """Give a verb --reason and --error; it gets a `Choice` of all that fit as `choice`."""

    @click.option(
        "--reason",
        type=click.Choice(get_args(Reason)),
        metavar="REASON",
        help=f"Why they failed: {', '.join(get_args(Reason)[:-1])} or {get_args(Reason)[-1]}.",
    )
    @click.option("--error", metavar="TYPE", help="The last attempt's error type, as ValueError.")
    @functools.wraps(verb)
    def command(*, reason: str | None, error: str | None, **given: Any) -> Any:
        ids = frozenset(given.pop("ids", ()))
        return verb(choice=Choice(ids, reason, error), **given)

    return command


@click.group(cls=OrderedGroup)
def failures() -> None:
    """Failed tasks with their whole history: list, show, retry, discard, export. Looking uses nothing up."""


@failures.command("list")
@json_option
@_takes_choice
@looks_at
def list_(as_json: bool, choice: Choice, address: Address) -> None:
    """Group failures by reason and error, with counts.

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
                last = f"{group.error}: {group.example_message}" if group.error else "no attempt is recorded"
                about = f"{group.count:>8,}  {group.reason:<13} {last}"
                click.echo(plain(f"{about.splitlines()[0][:160]}  (as {group.example_id})"))
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

        async with connected(address) as open_broker:
            async for found in read(open_broker, Choice(frozenset([task_id]))):
                if as_json:
                    print_json(found)
                else:
                    click.echo(described(found))
                return
        raise _not_there([task_id], address)

    finish(main())


@failures.command()
@_ids
@_takes_choice
@click.option("--data", metavar="JSON", help="Members to replace in the data of one task.")
@looks_at
def retry(choice: Choice, data: str | None, address: Address) -> None:
    """Publish failed tasks again; their attempts begin anew, their history stays.

    Without an ID, all that fit the options.

    Example: warrener failures retry --reason timed-out
    """
    patch = _patch(data, choice)

    async def main() -> Taken:
        from warrener import failures

        async with connected(address) as open_broker:
            return await failures.retry(open_broker, choice, patch)

    taken = finish(main())
    say(f"{counted(taken.count, 'failure')} published as tasks again")
    _end(taken, choice, address)


@failures.command()
@_ids
@_takes_choice
@yes_option
@looks_at
def discard(choice: Choice, yes: bool, address: Address) -> None:
    """Drop failed tasks for ever.

    Without an ID, all that fit the options.

    Example: warrener failures discard --reason invalid --yes
    """

    async def main() -> Taken:
        from warrener import failures

        async with connected(address) as open_broker:
            return await failures.discard(open_broker, choice)

    if not yes:
        click.confirm("Drop these failures for ever?", abort=True, err=True)
    taken = finish(main())
    say(f"{counted(taken.count, 'failure')} discarded")
    _end(taken, choice, address)


@failures.command()
@output_option("-")
@_takes_choice
@looks_at
def export(output: str, choice: Choice, address: Address) -> None:
    """Write failures as JSONL, with the tasks as published and every attempt.

    Example: warrener failures export -o failures.jsonl
    """

    async def main() -> None:
        from warrener.failures import read
        from warrener.writers import opened

        count = 0
        with opened(output, "jsonl") as writer:
            async with connected(address) as open_broker:
                async for found in read(open_broker, choice):
                    writer.write([encode(found)])
                    count += 1
        say(f"{counted(count, 'failure')} exported")

    finish(main())


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
