"""Tasks that do nothing; `urgent` is the same under another name."""

from benchmarks.marks import mark
from warrener import App

app = App()


@app.task
def noop(n: str) -> str:
    mark(n)
    return n


@app.task
def urgent(n: str) -> str:
    return n
