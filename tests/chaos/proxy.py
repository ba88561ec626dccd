"""A proxy between AMQP 0-9-1 clients and the nodes of a broker: it balances load, and it cuts where it hurts most.

    async with Proxy([("127.0.0.1", 5672)]) as proxy:
        connect(f"amqp://user:password@127.0.0.1:{proxy.port}/%2F")
        await proxy.cut_at(Stage.BEFORE_ACK, skip=10)

It runs in a thread of its own, so that a test may wait for a process that talks through it. What is not AMQP, such
as the management API, passes through as it is.
"""

from __future__ import annotations

import asyncio
import dataclasses
import enum
import random
import socket
import struct
import threading
from concurrent.futures import Future
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

T = TypeVar("T")

CONNECT_TIMEOUT: Final = 2.0

_GREETING: Final = ord("A")  # of "AMQP" and four bytes more, with which a client begins
_GREETING_SIZE: Final = 8
_FRAME: Final = struct.Struct(
    ">BHL"
)  # type, channel, and length of the payload, after which comes one byte more
_NUMBERS: Final = struct.Struct(">HH")  # class and number of a method
_EXCHANGE: Final = _FRAME.size + _NUMBERS.size + 2  # where a publish has the length of its exchange's name
_AROUND: Final = _FRAME.size + 1
_METHOD: Final = 1
_WHOLE: Final = 2  # halves
_RESET: Final = struct.pack("ii", 1, 0)  # for SO_LINGER: closing drops what was not sent, and says so at once
_FROZEN: Final = "frozen"


class Stage(enum.Enum):
    """A moment in the life of a message, to cut a connection at."""

    BEFORE_PUBLISH = enum.auto()
    """A client's message is not forwarded."""
    MID_PUBLISH = enum.auto()
    """That a message comes is forwarded; its header and body not, or not all of them."""
    BEFORE_CONFIRM = enum.auto()
    """The broker has taken a message, and the client does not hear of it."""
    BEFORE_ACK = enum.auto()
    """A client's acknowledgement is not forwarded."""
    MID_ACK = enum.auto()
    """Half of the bytes of an acknowledgement are forwarded."""
    AFTER_ACK = enum.auto()
    """An acknowledgement is forwarded, and nothing after it."""


# Whether the client says it, and the method's class and number.
_PUBLISHES: Final = (True, 60, 40)
_ACKNOWLEDGES: Final = (True, 60, 80)
_CONFIRMS: Final = (False, 60, 80)
_TRIGGERS: Final = {
    Stage.BEFORE_PUBLISH: _PUBLISHES,
    Stage.MID_PUBLISH: _PUBLISHES,
    Stage.BEFORE_CONFIRM: _CONFIRMS,
    Stage.BEFORE_ACK: _ACKNOWLEDGES,
    Stage.MID_ACK: _ACKNOWLEDGES,
    Stage.AFTER_ACK: _ACKNOWLEDGES,
}


