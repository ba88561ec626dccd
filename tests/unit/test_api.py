"""What `import warrener` gives, and what it costs."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version

import pytest

import warrener


def test_public_names_are_listed_and_there() -> None:
    assert set(warrener.__all__) < set(dir(warrener))
    assert all(getattr(warrener, name) for name in dir(warrener))
    assert warrener.__version__ == version("warrener")
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        warrener.nothing  # noqa: B018 - it raises


@pytest.mark.parametrize(
    "wanted", ["", "warrener.App", "warrener.Task('a', 'b')", "warrener.errors", "warrener.__version__"]
)
def test_importing_it_imports_no_other_library_than_it_needs(wanted: str) -> None:
    code = (
        f"import sys, warrener, warrener.errors\n{wanted}\nprint(*{{m.split('.')[0] for m in sys.modules}})"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)

    assert {"pika", "rich", "click", "typer", "pydantic", "sqlite3", "asyncio", "lightkube"} & set(
        done.stdout.split()
    ) == set()
