"""The command tree. A verb is loaded when it is asked for, so that none pays for what the others need."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any, Final, cast

import typer
from typer.core import TyperGroup
from typer.main import get_command

# Each verb's file in this package, what it is called there, and what the list of verbs says of it.
_VERBS: Final = {
    "run": ("run", "run", "Publish tasks, work on them here, collect the results."),
    "publish": ("publish", "publish", "Publish tasks, each one confirmed by the broker."),
    "work": ("work", "work", "Take tasks from the queue and run them."),
    "status": ("status", "status", "How far the tasks are, at what rate, until when."),
    "results": ("results", "results", "Write one row per completed task."),
    "failures": ("failures", "app", "Failed tasks: list, show, retry, discard, export."),
    "setup": ("queue", "setup", "Create whatever is missing of a queue."),
    "purge": ("queue", "purge", "Drop all that is in a queue."),
    "delete": ("queue", "delete", "Remove a queue with all that is in it."),
    "doctor": ("doctor", "doctor", "Say what is wrong with a broker and a queue."),
    "k8s": ("k8s", "app", "Batches on Kubernetes."),
}


class _Verbs(Mapping[str, Any]):
    """The verbs by their names, as typer runs them."""

    def __iter__(self) -> Iterator[str]:
        return iter(_VERBS)

    def __len__(self) -> int:
        return len(_VERBS)

    def __getitem__(self, name: str) -> Any:
        file, called, _ = _VERBS[name]
        verb = getattr(import_module(f"warrener.cli.{file}"), called)
        home = typer.Typer(add_completion=False, rich_markup_mode=None)
        home.callback()(lambda: None)  # it is a group, even of one
        if isinstance(verb, typer.Typer):
            home.add_typer(verb, name=name)
        else:
            home.command(name)(verb)
        return cast(TyperGroup, get_command(home)).commands[name]


class _Warrener(TyperGroup):
    """The `warrener` command, which lists its verbs without loading them."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - typer's signature
        return list(_VERBS)

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002 - likewise
        with formatter.section("Commands"):
            formatter.write_dl([(name, told) for name, (_, _, told) in _VERBS.items()])


app: Final = _Warrener(
    name="warrener",
    help="A batch work queue: a file of tasks in, one result row per task out.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.commands = cast(Any, _Verbs())  # it is only read
