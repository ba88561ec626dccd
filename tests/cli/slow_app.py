"""An app that takes its time to import: it waits for a file."""

import os
import time
from pathlib import Path

from warrener import App

Path(os.environ["IMPORTING"]).write_text("now\n")
while not Path(os.environ["GO_ON"]).exists():
    time.sleep(0.01)
app = App()


@app.task
def echo(number: int = 0) -> int:
    return number
