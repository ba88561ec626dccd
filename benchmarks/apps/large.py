"""Tasks whose results have `BENCH_BYTES` bytes, as images or tables do: of a kind that compresses badly."""

import base64
import os
import random

from benchmarks.marks import mark
from warrener import App

app = App()

SIZE = int(os.environ["BENCH_BYTES"])
RESULT = base64.b64encode(random.Random(20).randbytes(SIZE))[:SIZE].decode()  # noqa: S311 - the same for everyone


@app.task
def noop(n: str) -> str:
    mark(n)
    return RESULT
