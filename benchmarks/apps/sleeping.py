"""Tasks that wait, as those do that ask a service."""

import asyncio

from benchmarks.marks import mark
from warrener import App

app = App()


@app.task
async def sleep(seconds: float) -> None:
    await asyncio.sleep(seconds)
    mark()
