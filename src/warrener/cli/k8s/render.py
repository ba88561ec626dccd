"""`warrener k8s render`: manifests to read, keep and apply."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from warrener.address import Address
from warrener.cli.ending import guarded
from warrener.cli.files import TaskFile, takes_tasks
from warrener.cli.hint import again
from warrener.cli.k8s.options import takes_spec
from warrener.cli.k8s.scheduling import takes_schedule
from warrener.cli.k8s.unheard import WITHOUT_SCHEDULE, refuse_typed
from warrener.cli.printing import say
from warrener.errors import UsageError

if TYPE_CHECKING:
    from warrener.kubernetes.manifests.spec import Spec

_APPLY: Final = "kubectl apply --server-side -f"
_HEAD: Final = f"""\
Made by `warrener k8s render` for the queue {{queue!r}}.
No password is in here. Make the Secrets once, before this is applied:
  {{secrets}} | {_APPLY} -
`warrener k8s up` does both.
"""
_SECRETS_HEAD: Final = """\
Made by `warrener k8s render --section secrets` for the queue {queue!r}.
These passwords are new at each rendering: keep them out of repositories, and apply them once.
A broker that runs already takes other passwords only when it is restarted or set up anew.
"""
_MONITORING_HEAD: Final = (
    "Made by `warrener k8s render --section monitoring`, for all queues of the namespace.\n"
)


@click.command()
@click.argument("app", default="")
@click.option(
    "--section",
    "sections",
    multiple=True,
    metavar="SECTION",
    help="secrets, broker, setup, check, workers, monitoring (for Prometheus's operator and Grafana) or ui (the page); repeat it. By default all "
    "that are needed, but for secrets, check, monitoring and ui.",
)
@click.option("--output", "-o", metavar="FILE", default="-", help="Where to; - for stdout.")
@click.option(
    "--tasks",
    metavar="TASKS",
    default="",
    show_default=False,
    help="With --schedule: http[s]://..., or /data/FILE on the volume of --volume.",
)
@takes_tasks
@takes_spec
@takes_schedule
def render(
    spec: Spec,
    tasks: TaskFile,  # noqa: ARG001 - it is in the spec's schedule
    max_failures: str | None,  # noqa: ARG001 - likewise
    sections: tuple[str, ...],
    output: str,
) -> None:
    """Write manifests that can be read, kept, and applied with kubectl. No cluster is asked.

    APP is file.py, file.py:name or package/, which are sent along, or module or module:name in the image; by default app.

    With --exec CMD there is no APP: a command that the image has, or one of files here, which are sent along.

    Secrets are written to a pipe or to a file that only you can read, never to a terminal.

    Example: warrener k8s render app.py --queue images --parallelism 20 -o images.yaml
    """
    with guarded():
        if spec.schedule is None:
            refuse_typed(WITHOUT_SCHEDULE)
        _write(spec, list(sections), output)


def _write(spec: Spec, sections: list[str], output: str) -> None:
    from warrener.kubernetes.manifests.render import render as rendered
    from warrener.kubernetes.manifests.text import to_yaml

    has_secrets = "secrets" in sections
    if has_secrets and output == "-" and sys.stdout.isatty():
        raise UsageError(
            "--section secrets writes passwords: use -o FILE, or pipe it into `kubectl apply -f -`"
        )
    head = _SECRETS_HEAD if has_secrets else _MONITORING_HEAD if sections == ["monitoring"] else _HEAD
    secrets = again(Address(queue=spec.queue), sections=("secrets",), output="-")
    text = to_yaml(rendered(spec, sections), head.format(queue=spec.queue, secrets=secrets))
    if output == "-":
        click.echo(text, nl=False)
        return
    _save(Path(output), text, 0o600 if has_secrets else 0o666)
    say(f"written to {output}; apply it with: {_APPLY} {shlex.quote(output)}")


def _save(path: Path, text: str, mode: int) -> None:
    try:
        # Anew, because an existing file would keep a mode that lets others read.
        path.unlink(missing_ok=True)
        with os.fdopen(
            os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w", encoding="utf-8"
        ) as file:
            file.write(text)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from error
