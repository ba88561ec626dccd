"""The app of the tests on a cluster."""

import socket
import time

from warrener import App

app = App(base=0.5)


@app.task
def square(n: int, seconds: float = 0.0) -> int:
    time.sleep(seconds)
    return n * n


@app.task(retries=0)
def hog(mebibytes: int) -> int:
    return len(bytearray(mebibytes * 1024 * 1024))


@app.task
def reaches(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), 5).close()
    except OSError:
        return False
    return True
