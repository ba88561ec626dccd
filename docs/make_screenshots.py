"""Make the pictures of the page that README.md and see.md show, of a real run: `python -m docs.make_screenshots`.

It runs a batch of some minutes' work on an embedded broker, looks at it with a real Chromium, and writes docs/page-*.webp.
"""

from __future__ import annotations

import asyncio
import json
import random
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.place import Place
from tests.web.chromium import Chromium
from tests.web.page import Page
from tests.web.scene import address_of

if TYPE_CHECKING:
    from collections.abc import Iterator

DOCS: Final = Path(__file__).parent
TASKS: Final = 9000
APP: Final = """
import random, time
from warrener import App, PermanentError
app = App(base=0.3)

@app.task(retries=2)
def thumbnail(file: str, width: int = 640) -> dict:
    print("downloading", file)
    time.sleep(random.lognormvariate(-4.6, 0.5))
    if random.random() < (0.5 if file.startswith("s3://media-us") else 0.01):
        raise ConnectionError(f"{file}: connection refused after 3 tries")
    return {"file": file.replace(".jpg", ".webp"), "width": width, "height": width * 2 // 3}

@app.task
def ocr(file: str) -> dict:
    time.sleep(random.lognormvariate(-3.2, 0.8))
    if file.endswith("7.pdf"):
        raise PermanentError(f"cannot read page {random.randrange(90)} of '{file}': no xref table")
    return {"words": random.randrange(4000), "language": "en"}

@app.task
def embed(text: str) -> list:
    time.sleep(random.lognormvariate(-5.3, 0.3))
    if "\\ufffd" in text:
        raise ValueError("the text is no UTF-8")
    return [round(random.random(), 3) for _ in range(4)]

@app.task
def index(shard: int) -> int:
    time.sleep(15 + 20 * (shard % 3))
    return shard
"""


def tasks() -> Iterator[dict[str, object]]:
    """Work as it is: many small things, few large ones, some that cannot be done."""
    chance = random.Random(7)  # noqa: S311 - no secret
    for number in range(TASKS):
        kind = chance.choices(["thumbnail", "ocr", "embed"], [6, 2, 3])[0]
        if number % 1500 == 700:  # noqa: PLR2004 - now and then
            yield {"id": f"index-{number // 1500}", "type": "index", "data": {"shard": number // 1500}}
        region = "us" if 3000 < number < 3400 else "eu"  # noqa: PLR2004 - an outage
        file = f"s3://media-{region}/2026/11/{number:05d}"
        data = {
            "thumbnail": {"file": f"{file}.jpg"},
            "ocr": {"file": f"{file}.pdf"},
            "embed": {"text": "\ufffd" if number % 211 == 0 else f"article {number}"},
        }[kind]
        yield {"id": f"{kind}-{number:05d}", "type": kind, "data": data}


def main() -> None:
    """Make them."""
    with tempfile.TemporaryDirectory() as directory, Place(Path(directory)) as place, Chromium() as browser:
        (place.path / "app.py").write_text(APP)
        lines = "".join(json.dumps(task) + "\n" for task in tasks())
        (place.path / "media-november.jsonl").write_text(lines)
        place.begin("run", "app.py", "media-november.jsonl", "-o", "rows.jsonl", "--processes", "8")
        served = place.begin("ui", "--allow-actions", "--port", "0")
        asyncio.run(served.says("page: http"))
        url = f"{address_of(served)}?queue=media-november"
        light, dark = Page(browser, height=1010), Page(browser, height=800, is_dark=True)
        light.open(url)
        light.wait(
            "parseFloat(document.querySelector('.far b')?.innerText) > 72 && document.querySelector('.types')",
            900,
        )
        light.click(".workers button")
        light.wait("document.querySelector('.workers .detail')")
        light.run("scrollTo(0, 0)")
        light.screenshot(DOCS / "page-batch.webp")
        dark.open(f"{url}&view=failures")
        dark.click(".groups a", "ConnectionError")
        dark.wait("document.querySelector('.groups .detail pre')")
        dark.wait("!/^(\\S+) of \\1 /.test(document.querySelector('.failures .line').innerText)")
        dark.screenshot(DOCS / "page-failures.webp")
        found = dark.run("document.querySelector('.groups .detail .id').innerText")
        dark.open(f"{url}&view=task&id={found}")
        dark.wait("document.querySelector('.attempts')")
        dark.screenshot(DOCS / "page-task.webp")


if __name__ == "__main__":
    main()
