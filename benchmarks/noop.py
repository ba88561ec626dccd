"""The app of the benchmark: a task that does nothing, so that only Warren is measured."""

from warren import App

app = App()


@app.task
def noop(n: int) -> int:
    return n
