"""`warrener k8s submit`: `warrener run` on the cluster."""

from __future__ import annotations

import asyncio
import shlex
from contextlib import nullcontext
from typing import Annotated, Optional

import typer

from warrener.cli.k8s.options import ContextOption, KubeconfigOption, takes_spec
from warrener.cli.k8s.status import workers_line
from warrener.cli.printing import (
    EXIT_FAILED,
    EXIT_INTERRUPTED,
    Progress,
    ended_with,
    failed,
    finish,
    say,
    status_line,
)
from warrener.kubernetes.manifests.spec import Spec


@takes_spec
def submit(
    spec: Spec,
    tasks: Annotated[str, typer.Argument(help="A JSONL file, or a CSV file (its columns are the data).")],
    output: Annotated[
        str, typer.Option("--output", "-o", metavar="FILE", help="Where results go; - for stdout.")
    ] = "results.jsonl",
    form: Annotated[
        Optional[str],  # noqa: UP045 - typer reads this form on every Python
        typer.Option("--format", metavar="jsonl|json|csv", help="By default as FILE ends."),
    ] = None,
    task_type: Annotated[
        str, typer.Option("--type", metavar="TYPE", help="The type of tasks that bring none; CSV needs it.")
    ] = "",
    skip_invalid: Annotated[
        bool, typer.Option("--skip-invalid", help="Leave out invalid lines, instead of stopping.")
    ] = False,
    no_wait: Annotated[
        bool, typer.Option("--no-wait", help="Leave when the workers are started; collect later.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only write the manifests that would be applied, to stdout.")
    ] = False,
    context: ContextOption = None,
    kubeconfig: KubeconfigOption = None,
) -> None:
    """Publish tasks to the cluster, start workers there, watch them, and collect the results.

    Ctrl-C detaches: the workers go on. Run it again, and it goes on where it was.

    Example: warrener k8s submit app.py tasks.jsonl --parallelism 8 -o results.jsonl
    """
    if dry_run:
        from warrener.kubernetes.manifests.render import render
        from warrener.kubernetes.manifests.text import to_yaml

        typer.echo(
            to_yaml(
                render(spec, ["check", "workers"]), f"What `warrener k8s submit` applies for {spec.queue!r}."
            )
        )
        return
    files = (tasks, None if no_wait else output, form, task_type, skip_invalid)
    raise typer.Exit(finish(_submit(spec, files, context, kubeconfig)))


async def _submit(
    spec: Spec,
    files: tuple[str, str | None, str | None, str, bool],
    context: str | None,
    kubeconfig: str | None,
) -> int:
    from warrener.kubernetes.client.cluster import Cluster
    from warrener.kubernetes.operations.look import WorkerJob
    from warrener.kubernetes.operations.submit import Submission
    from warrener.monitor import Status
    from warrener.sources import read
    from warrener.writers import checked_format, opened

    tasks, output, form, task_type, skip_invalid = files
    where = f"--queue {shlex.quote(spec.queue)} --namespace {spec.namespace}"
    broker = f"--broker k8s:{spec.namespace} --queue {shlex.quote(spec.queue)}"
    lines = read(tasks, task_type=task_type, on_invalid=say if skip_invalid else None)
    results = opened(output, checked_format(output, form)) if output else nullcontext()
    async with Cluster.open(context=context, kubeconfig=kubeconfig, namespace=spec.namespace) as cluster:
        with results as target, Progress(spec.queue) as progress:

            def look(status: Status, workers: WorkerJob) -> None:
                progress.show(
                    f"{status_line(status)} | {workers_line(workers)}", status.done, status.total or None
                )

            submission = Submission(
                cluster, spec, on_progress=lambda text: progress.show(text, 0, None), on_look=look
            )
            try:
                summary = await submission.run(lines, target)
            except asyncio.CancelledError:
                if submission.job is None:
                    raise failed(
                        "stopped before the workers were started; the same command goes on", EXIT_INTERRUPTED
                    ) from None
                say(f"detached; the workers go on. Look at them with:  warrener k8s status --watch {where}")
                say(f"and collect with:  warrener results -o {output} {broker}")
                raise typer.Exit(EXIT_INTERRUPTED) from None
    if summary is None:
        say(
            f"the workers are started (Job {submission.job}). Look at them with:  warrener k8s status --watch {where}"
        )
        say(f"and collect with:  warrener results -o FILE {broker}")
        return 0
    if submission.were_done:
        say(f"{submission.were_done:,} of these tasks had ended before")
    ended_with(summary, str(output), broker)
    return EXIT_FAILED if summary.failed or summary.missing else 0
