"""The command tree."""

from __future__ import annotations

import os
from typing import Any, Final

import click

from warrener.cli.lazy import Lazy, LazyGroup
from warrener.exit_codes import Exit

_CLI: Final = "warrener.cli"
_VERBS: Final = {
    "run": Lazy(f"{_CLI}.run", "run", "Publish tasks, work on them here, collect the results."),
    "map": Lazy(f"{_CLI}.map", "map_", "Run a handler once for each file or line, and collect the results."),
    "publish": Lazy(f"{_CLI}.publish", "publish", "Publish tasks, each one confirmed by the broker."),
    "work": Lazy(f"{_CLI}.work", "work_", "Take tasks from the queue and run them."),
    "batches": Lazy(f"{_CLI}.batches", "batches", "What is on a broker, and how far."),
    "status": Lazy(f"{_CLI}.status", "status", "How far the tasks are, at what rate, until when."),
    "results": Lazy(f"{_CLI}.results", "results", "Write one row per completed task."),
    "failures": Lazy(f"{_CLI}.failures", "failures", "Failed tasks: list, show, retry, discard, export."),
    "report": Lazy(f"{_CLI}.report", "report", "What has happened, as one file of HTML."),
    "logs": Lazy(f"{_CLI}.logs", "logs", "What tasks have printed."),
    "ui": Lazy(f"{_CLI}.ui", "ui", "Show all of it on a page in your browser."),
    "pause": Lazy(f"{_CLI}.orders", "pause", "Have all workers take nothing more, until resume."),
    "resume": Lazy(f"{_CLI}.orders", "resume", "Have workers go on after pause or cancel."),
    "cancel": Lazy(f"{_CLI}.orders", "cancel", "Have workers leave what waits, or some types of it."),
    "setup": Lazy(f"{_CLI}.setup", "setup", "Create whatever is missing of a queue."),
    "purge": Lazy(f"{_CLI}.removal", "purge", "Drop all that is in a queue."),
    "delete": Lazy(f"{_CLI}.removal", "delete", "Remove a queue with all that is in it."),
    "doctor": Lazy(f"{_CLI}.doctor", "doctor", "Say what is wrong with a broker and a queue."),
    "k8s": Lazy(f"{_CLI}.k8s", "k8s", "Batches on Kubernetes."),
    "completion": Lazy(f"{_CLI}.completion", "completion", "Have your shell complete commands and options."),
}


def _say_version(ctx: click.Context, _: click.Parameter, wanted: Any) -> None:
    if wanted:
        from warrener.version import VERSION

        click.echo(f"warrener {VERSION}")
        ctx.exit()


@click.group(
    "warrener",
    cls=LazyGroup,
    lazy_commands=_VERBS,
    context_settings={"show_default": True},
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_say_version,
    help="Show the version and exit.",
)
def app() -> None:
    """A batch work queue: a file of tasks in, one result row per task out.

    Example: warrener run app.py tasks.jsonl -o results.jsonl
    """
    try:
        os.getcwd()  # noqa: PTH109 - `--help` needs nothing else of pathlib, which takes long to load
    except FileNotFoundError:
        from warrener.cli.ending import failed

        raise failed("the working directory was deleted; go to one that exists", Exit.USAGE) from None
