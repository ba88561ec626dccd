"""A real Chromium without a window, driven over a pipe: Debian's, since no other browser can be had everywhere.

    with Chromium() as browser:
        page = browser.open("http://127.0.0.1:8080/")
        page.wait("document.querySelector('h1')")

Browsers' own protocol (CDP) is JSON over two file descriptors, which needs neither a port nor a driver of a hundred megabytes.
"""

from __future__ import annotations

import json
import os
import select
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from tests.debian_root import HOME, DebianRoot, NotMade

if TYPE_CHECKING:
    from collections.abc import Callable

PATIENCE: Final = 180.0
_NAMES: Final = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
_PACKAGES: Final = ("chromium-headless-shell", "fonts-dejavu-core")
_OPTIONS: Final = (
    "--headless",
    "--no-sandbox",  # root in a container has none
    "--disable-gpu",
    "--in-process-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-extensions",
    "--force-color-profile=srgb",
    "--hide-scrollbars",
    "--no-first-run",
    "--remote-debugging-pipe",
)


class NoBrowser(Exception):  # noqa: N818 - reads as what is the case, like the stdlib's StopIteration
    """There is no Chromium to be had here; the message says what to do about it."""


class Failed(AssertionError):  # noqa: N818 - as above
    """What was asked of the page it could not do."""


class Chromium:
    """One browser with a profile of its own that is forgotten at its end."""

    def __init__(self) -> None:
        self._directory = Path(tempfile.mkdtemp(prefix="warrener-browser-"))
        command, home = _find(self._directory)
        words = [*command, *_OPTIONS, f"--user-data-dir={home}/profile", "about:blank"]
        self._said = self._directory / "said"
        with self._said.open("wb") as said:
            # It reads from descriptor 3 and writes to 4.
            self._process = subprocess.Popen(
                ["sh", "-c", 'exec 3<&0 4>&1 </dev/null >&2; exec "$@"', "sh", *words],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=said,
                bufsize=0,
            )
        self._rest = b""
        self._number = 0
        self._answers: dict[int, dict[str, Any]] = {}
        self._listeners: dict[str, Callable[[str, dict[str, Any]], None]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End it."""
        _input(self._process).close()  # the end of which is its end
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        _output(self._process).close()
        shutil.rmtree(self._directory, ignore_errors=True)

    def ask(
        self, method: str, session: str | None = None, patience: float = PATIENCE, **given: Any
    ) -> dict[str, Any]:
        """What it answers to a method of its protocol."""
        number = self.tell(method, session, **given)
        end = time.monotonic() + patience
        while number not in self._answers:
            self.listen(end - time.monotonic())
        answer = self._answers.pop(number)
        if "error" in answer:
            raise Failed(f"{method}: {answer['error']}")
        result: dict[str, Any] = answer["result"]
        return result

    def tell(self, method: str, session: str | None = None, **given: Any) -> int:
        """Ask, and wait for no answer; the number of the question."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": given}
        if session:
            message["sessionId"] = session
        data = memoryview(json.dumps(message).encode() + b"\0")
        while data:
            data = data[_input(self._process).write(data) :]
        return self._number

    def listen(self, patience: float) -> None:
        """Take in what it says, if it says something within so many seconds."""
        if not select.select([_output(self._process)], [], [], max(0, patience))[0]:
            raise Failed(
                f"the browser is silent: {(self._directory / 'said').read_text('utf-8', 'replace')[-2000:]}"
            )
        data = _output(self._process).read(1 << 20)
        if not data:
            raise Failed(
                f"the browser has ended: {(self._directory / 'said').read_text('utf-8', 'replace')[-2000:]}"
            )
        *whole, self._rest = (self._rest + data).split(b"\0")
        for text in whole:
            message = json.loads(text)
            if "id" in message:
                self._answers[message["id"]] = message
            elif listener := self._listeners.get(message.get("sessionId", "")):
                listener(message["method"], message["params"])

    def _complaint(self) -> str:
        return self._said.read_text("utf-8", "replace")[-2000:]

    def attend(self, session: str, listener: Callable[[str, dict[str, Any]], None]) -> None:
        """Let somebody hear of what happens in a page."""
        self._listeners[session] = listener


def _input(process: subprocess.Popen[bytes]) -> Any:
    return process.stdin


def _output(process: subprocess.Popen[bytes]) -> Any:
    return process.stdout


def _find(directory: Path) -> tuple[list[str], str]:
    """A command that starts one, and what it calls our directory.

    Raises:
        NoBrowser: There is none.
    """
    if given := os.environ.get("WARRENER_TEST_BROWSER"):
        return [given], str(directory)
    if installed := next(filter(None, map(shutil.which, _NAMES)), None):
        return [installed], str(directory)
    try:
        root = DebianRoot.find("browser", _PACKAGES)
    except NotMade as error:
        raise NoBrowser(
            f"No Chromium here, and {error}: install one, or name one in WARRENER_TEST_BROWSER."
        ) from error
    if root is None:
        raise NoBrowser(
            "No Chromium here: install one (Debian's chromium), or name one in WARRENER_TEST_BROWSER."
        )
    return [*root.inside(directory), _NAMES[0]], HOME
