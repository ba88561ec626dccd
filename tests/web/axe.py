"""What axe-core finds to be in somebody's way: the accessibility rules of WCAG 2.2, A and AA.

Its 0.6 MB are not ours to carry about. A package on PyPI has them, whose own code nobody needs; so only its wheel is fetched,
once, into `~/.cache/warrener`.
"""

from __future__ import annotations

import fcntl
import functools
import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from tests.web.page import Page

_PACKAGE: Final = "axe-playwright-python==0.1.8"
_NAME: Final = "axe-4.12.1.js"
_RULES: Final = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


def findings(page: Page, *rules: str) -> list[str]:
    """What it finds on a page, by these rules or by all: each rule with what breaks it."""
    if page.run("typeof axe") == "undefined":
        page.run(_source())
    found: list[str] = page.run(f"""
        axe.run(document, {{ runOnly: {list(rules) or _RULES}, resultTypes: ["violations"] }}).then(({{ violations }}) => violations.flatMap(
            ({{ id, nodes }}) => nodes.map((node) => `${{id}}: ${{node.html.slice(0, 200)}} ${{node.failureSummary}}`)))
    """)
    return found


@functools.cache
def _source() -> str:
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "warrener"
    cache.mkdir(parents=True, exist_ok=True)
    kept = cache / _NAME
    with (cache / f"{_NAME}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not kept.exists():
            unfinished = kept.with_suffix(".unfinished")
            unfinished.write_text(_fetched(), "utf-8")
            unfinished.rename(kept)
    return kept.read_text("utf-8")


def _fetched() -> str:
    with tempfile.TemporaryDirectory() as directory:
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", directory, _PACKAGE]
        subprocess.run(pip, check=True, stdin=subprocess.DEVNULL)
        [wheel] = Path(directory).glob("*.whl")
        with zipfile.ZipFile(wheel) as packed:
            return packed.read("axe_playwright_python/axe.min.js").decode()
