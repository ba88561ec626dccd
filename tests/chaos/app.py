"""A handler that takes a moment, so that something is always under way."""

import time

from warren import App

app = App()


@app.task
def square(n: int) -> int:
    time.sleep(0.002)
    return n * n
