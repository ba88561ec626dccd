"""`warrener k8s`: batches on Kubernetes."""

from __future__ import annotations

import typer

from warrener.cli.k8s import down, logs, render, status, submit, up, worker_job

app = typer.Typer(
    help="Batches on Kubernetes: a broker there, workers, their progress. Results and failures are read as anywhere, "
    "with `--broker k8s:NAMESPACE`.",
    no_args_is_help=True,
)
app.command("up")(up.up)
app.command("submit")(submit.submit)
app.command("status")(status.status)
app.command("logs")(logs.logs)
app.command("scale")(worker_job.scale)
app.command("cancel")(worker_job.cancel)
app.command("resume")(worker_job.resume)
app.command("down")(down.down)
app.command("render")(render.render)