class Proxy:
    """Listens on a port of 127.0.0.1 and leads each connection to the first node that accepts it.

    Args:
        backends: Host and port of each node, in the order they are tried; `lead_to` changes them.
        chance: Decides where in a message `Stage.MID_PUBLISH` cuts.
    """

    def __init__(self, backends: Sequence[tuple[str, int]], *, chance: random.Random | None = None) -> None:
        self.port = 0  # known once it listens
        self.chance = chance or random.Random()
        self._backends = list(backends)
        self.armed: list[_Cut] = []
        self.wires: set[_Wire] = set()
        self._is_frozen = False
        self._loop = asyncio.new_event_loop()
        self._server: asyncio.Server | None = None
        self._opening: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)

    async def __aenter__(self) -> Self:
        self._thread.start()
        self.port = await asyncio.wrap_future(self._submit(self._listen()))
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.wrap_future(self._submit(self._close()))
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def cut_at(self, stage: Stage, *, skip: int = 0, exchange: str | None = None) -> asyncio.Future[None]:
        """Cut the next connection on which this happens.

        Args:
            stage: What.
            skip: How often it may happen before, on all connections together.
            exchange: For what is published, where to; anywhere without it.

        Returns:
            A future that is done once it is cut. Cancelling it lets the connection live.
        """
        cut = _Cut(stage, skip, exchange.encode() if exchange is not None else None)
        self._do(lambda: self.armed.append(cut))
        return asyncio.wrap_future(cut.done)

    def cut_all(self) -> int:
        """Cut every connection, and return how many there were."""

        def cut_all() -> int:
            wires = list(self.wires)
            for wire in wires:
                wire.cut()
            return len(wires)

        return self._do(cut_all)

    def freeze(self) -> None:
        """Forward nothing more, and keep all connections: only a heartbeat finds that out."""
        self._do(lambda: self._set_frozen(True))

    def thaw(self) -> None:
        """Forward again, first what has come meanwhile."""
        self._do(lambda: self._set_frozen(False))

    def lead_to(self, backends: Sequence[tuple[str, int]]) -> None:
        """Lead new connections to these nodes."""

        def change() -> None:
            self._backends = list(backends)

        self._do(change)

    @property
    def connections(self) -> int:
        """How many connections lead to a node now."""
        return self._do(lambda: len(self.wires))

    # --- in the proxy's own thread

    async def _listen(self) -> int:
        self._server = await self._loop.create_server(lambda: _Side(self._accepted), "127.0.0.1", 0)
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def _close(self) -> None:
        if self._server:
            self._server.close()
        while self._opening or self.wires:
            for task in self._opening:
                task.cancel()
            for wire in self.wires:
                wire.cut()
            await asyncio.sleep(0.001)

    def _accepted(self, client: _Side) -> None:
        client.hold(_FROZEN)
        task = self._loop.create_task(self._connect(client))
        self._opening.add(task)
        task.add_done_callback(self._opening.discard)

    async def _connect(self, client: _Side) -> None:
        server = _Side()
        try:
            for host, port in self._backends:
                with suppress(OSError):
                    async with asyncio.timeout(CONNECT_TIMEOUT):
                        await self._loop.create_connection(lambda: server, host, port)
                    break
        finally:
            if client.is_open and server.is_open:
                wire = _Wire(self, client, server)
                self.wires.add(wire)
                wire.hold()
                if not self._is_frozen:
                    wire.release()
            else:
                client.cut()
                server.cut()

    def _set_frozen(self, is_frozen: bool) -> None:
        self._is_frozen = is_frozen
        for wire in self.wires:
            (wire.hold if is_frozen else wire.release)()

    def _submit(self, coroutine: Coroutine[Any, Any, T]) -> Future[T]:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop)

    def _do(self, deed: Callable[[], T]) -> T:
        async def do() -> T:
            return deed()

        return self._submit(do()).result()


# What follows is private.


@dataclasses.dataclass(eq=False)
class _Cut:
    """A cut that is waiting for its moment."""

    stage: Stage
    skip: int
    exchange: bytes | None
    done: Future[None] = dataclasses.field(default_factory=Future)

    def is_due(self, frame: memoryview) -> bool:
        """Whether its moment has come with this frame, which is one it waits for."""
        if self.done.cancelled() or (self.exchange is not None and self.exchange != _exchange(frame)):
            return False
        self.skip -= 1
        return self.skip < 0

    def finish(self) -> None:
        """Tell that it is done."""
        if self.done.set_running_or_notify_cancel():
            self.done.set_result(None)


def _exchange(frame: memoryview) -> bytes:
    """Where a basic.publish goes to."""
    size = frame[_EXCHANGE]
    return bytes(frame[_EXCHANGE + 1 : _EXCHANGE + 1 + size])


class _Side(asyncio.Protocol):
    """One end of a connection through the proxy: towards the client, or towards the node."""

    def __init__(self, on_made: Callable[[_Side], None] | None = None) -> None:
        self.wire: _Wire | None = None
        self.is_open = False
        self.is_gone = True
        self.pending = b""  # the beginning of a frame whose end has not come
        self._on_made = on_made
        self._reasons: set[str] = set()

    def hold(self, reason: str) -> None:
        """Read nothing more."""
        if not self._reasons and self.is_open:
            self._transport.pause_reading()
        self._reasons.add(reason)

    def release(self, reason: str) -> None:
        """Read again, unless there is another reason to hold."""
        if self._reasons == {reason} and self.is_open:
            self._transport.resume_reading()
        self._reasons.discard(reason)

    def write(self, data: bytes | memoryview) -> None:
        """Send this."""
        if self.is_open:
            self._transport.write(data)

    def end(self) -> None:
        """End it after what is written has gone out."""
        if self.is_open:
            self.is_open = False
            self._transport.close()

    def cut(self) -> None:
        """End it with a reset."""
        if not self.is_gone:
            self.is_open = False
            own: socket.socket = self._transport.get_extra_info("socket")
            own.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self.is_open = True
        self.is_gone = False
        if self._on_made:
            self._on_made(self)

    def data_received(self, data: bytes) -> None:
        if self.wire:
            self.wire.forward(self, data)

    def pause_writing(self) -> None:
        if self.wire:
            self.wire.other(self).hold("full")

    def resume_writing(self) -> None:
        if self.wire:
            self.wire.other(self).release("full")

    def connection_lost(self, _: Exception | None) -> None:
        self.is_open = False
        self.is_gone = True
        if self.wire:
            self.wire.ended(self)


