"""A page that is served for a test, and a visitor who speaks plain HTTP to it, politely or not."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec
from msgspec.structs import replace

from tests.batch import PATIENCE
from warrener.brokers import connect
from warrener.web.door import Door
from warrener.web.house import House
from warrener.web.listening import listen
from warrener.web.server import serve
from warrener.web.watches import LINGER

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from warrener.address import Address
    from warrener.brokers import Broker

USER: Final = "ann@here"


class Answer(NamedTuple):
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return msgspec.json.decode(self.body)


class Visitor:
    """Whoever speaks to the page.

    Args:
        port: The page's.
        cookie: What the visitor has been given.
    """

    def __init__(self, port: int, cookie: str = "") -> None:
        self.port = port
        self.cookie = cookie

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def get(self, path: str, **headers: str) -> Answer:
        return await self.ask("GET", path, headers)

    async def post(self, path: str, content: object = None, **headers: str) -> Answer:
        """An action as the page itself sends it, unless other headers are given."""
        own = {"Origin": self.origin, "Content-Type": "application/json"}
        return await self.ask("POST", path, {**own, **headers}, msgspec.json.encode(content or {}))

    async def ask(self, method: str, path: str, headers: Mapping[str, str], body: bytes = b"") -> Answer:
        given = {"Host": f"127.0.0.1:{self.port}", "Content-Length": str(len(body)), "Connection": "close"}
        if self.cookie:
            given["Cookie"] = self.cookie
        given |= {name.replace("_", "-"): value for name, value in headers.items()}
        lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in given.items() if value)]
        async with asyncio.timeout(PATIENCE):
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
            writer.write("\r\n".join([*lines, "", ""]).encode("latin-1") + body)
            answer = await _answer(reader)
            writer.close()
        return answer

    @asynccontextmanager
    async def events(self, queue: str) -> AsyncIterator[Events]:
        """The events of a queue's stream."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        cookie = f"Cookie: {self.cookie}\r\n" if self.cookie else ""
        writer.write(
            f"GET /api/queues/{queue}/stream HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\n{cookie}\r\n".encode()
        )
        status, _ = await _head(reader)
        assert status == 200
        try:
            yield Events(reader)
        finally:
            writer.close()


class Events:
    """A stream of events, as it comes."""

    def __init__(self, reader: asyncio.StreamReader) -> None:
        self._reader = reader
        self._last: dict[str, Any] = {}

    async def have(self, event: str, is_it: Callable[[Any], bool] = lambda _: True) -> Any:
        """The newest event of a kind, once its value is right."""
        if event in self._last and is_it(self._last[event]):
            return self._last[event]
        async with asyncio.timeout(PATIENCE):
            name = ""
            while line := await self._reader.readline():
                if line.startswith(b"event: "):
                    name = line[7:].decode().strip()
                if line.startswith(b"data: "):
                    value = self._last[name] = msgspec.json.decode(line[6:])
                    if name == event and is_it(value):
                        return value
        raise AssertionError(f"the stream has ended without {event!r}")

    async def ends(self) -> None:
        """Wait for its end."""
        async with asyncio.timeout(PATIENCE):
            await self._reader.read()


@asynccontextmanager
async def served(
    address: Address,
    *,
    can_act: bool = False,
    door: Door | None = None,
    opener: Callable[[str], Any] | None = None,
    linger: float = LINGER,
) -> AsyncIterator[Visitor]:
    """A page of a queue, served for as long as the block lasts."""

    def open_broker(queue: str) -> Broker:
        return connect(replace(address, queue=queue))

    async def names() -> list[str]:
        return [address.queue]

    house = House(address.shown, opener or open_broker, names, address.queue, can_act, USER)
    door = door or Door()
    listener = listen("127.0.0.1", 0)
    until = asyncio.Event()
    port = listener.getsockname()[1]
    serving = asyncio.create_task(serve(house, door, listener, until, linger))
    try:
        yield Visitor(port, door.let_in(port).partition(";")[0] if door.token else "")
    finally:
        until.set()
        async with asyncio.timeout(PATIENCE):
            await serving


async def _answer(reader: asyncio.StreamReader) -> Answer:
    status, headers = await _head(reader)
    if headers.get("transfer-encoding") == "chunked":
        body = b""
        while size := int(await reader.readline(), 16):
            body += await reader.readexactly(size)
            await reader.readline()
        return Answer(status, headers, body)
    return Answer(status, headers, await reader.readexactly(int(headers.get("content-length", "0"))))


async def _head(reader: asyncio.StreamReader) -> tuple[int, dict[str, str]]:
    line = await reader.readline()
    assert line, "the connection was closed without an answer"
    status = int(line.split()[1])
    headers = {}
    while told := (await reader.readline()).decode("latin-1").strip():
        name, _, value = told.partition(":")
        headers[name.lower()] = value.strip()
    return status, headers
