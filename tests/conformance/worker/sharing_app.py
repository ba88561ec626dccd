"""An app that connects, and starts a thread, while it is imported."""

from __future__ import annotations

import os
import socket
from concurrent.futures import ThreadPoolExecutor

from warrener import App

app = App()
connection = socket.create_connection(("127.0.0.1", int(os.environ["SHARING_PORT"])))
pool = ThreadPoolExecutor(1, "fetch")
pool.submit(int).result()


@app.task
def echo(number: int) -> int:
    return number
