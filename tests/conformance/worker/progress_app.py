"""Handlers that say how far they are, and wait until they may end."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

from warrener import App, Attempt

app = App()
async_app = App()
END = Path(os.environ["PROGRESS_END"])


@app.task(retries=0)
def count(to: int, attempt: Attempt) -> int:
    attempt.progress(to // 2)
    attempt.progress(to, 2 * to)  # the last one counts, whoever asks later
    while not END.exists():
        time.sleep(0.01)
    return to


@app.task(retries=0)
def say_nothing() -> None:
    while not END.exists():
        time.sleep(0.01)


@async_app.task(retries=0)
async def count_async(to: int, attempt: Attempt) -> int:
    attempt.progress(to, 2 * to)
    while not END.exists():
        await asyncio.sleep(0.01)
    return to
