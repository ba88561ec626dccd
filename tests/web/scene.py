"""A queue with all that a page can show, a real worker on it, and the page's own server."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import urlencode

from tests.batch import publish
from tests.web import shop_app
from warrener.brokers import Message

if TYPE_CHECKING:
    from pathlib import Path

    from tests.place import Place, Running

COPIES: Final = 40
FETCHES: Final = 6
DECODES: Final = 4
BIG: Final = 2**70

# What would run if anything made HTML of it, and what would turn the direction of reading.
IMAGE: Final = '<img src=x onerror="window.pwned=1">'
SCRIPT: Final = "</pre></script><script>window.pwned=2</script>"
TURNED: Final = "safe\u202egpj.exe\u2066\u200b end"
HOSTILE: Final = (IMAGE, SCRIPT, TURNED, "{{7*7}}${7*7}`javascript:alert(1)`", "a\u0000b\u001b[31m\ud7ff")
IDS: Final = (IMAGE, "a/b?c=d&e#f%2e", "../..", TURNED, "x" * 255)
WIDE: Final = "wide" * 40_000


class Scene(NamedTuple):
    """Where all that is."""

    place: Place
    url: str
    queue: str

    def at(self, view: str = "", **members: str) -> str:
        """The address of a view of the queue."""
        given = {"queue": self.queue, "view": view, **members}
        return f"{self.url}?{urlencode({name: value for name, value in given.items() if value})}"

    @property
    def gate(self) -> Path:
        """The file that a task waits for."""
        return self.place.path / "gate"


def tasks(gate: Path) -> list[dict[str, object]]:
    """All that were published in the usual way."""

    def one(type_: str, id_: str, **data: object) -> dict[str, object]:
        return {"id": id_, "type": type_, "data": data}

    return [
        one("wait_for", "waiting", file=str(gate)),
        *(one("copy", f"copy-{n}", number=n, big=BIG + n) for n in range(COPIES)),
        *(
            one("fetch", f"fetch-{n}", host=f"host{n}.example", region="eu" if n % 2 else "us")
            for n in range(FETCHES)
        ),
        *(one("decode", f"decode-{n}", file=f"{n}.jpg") for n in range(DECODES)),
        one("exact", "exact", number=BIG),
        *(one("speak", f"speak-{n}", text=text) for n, text in enumerate(HOSTILE)),
        *(one("speak", id_, text="an id") for id_ in IDS),
        one("<b>type</b>", "odd-type"),
        one("echo", "wide", value=WIDE),
        one("speak", "wide-failure", text=WIDE),
    ]


def strange() -> list[Message]:
    """What no program of ours publishes."""
    long_id = b'{"id": "%s", "type": "copy", "data": {"number": 1}}' % (b"i" * 4096)
    return [Message(b"\xff\xfe<script>window.pwned=3</script>", "no-json"), Message(long_id, "long-id")]


FAILED: Final = FETCHES + DECODES + 1 + len(HOSTILE) + len(IDS) + 1 + 1 + len(strange())


async def begin_page(place: Place, *words: str) -> str:
    """Serve the page; its address."""
    page = place.begin("ui", "--port", "0", *words)
    await page.says("page: http")
    return address_of(page)


def address_of(page: Running) -> str:
    """What a page that was begun says of where it is."""
    found = re.search(r"page: (http://\S+/)", page.said)
    assert found
    return found[1]


def set_scene(place: Place) -> Scene:
    """Publish, work until all but one have ended, and serve the page of it."""

    async def make() -> str:
        place.tasks(tasks(place.path / "gate"))
        done = place.warrener("publish", "tasks.jsonl")
        assert done.returncode == 0, done.stderr
        await publish(place.address, strange())
        place.begin("work", shop_app.__file__, "--processes", "2", "--keep-logs")
        await place.has_completed(COPIES + 1)
        return await begin_page(place, "--allow-actions")

    return Scene(place, asyncio.run(make()), place.address.queue)
