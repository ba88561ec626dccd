"""A page in a real browser: what a person sees and does there, and what the browser complains of."""

from __future__ import annotations

import base64
import json
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from tests.web.chromium import PATIENCE, Chromium, Failed

if TYPE_CHECKING:
    from pathlib import Path

_KEYS: Final = {
    "Enter": ("\r", 13),
    "Escape": ("", 27),
    "Tab": ("", 9),
    "ArrowLeft": ("", 37),
    "Home": ("", 36),
}
# What the strict policy refused is told before any script of the page runs.
_WATCH: Final = """
document.addEventListener("securitypolicyviolation", (event) => refused(`${event.violatedDirective} ${event.blockedURI} ${event.sample}`));
"""


class Page:
    """A tab.

    Args:
        browser: Its browser.
        width: Of its window, in CSS pixels.
        height: As the width.
        is_dark: Whether the system is dark.
    """

    def __init__(
        self, browser: Chromium, *, width: int = 1280, height: int = 900, is_dark: bool = False
    ) -> None:
        self.complaints: list[str] = []
        """Exceptions, errors on the console, requests that failed, and what its own policy forbade."""
        self._browser = browser
        self._answer = self._kind = ""
        self._context = browser.ask("Target.createBrowserContext")["browserContextId"]
        target = browser.ask("Target.createTarget", url="about:blank", browserContextId=self._context)[
            "targetId"
        ]
        attached = browser.ask("Target.attachToTarget", targetId=target, flatten=True)
        self._session: str = attached["sessionId"]
        browser.attend(self._session, self._hear)
        for domain in ("Page", "Runtime", "Log"):
            self.ask(f"{domain}.enable")
        self.ask("Runtime.addBinding", name="refused")
        self.ask("Page.addScriptToEvaluateOnNewDocument", source=_WATCH)
        self.resize(width, height)
        self.see(is_dark=is_dark)

    def close(self) -> None:
        """Close it, and forget what it kept."""
        self._browser.ask("Target.disposeBrowserContext", browserContextId=self._context)

    def ask(self, method: str, **given: Any) -> dict[str, Any]:
        """What the browser answers about this page."""
        return self._browser.ask(method, self._session, **given)

    def resize(self, width: int, height: int = 900) -> None:
        """Give the window another size."""
        self.ask(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )

    def see(self, *, is_dark: bool) -> None:
        """Make the system dark or light; nothing moves."""
        features = [
            ("prefers-color-scheme", "dark" if is_dark else "light"),
            ("prefers-reduced-motion", "reduce"),
        ]
        self.ask(
            "Emulation.setEmulatedMedia",
            features=[{"name": name, "value": value} for name, value in features],
        )

    def open(self, url: str) -> None:
        """Go to an address, and wait until it has been drawn."""
        self.ask("Page.navigate", url=url)
        self.wait("document.readyState === 'complete' && document.querySelector('main, body > pre')")

    def follow(self, url: str) -> None:
        """Go to another view of what is open, as a link does: nothing is loaded anew, and its first frame has been drawn."""
        frame = "new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(() => drawn())))"
        path = json.dumps(url[url.index("/?") :])
        self.run(f"import('/static/route.js').then(({{ go }}) => go({path})).then(() => {frame})")

    def run(self, script: str) -> Any:
        """The value of an expression in the page."""
        found = self.ask("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        if problem := found.get("exceptionDetails"):
            raise Failed(f"{script}: {problem.get('exception', {}).get('description', problem)}")
        return found["result"].get("value")

    def wait(self, script: str, patience: float = PATIENCE) -> Any:
        """The value of an expression once it is true."""
        end = time.monotonic() + patience
        while True:
            try:
                value = self.run(script)
                if value not in (None, False, 0, ""):  # an element comes as {}
                    return value
            except Failed as error:
                if "Cannot find context" not in str(error) and "navigat" not in str(
                    error
                ):  # it is on its way
                    raise
            if time.monotonic() > end:
                text = self.run("document.body?.innerText")
                raise Failed(f"never true: {script}\n{self.complaints}\n{text}")
            time.sleep(0.05)

    def has(self, text: str, where: str = "body") -> None:
        """Wait until this can be read there."""
        self.wait(
            f"[...document.querySelectorAll({json.dumps(where)})].some((found) => found.innerText.includes({json.dumps(text)}))"
        )

    def text(self, where: str = "body") -> str:
        """What can be read there."""
        return str(self.run(f"document.querySelector({json.dumps(where)})?.innerText ?? ''"))

    def press(self, *keys: str) -> None:
        """Press keys, as a person does."""
        for key in keys:
            text, code = _KEYS.get(key, (key, ord(key[0].upper())))
            given = {"key": key, "text": text, "windowsVirtualKeyCode": code}
            if key == "?":
                given["modifiers"] = 8
            self.ask("Input.dispatchKeyEvent", type="keyDown" if text else "rawKeyDown", **given)
            self.ask("Input.dispatchKeyEvent", type="keyUp", key=key, windowsVirtualKeyCode=code)

    def press_until(self, script: str, *keys: str) -> None:
        """Press keys one after the other, which a busy machine may part by more than a second, until something is so."""
        for _ in range(20):
            self.press(*keys)
            with suppress(Failed):
                self.wait(script, 3)
                return
        raise Failed(f"{keys} did nothing: {script}")

    def type(self, text: str) -> None:
        """Type into what has the focus."""
        self.ask("Input.insertText", text=text)

    def click(self, where: str, text: str = "") -> None:
        """Click the middle of the first thing there that has this text, once it is there."""
        found = f"""(() => {{
            const found = [...document.querySelectorAll({json.dumps(where)})].find(
                (one) => one.innerText.includes({json.dumps(text)}) && one.offsetParent && !one.disabled);
            if (!found) return null;
            found.scrollIntoView({{ block: "center" }});
            const box = found.getBoundingClientRect();
            return [box.left + box.width / 2, box.top + box.height / 2];
        }})()"""
        left, top = self.wait(found)
        for kind in ("mousePressed", "mouseReleased"):
            self.ask("Input.dispatchMouseEvent", type=kind, x=left, y=top, button="left", clickCount=1)

    def screenshot(self, path: Path, *, is_whole: bool = False) -> None:
        """Keep what is seen, or all of the page, as PNG or WebP."""
        how = {"format": path.suffix[1:], "captureBeyondViewport": is_whole}
        found = self.ask("Page.captureScreenshot", **how, **(self._whole() if is_whole else {}))
        path.write_bytes(base64.b64decode(found["data"]))

    def answer(self, pattern: str, content: object) -> None:
        """Have requests for such addresses answered with this, without asking the server; a text is a stream of events."""
        self._kind = "text/event-stream" if isinstance(content, str) else "application/json"
        body = content if isinstance(content, str) else json.dumps(content)
        self._answer = base64.b64encode(body.encode()).decode()
        self.ask("Fetch.enable", patterns=[{"urlPattern": pattern}])

    def _whole(self) -> dict[str, Any]:
        size = self.ask("Page.getLayoutMetrics")["cssContentSize"]
        return {"clip": {**size, "scale": 1}}

    def _hear(self, method: str, given: dict[str, Any]) -> None:
        if method == "Runtime.bindingCalled":
            self.complaints.append(f"its policy forbade {given['payload']}")
        elif method == "Fetch.requestPaused":
            self._browser.tell(
                "Fetch.fulfillRequest",
                self._session,
                requestId=given["requestId"],
                responseCode=200,
                responseHeaders=[{"name": "Content-Type", "value": self._kind}],
                body=self._answer,
            )
        elif method == "Runtime.exceptionThrown":
            details = given["exceptionDetails"]
            self.complaints.append(details.get("exception", {}).get("description", details["text"]))
        elif method == "Log.entryAdded" and given["entry"]["level"] == "error":
            self.complaints.append(f"{given['entry']['text']} {given['entry'].get('url', '')}")
        elif method == "Runtime.consoleAPICalled" and given["type"] in {"error", "assert"}:
            self.complaints.append(str([one.get("value", one.get("description")) for one in given["args"]]))
