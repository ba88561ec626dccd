"""What a task prints is its own: whole lines, in the worker's log at once, and kept with the attempt that fails."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from tests.batch import drain, failures, publish, task
from warrener.brokers import connect
from warrener.logs import read
from warrener.stderr import stderr
from warrener.worker.manifest import ChildSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from warrener.address import Address

APP: Final = str(Path(__file__).with_name("printing_app.py"))
ASYNC_APP: Final = str(Path(__file__).with_name("printing_async_app.py"))
NAMES: Final = [f"t{n}" for n in range(24)]


@pytest.fixture(autouse=True)
def _buffered(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As Python is where nobody has told it otherwise."""
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)
    yield
    stderr().flush()


@pytest.mark.parametrize(
    ("settings", "processes"),
    [
        pytest.param(ChildSettings(APP), 3, id="alone"),
        pytest.param(ChildSettings(APP, threads=8), 1, id="threads"),
        pytest.param(ChildSettings(ASYNC_APP, concurrency=8), 1, id="async"),
    ],
)
async def test_lines_are_whole_and_led_by_their_task(
    address: Address, settings: ChildSettings, processes: int, capfd: pytest.CaptureFixture[str]
) -> None:
    await publish(address, [task("say", name, name=name) for name in NAMES])

    await drain(address, settings=settings, processes=processes)

    lines = _shown(capfd)
    for name in NAMES:
        assert [line for line in lines if line.startswith(f"{name} | ")] == _said(name)
    others = [line for line in lines if " | " not in line]
    assert others == (["the app is imported"] if settings.app == APP else [])


async def test_what_others_print_for_a_task_is_its_own_too(
    address: Address, capfd: pytest.CaptureFixture[str]
) -> None:
    await publish(
        address,
        [task("start", "a", name="a"), task("share", "b", name="b"), task("close", "c", name="c")],
    )

    await drain(address, settings=ChildSettings(APP), processes=2)

    lines = _shown(capfd)
    assert [line for line in lines if line.startswith("a | ")] == [
        "a | a writes to descriptors",
        "a | a runs",
        "a | a warns",
    ]
    shared = sorted(f"b | b says {n} from a thread" for n in range(200))
    assert sorted(line for line in lines if line.startswith("b | ")) == shared
    assert [line for line in lines if line.startswith("c | ")] == ["c | c has closed it"]


async def test_what_is_printed_in_c_or_after_a_task_that_shut_stdout_is_there(
    address: Address, capfd: pytest.CaptureFixture[str]
) -> None:
    await publish(address, [task("shut", "a", 9, name="a"), *(task("puts", n, name=n) for n in "bc")])

    await drain(address, settings=ChildSettings(APP), processes=1)

    lines = _shown(capfd)
    assert lines[:2] == ["the app is imported", "a has shut stdout"]
    assert sorted(lines[2:]) == sorted(
        f"{n} {did}" for n in "bc" for did in ("prints", "puts", "runs", "has no end")
    )


@pytest.mark.parametrize("how", ["exit", "segfault", "hang", "raise"])
async def test_output_of_an_attempt_that_fails_is_kept_with_it(
    address: Address, how: str, capfd: pytest.CaptureFixture[str]
) -> None:
    await publish(address, [task("end", "t", name="t", how=how)])

    await drain(address, settings=ChildSettings(APP))

    lines = _shown(capfd)
    (attempt,) = (await failures(address))["t"].history
    assert lines[:3] == ["the app is imported", "t begins", "t goes on"]  # nobody shares it, so nobody leads
    if how == "raise":
        assert lines[3].startswith("\x1b[31mxxxx")  # exact, where there is no terminal
        assert len(attempt.output) == 4096 - 2
        assert attempt.output.endswith("xxxx \N{REPLACEMENT CHARACTER}\n")
    else:
        assert attempt.output == "t begins\nt goes on\n"


async def test_threads_and_coroutines_that_fail_keep_what_they_have_printed(address: Address) -> None:
    await publish(address, [task("fail", name, name=name) for name in NAMES])

    await drain(address, settings=ChildSettings(ASYNC_APP, concurrency=8))

    found = await failures(address)
    assert {name: found[name].history[0].output for name in found} == {n: f"{n} begins\n" for n in NAMES}


@pytest.mark.parametrize("threads", [1, 4])
async def test_command_that_fails_has_what_it_said_and_no_traceback(
    address: Address, threads: int, capfd: pytest.CaptureFixture[str]
) -> None:
    script = 'echo {data.name} says; echo "{data.name} warns" >&2; exit {data.code}'
    settings = ChildSettings(command=script, is_shell=True, threads=threads, retries=0)
    await publish(address, [task("any", name, name=name, code=code) for name, code in (("a", 3), ("b", 65))])

    await drain(address, settings=settings, processes=2)

    found = await failures(address)
    assert {name: (found[name].reason, found[name].error, found[name].message) for name in found} == {
        "a": ("exhausted", "CommandFailed", "exit code 3: a warns"),
        "b": ("permanent", "CommandRefused", "exit code 65: b warns"),
    }
    assert {(found[n].history[0].output, found[n].history[0].traceback) for n in "ab"} == {
        (f"{name} warns\n{name} says\n", "") for name in "ab"
    }
    assert {"a | a warns", "a | a says", "b | b warns", "b | b says"} <= set(_shown(capfd))


@pytest.mark.parametrize(
    "settings",
    [pytest.param(ChildSettings(APP), id="alone"), pytest.param(ChildSettings(APP, threads=4), id="threads")],
)
async def test_all_that_attempts_print_is_kept_where_that_is_wanted(
    address: Address, settings: ChildSettings
) -> None:
    await publish(address, [task("say", name, name=name) for name in NAMES])
    if settings.threads == 1:  # or it would have those beside it run again
        await publish(address, [task("end", "end", name="end", how="segfault")])

    await drain(address, settings=settings, processes=2, keeps_output=True)

    kept: dict[str, bytes] = {}
    outcomes: dict[str, str] = {}
    async with connect(address) as broker:
        async for piece in read(broker):
            kept[piece.task_id] = kept.get(piece.task_id, b"") + piece.printed
            outcomes[piece.task_id] = piece.outcome
    for name in NAMES:
        printed = "".join(f"{line.removeprefix(f'{name} | ')}\n" for line in _said(name))
        assert kept[name] == printed.encode().removesuffix(b"\n")
    if settings.threads == 1:
        assert kept["end"] == b"end begins\nend goes on\n"
        assert outcomes.pop("end") == "failed"
    assert outcomes == dict.fromkeys(NAMES, "completed")


def _said(name: str) -> list[str]:
    lines = [line for n in range(3) for line in (f"{name} says {n}", f"{name} warns {n}")]
    lines += [rf"{name} logs \udcff", f"{name} writes bytes", f"{name} has no end"]
    return [f"{name} | {line}" for line in lines]


def _shown(capfd: pytest.CaptureFixture[str]) -> list[str]:
    stderr().flush()
    return [line for line in capfd.readouterr().err.splitlines() if " INFO " not in line]
