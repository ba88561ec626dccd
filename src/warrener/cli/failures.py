"""`warrener failures`: inspect failed tasks, retry them, discard them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Optional

import typer

from warrener.address import DEFAULT_QUEUE, EMBEDDED, Address
from warrener.cli.connection import connected
from warrener.cli.options import BrokerOption, ManagementOption, QueueOption
from warrener.cli.printing import EXIT_FAILED, EXIT_USAGE, counted, failed, finish, plain, print_json, say
from warrener.codec import NOT_JSON, encode
from warrener.models import Attempt, Failure

app = typer.Typer(
    help="Failed tasks with their whole history: list, show, retry, discard, export. Looking uses nothing up.",
    no_args_is_help=True,
)

_Reason = Annotated[
    Optional[str],  # noqa: UP045 - typer reads this form
    typer.Option(
        "--reason",
        metavar="REASON",
        help="permanent, exhausted, timed-out, crashed, invalid or unknown-type.",
    ),
]
_Error = Annotated[
    Optional[str],  # noqa: UP045 - likewise
    typer.Option("--error", metavar="TYPE", help="The last attempt's error type, as ValueError."),
]
_Ids = Annotated[Optional[list[str]], typer.Argument(metavar="[ID]...", help="Task ids; by default all.")]  # noqa: UP045 - likewise


@app.command("list")
def list_(
    reason: _Reason = None,
    error: _Error = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object per group.")] = False,
    broker: BrokerOption = EMBEDDED,
    queue: QueueOption = DEFAULT_QUEUE,
    management: ManagementOption = None,
) -> None:
    """Group failures by reason and error, with counts.

    Example: warrener failures list --queue images
    """

    async def main() -> None:
        from warrener.failures import Choice, grouped

        async with connected(Address(broker, queue, management)) as open_broker:
            groups = await grouped(open_broker, Choice(reason=reason, error=error))
        for group in groups:
            if as_json:
                print_json(group)
            else:
                last = f"{group.error}: {group.example_message}" if group.error else "no attempt is recorded"
                about = f"{group.count:>8,}  {group.reason:<13} {last}"
                typer.echo(plain(f"{about.splitlines()[0][:160]}  (as {group.example_id})"))
        say(counted(sum(group.count for group in groups), "failure"))

    finish(main())


@app.command()
def show(
    task_id: Annotated[str, typer.Argument(metavar="ID")],
    as_json: Annotated[bool, typer.Option("--json", help="As one JSON object.")] = False,
    broker: BrokerOption = EMBEDDED,
    queue: QueueOption = DEFAULT_QUEUE,
    management: ManagementOption = None,
) -> None:
    """Show one failure: the task, and every attempt with its traceback.

    Example: warrener failures show image-17
    """

    async def main() -> None:
        from warrener.failures import Choice, read

        async with connected(Address(broker, queue, management)) as open_broker:
            async for found in read(open_broker, Choice(ids=frozenset([task_id]))):
                if as_json:
                    print_json(found)
                else:
                    typer.echo(_described(found))
                return
        raise failed(f"no failure of task {task_id!r} here; see `warrener failures list`", EXIT_FAILED)

    finish(main())


@app.command()
def retry(
    ids: _Ids = None,
    reason: _Reason = None,
    error: _Error = None,
    data: Annotated[
        str | None,
        typer.Option("--data", metavar="JSON", help="Members to replace in the data of one task."),
    ] = None,
    broker: BrokerOption = EMBEDDED,
    queue: QueueOption = DEFAULT_QUEUE,
    management: ManagementOption = None,
) -> None:
    """Publish failed tasks again; their attempts begin anew, their history stays.

    Example: warrener failures retry --reason timed-out
    """
    patch = _patch(data, ids)

    async def main() -> None:
        from warrener import failures

        choice = failures.Choice(frozenset(ids or []), reason, error)
        async with connected(Address(broker, queue, management)) as open_broker:
            count = await failures.retry(open_broker, choice, patch)
        say(f"{counted(count, 'failure')} published as tasks again")

    finish(main())


@app.command()
def discard(
    ids: _Ids = None,
    reason: _Reason = None,
    error: _Error = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    broker: BrokerOption = EMBEDDED,
    queue: QueueOption = DEFAULT_QUEUE,
    management: ManagementOption = None,
) -> None:
    """Drop failed tasks for ever.

    Example: warrener failures discard --reason invalid --yes
    """

    async def main() -> None:
        from warrener import failures

        choice = failures.Choice(frozenset(ids or []), reason, error)
        async with connected(Address(broker, queue, management)) as open_broker:
            count = await failures.discard(open_broker, choice)
        say(f"{counted(count, 'failure')} discarded")

    if not yes:
        typer.confirm("Drop these failures for ever?", abort=True, err=True)
    finish(main())


@app.command()
def export(
    output: Annotated[
        str, typer.Option("--output", "-o", metavar="FILE", help="Where to; - for stdout.")
    ] = "-",
    reason: _Reason = None,
    error: _Error = None,
    broker: BrokerOption = EMBEDDED,
    queue: QueueOption = DEFAULT_QUEUE,
    management: ManagementOption = None,
) -> None:
    """Write failures as JSONL, with the tasks as published and every attempt.

    Example: warrener failures export -o failures.jsonl
    """

    async def main() -> None:
        from warrener.failures import Choice, read
        from warrener.writers import opened

        count = 0
        with opened(output, "jsonl") as target:
            async with connected(Address(broker, queue, management)) as open_broker:
                async for found in read(open_broker, Choice(reason=reason, error=error)):
                    target.write([encode(found)])
                    count += 1
        say(f"{counted(count, 'failure')} exported")

    finish(main())


def _patch(data: str | None, ids: list[str] | None) -> dict[str, Any] | None:
    import msgspec

    if data is None:
        return None
    if len(ids or []) != 1:
        raise failed("--data patches one task: name its id", EXIT_USAGE)
    try:
        return msgspec.json.decode(data, type=dict[str, Any])
    except NOT_JSON as error:
        raise failed(f"--data must be a JSON object: {error}", EXIT_USAGE) from None


def _described(found: Failure) -> str:
    lines = [
        f"task      {found.task_id}",
        f"type      {found.type}",
        f"reason    {found.reason}",
        f"failed    {_time(found.failed_at)}",
        f"attempts  {found.attempts}",
        f"published {encode(found.task).decode() if found.body_base64 is None else found.body_base64 + ' (base64)'}",
    ]
    for attempt in found.history:
        lines += _attempt(attempt)
    return "\n".join(map(plain, lines))


def _attempt(attempt: Attempt) -> list[str]:
    duration = "" if attempt.duration is None else f", {attempt.duration:.3f} s"
    where = f" on {attempt.worker}" if attempt.worker else ""
    began = _time(attempt.started_at) if attempt.started_at else "its start is unknown"
    lines = [
        "",
        f"attempt {attempt.number}: {began}{duration}{where}" if attempt.number else "no attempt:",
        *(f"  {line}" for line in f"{attempt.error}: {attempt.message}".splitlines()),
    ]
    return lines + [f"  | {line}" for line in attempt.traceback.splitlines()]


def _time(seconds: float | None) -> str:
    if seconds is None:
        return "at an unknown time"
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
