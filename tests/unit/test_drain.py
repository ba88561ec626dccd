"""How often a worker that drains looks for an end, by a clock that passes only while it sleeps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from warrener.worker.drain import Drain

if TYPE_CHECKING:
    from collections.abc import Callable

PAUSE = 3.0


class Scene:
    """A queue that is empty, and a worker that has nothing, from some time on."""

    def __init__(self, *, empty_at: float, is_idle: Callable[[float], bool] = lambda _: True) -> None:
        self.now = 0.0
        self.looks = 0
        self.drain_pause = PAUSE
        self._empty_at = empty_at
        self._is_idle = is_idle

    async def wait(self) -> None:
        """Until it is drained."""
        await Drain(self, lambda: self._is_idle(self.now), lambda: False, lambda: False).wait()  # type: ignore[arg-type]

    async def drained(self) -> bool:
        """As the broker says."""
        self.looks += 1
        return self.now >= self._empty_at

    async def sleep(self, seconds: float) -> None:
        """Nothing else takes time."""
        self.now += seconds

    def monotonic(self) -> float:
        """The time."""
        return self.now


@pytest.fixture
def play(monkeypatch: pytest.MonkeyPatch) -> Callable[[Scene], None]:
    """See how a scene ends."""

    def play(scene: Scene) -> None:
        monkeypatch.setattr("time.monotonic", scene.monotonic)
        monkeypatch.setattr("asyncio.sleep", scene.sleep)
        coroutine = scene.wait()
        with pytest.raises(StopIteration):
            coroutine.send(None)
        monkeypatch.undo()

    return play


def test_where_tasks_are_for_later_it_looks_once_a_second(play: Callable[[Scene], None]) -> None:
    scene = Scene(empty_at=60.0)

    play(scene)

    assert scene.looks < 70
    assert scene.now < 60.0 + 1.2 + PAUSE


def test_after_a_task_has_come_it_looks_at_once(play: Callable[[Scene], None]) -> None:
    scene = Scene(empty_at=30.0, is_idle=lambda now: not 29.5 <= now < 30.0)

    play(scene)

    assert scene.now < 30.2 + PAUSE


def test_broker_that_needs_no_second_look_is_asked_as_often_as_one_looks_at_all(
    play: Callable[[Scene], None],
) -> None:
    scene = Scene(empty_at=30.0)
    scene.drain_pause = 0.0

    play(scene)

    assert scene.now < 30.2
