"""Tasks that fail until a byte of `BENCH_TRIED`, a file that all processes map, says that they have failed before."""

import mmap
import os
from pathlib import Path

from benchmarks.marks import mark
from warrener import App

app = App()

with Path(os.environ["BENCH_TRIED"]).open("r+b") as file:
    tried = mmap.mmap(file.fileno(), 0)


@app.task(retries=1)
def noop(n: str) -> str:
    mark()
    if not tried[int(n)]:
        tried[int(n)] = 1
        raise OSError("as the network does it")
    return n
