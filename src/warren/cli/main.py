"""The command tree."""

from __future__ import annotations

import typer

from warren.cli import doctor, failures, k8s, publish, queue, results, run, status, work

app = typer.Typer(
    name="warren",
    help="A batch work queue: a file of tasks in, one result row per task out.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command("run")(run.run)
app.command("publish")(publish.publish)
app.command("work")(work.work)
app.command("status")(status.status)
app.command("results")(results.results)
app.add_typer(failures.app, name="failures")
app.command("setup")(queue.setup)
app.command("purge")(queue.purge)
app.command("delete")(queue.delete)
app.command("doctor")(doctor.doctor)
app.add_typer(k8s.app, name="k8s")
