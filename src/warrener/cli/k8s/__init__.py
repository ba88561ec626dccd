"""`warrener k8s`: batches on Kubernetes."""

from __future__ import annotations

import click

from warrener.cli.k8s import down, logs, render, scheduled, status, submit, ui, up, worker_job
from warrener.cli.lazy import OrderedGroup


@click.group(cls=OrderedGroup)
def k8s() -> None:
    """Batches on Kubernetes: a broker there, workers, their progress.

    Results and failures are read as anywhere, with `--broker k8s:NAMESPACE`.
    """


for _verb in (
    up.up,
    submit.submit,
    status.status,
    ui.ui,
    logs.logs,
    worker_job.scale,
    worker_job.cancel,
    worker_job.resume,
    down.down,
    render.render,
    scheduled.scheduled,
):
    k8s.add_command(_verb)
