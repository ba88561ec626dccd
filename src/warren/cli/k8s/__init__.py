"""`warren k8s`: batches on Kubernetes."""

from __future__ import annotations

import typer

from warren.cli.k8s import render

app = typer.Typer(
    help="Batches on Kubernetes.",
    no_args_is_help=True,
)
app.command("render")(render.render)


@app.callback()
def _() -> None:
    """Keep `render` a command of its own while it is the only one."""
