"""A command as a handler: whatever it writes and however it ends, its task has a result or an error of ours."""

from __future__ import annotations

import json
import shlex
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.batch import APP, drain, failures, publish, task
from tests.fuzz.strategies import fragments
from warrener.codec import encode
from warrener.errors import PermanentError, TransientError
from warrener.models import Task
from warrener.worker.command import command_handler
from warrener.worker.manifest import ChildSettings

if TYPE_CHECKING:
    from warrener.address import Address

outputs = st.binary() | fragments.map(lambda text: text.encode("utf-8", "surrogatepass"))
# What ends no process, and what is ignored in us, and so in all that we start, as under nohup or in the background.
_HARMLESS: Final = {17, 18, 19, 20, 21, 22, 23, 28} | {
    number for number in signal.valid_signals() if signal.getsignal(number) is signal.SIG_IGN
}
endings = st.integers(0, 255).map("exit {}".format) | st.integers(1, 64).filter(
    lambda number: number not in _HARMLESS
).map("kill -{} $$".format)


@given(outputs, st.binary(), endings)
@settings(max_examples=50)
@example(b"[" * 5000 + b"]" * 5000, b"", "exit 0")
@example(b"\xff", b"\xff\n\xfe", "exit 65")
@example(b"", b"\x1b[2J" * 10_000, "exit 1")
@example(b"", b"", "kill -40 $$")
@example(b"1 2", b"", "exit 0")
def test_command_has_a_result_or_one_of_our_errors(
    place: str, output: bytes, errors: bytes, ending: str
) -> None:
    directory = Path(place)
    (directory / "out").write_bytes(output)
    (directory / "errors").write_bytes(errors)
    script = directory / "end"
    script.write_text(f"cat {shlex.quote(place)}/out; cat {shlex.quote(place)}/errors >&2; {ending}\n")
    handler = command_handler(ChildSettings(command=f"sh {shlex.quote(str(script))}", max_result=2 * 10**6))

    try:
        value = handler.function(task=Task("i", "t", {"a": 1}))
    except PermanentError as error:
        assert ending in {"exit 0", "exit 65"}
        assert str(error)
    except TransientError as error:
        assert ending not in {"exit 0", "exit 65"}
        assert str(error).startswith(("exit code", "killed by"))
    else:
        assert ending == "exit 0"
        assert encode(value)
        assert not output.strip() or json.loads(encode(value)) == value


@pytest.mark.parametrize("number", [9, 40])
async def test_child_killed_by_any_signal_costs_an_attempt_and_not_the_worker(
    sqlite_address: Address, number: int
) -> None:
    await publish(sqlite_address, [task("any", "t")])
    settings = ChildSettings(command=f"sh -c 'kill -{number} $PPID; sleep 60'", retries=0)

    await drain(sqlite_address, settings=settings)

    (found,) = (await failures(sqlite_address)).values()
    assert (found.reason, found.error) == ("crashed", "Crashed")
    assert "was killed by" in found.message


@pytest.mark.parametrize("after", ['"soon"', "10**400", "float('nan')", "object()", "-1"])
async def test_delay_that_is_none_leaves_the_retry_to_the_policy(
    sqlite_address: Address, tmp_path: Path, after: str
) -> None:
    app = tmp_path / "app_after.py"
    app.write_text(
        "from warrener import App, TransientError\n"
        "app = App(retries=1, base=0.01)\n"
        "@app.task\n"
        f"def odd() -> None: raise TransientError('later', after={after})\n"
    )
    await publish(sqlite_address, [task("odd", "t")])

    await drain(sqlite_address, settings=ChildSettings(str(app)))

    (found,) = (await failures(sqlite_address)).values()
    assert (found.reason, found.attempts) == ("exhausted", 2)


async def test_message_of_any_length_is_kept_short(sqlite_address: Address) -> None:
    wrong: dict[str, Any] = {"x\n" * 100_000: 1}
    await publish(sqlite_address, [task("echo", "member", **wrong), task("\x01" * 255, "type")])

    await drain(sqlite_address, settings=ChildSettings(APP))

    found = await failures(sqlite_address)
    assert {found[name].reason for name in found} == {"invalid", "unknown-type"}
    assert all(len(failure.message.encode()) <= 1024 for failure in found.values())