class _Wire:
    """A connection through the proxy."""

    def __init__(self, proxy: Proxy, client: _Side, server: _Side) -> None:
        self._proxy = proxy
        self._client = client
        self._server = server
        self._is_amqp: bool | None = None  # the first byte tells
        self._is_cut = False
        self._publish: tuple[_Cut, int] | None = None  # cut this after so many halves of frames
        client.wire = server.wire = self

    def other(self, side: _Side) -> _Side:
        """The other end."""
        return self._server if side is self._client else self._client

    def hold(self) -> None:
        """Forward nothing."""
        self._client.hold(_FROZEN)
        self._server.hold(_FROZEN)

    def release(self) -> None:
        """Forward again."""
        self._client.release(_FROZEN)
        self._server.release(_FROZEN)

    def cut(self) -> None:
        """End both sides with a reset."""
        self._is_cut = True
        self._client.cut()
        self._server.cut()

    def ended(self, side: _Side) -> None:
        """One side is gone, and so the other has to go."""
        self.other(side).end()
        if self._publish and not self._is_cut:  # the rest of the message will not come
            self._proxy.armed.append(self._publish[0])
            self._publish = None
        if self._client.is_gone and self._server.is_gone:
            self._proxy.wires.discard(self)

    def forward(self, side: _Side, data: bytes) -> None:
        """Send on what has come from one side, in whole frames, up to where it is to be cut."""
        if self._is_cut:
            return
        if self._is_amqp is None:
            self._is_amqp = data[0] == _GREETING
        if not self._is_amqp:
            self.other(side).write(data)
            return
        data = side.pending + data if side.pending else data
        end, cut = self._look(memoryview(data), is_client=side is self._client)
        side.pending = data[end:]
        self.other(side).write(data if end == len(data) else data[:end])
        if cut:
            # What was to be forwarded must arrive, so on that side the connection ends without a reset.
            self._is_cut = True
            self.other(side).end()
            side.cut()
            cut.finish()

    def _look(self, data: memoryview, *, is_client: bool) -> tuple[int, _Cut | None]:
        """Up to where to forward: to the end of the last whole frame, or to the cut that is returned."""
        position, size, armed = 0, len(data), self._proxy.armed
        while size - position >= _AROUND:
            kind, _, length = _FRAME.unpack_from(data, position)
            end = position + (_AROUND + length if kind != _GREETING else _GREETING_SIZE)
            if end > size:
                break
            if self._publish and is_client:
                cut, halves = self._publish
                if halves < _WHOLE:
                    return position + halves * (end - position) // _WHOLE, cut
                self._publish = cut, halves - _WHOLE
            elif armed and kind == _METHOD and (due := self._due(data[position:end], is_client=is_client)):
                armed.remove(due)
                if due.stage is Stage.MID_PUBLISH:
                    self._publish = due, self._proxy.chance.randrange(2 * _WHOLE)
                elif due.stage is Stage.MID_ACK:
                    return (position + end) // 2, due
                else:
                    return end if due.stage is Stage.AFTER_ACK else position, due
            position = end
        return position, None

    def _due(self, frame: memoryview, *, is_client: bool) -> _Cut | None:
        """The first cut whose moment has come with this frame of a method."""
        method = (is_client, *_NUMBERS.unpack_from(frame, _FRAME.size))
        due = [cut for cut in self._proxy.armed if method == _TRIGGERS[cut.stage] and cut.is_due(frame)]
        return due[0] if due else None
