"""What workers run, as the arguments of `warrener work` in a pod."""

from __future__ import annotations

from typing import TYPE_CHECKING

from warrener.worker.manifest import ChildSettings

if TYPE_CHECKING:
    from warrener.kubernetes.manifests.spec import Spec

_USUAL = ChildSettings()


def work_arguments(spec: Spec) -> list[str]:
    """`work` with what a child runs and how; what is as usual is left out."""
    child = spec.child
    args = ["work", *(["--exec", literal(child.command)] if child.command else [child.app])]
    if child.is_shell:
        args.append("--shell")
    if child.spawn:
        args.append("--spawn")
    for option, value, usual in (
        ("--timeout", child.timeout, _USUAL.timeout),
        ("--retries", child.retries, _USUAL.retries),
        ("--threads", child.threads, _USUAL.threads),
        ("--concurrency", child.concurrency, _USUAL.concurrency),
    ):
        if value != usual:
            args += [option, f"{value:.15g}"]
    return args


def literal(text: str) -> str:
    """Text that stays as it is where Kubernetes would fill in a variable for `$(NAME)`, as in a shell's command."""
    return text.replace("$", "$$")
