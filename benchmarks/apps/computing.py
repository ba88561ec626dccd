"""Tasks that compute for a millisecond of the processor's time."""

from time import thread_time

from benchmarks.marks import mark
from warrener import App

SECONDS = 0.001

app = App()


@app.task
def compute(n: str) -> str:
    end = thread_time() + SECONDS
    while thread_time() < end:
        pass
    mark()
    return n
