"""The page on testing, followed to the letter."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

from tests.documents import Document

if TYPE_CHECKING:
    from pathlib import Path


def test_tests_that_are_shown_pass(tmp_path: Path) -> None:
    files = Document("docs/testing.md").files()
    assert set(files) == {"app.py", "test_app.py"}
    for name, text in files.items():
        (tmp_path / name).write_text(text)

    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-W", "error", "--rootdir", ".", "-p", "no:cacheprovider"],
        cwd=tmp_path,
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout
    assert "2 passed" in done.stdout
