"""What is published, as somebody has it who installs it: the wheel and the sdist, in environments of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from tests.documents import ROOT

if TYPE_CHECKING:
    from warrener.address import Address

UV: Final = Path(sys.executable).with_name("uv")
PYTHONS: Final = ("3.11", "3.12", "3.13")
APP: Final = """\
from warrener import App

app = App()


@app.task
def double(number: int) -> int:
    return 2 * number


@app.task
async def halve(number: int) -> float:
    return number / 2
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the wheel and the sdist."""
    directory = tmp_path_factory.mktemp("built")
    _run(UV, "build", "--quiet", "--out-dir", directory, ROOT)
    return directory


def test_wheel_and_sdist_have_the_package_and_nothing_else(built: Path) -> None:
    with zipfile.ZipFile(_only(built, "*.whl")) as wheel:
        files = wheel.namelist()
    assert "warrener/py.typed" in files
    assert {name.split("/")[0].split("-")[0] for name in files} == {"warrener"}

    with tarfile.open(_only(built, "*.tar.gz")) as sdist:
        names = {Path(*Path(name).parts[1:]).as_posix() for name in sdist.getnames()}
    assert {"LICENSE", "README.md", "pyproject.toml", "src/warrener/py.typed"} <= names
    assert not any(name.startswith((".venv", ".warrener")) for name in names)


@pytest.mark.parametrize(
    ("version", "kind"),
    [
        *((version, "*.whl") for version in PYTHONS),
        (PYTHONS[0], "*.tar.gz"),
        # The wheel that is made of it is the same for each.
        *(pytest.param(version, "*.tar.gz", marks=pytest.mark.long) for version in PYTHONS[1:]),
    ],
)
def test_each_python_that_is_there_runs_a_batch(built: Path, tmp_path: Path, version: str, kind: str) -> None:
    interpreter = _interpreter(version)
    if not interpreter:
        pytest.skip(f"there is no Python {version} on this machine")
    _runs_a_batch(_installed(tmp_path, _only(built, kind), interpreter), tmp_path)


def test_lowest_allowed_dependencies_run_a_batch_on_rabbitmq(
    built: Path, tmp_path: Path, rabbit_address: Address
) -> None:
    wheel = _only(built, "*.whl")
    python = _installed(
        tmp_path, Path(f"{wheel}[kubernetes]"), sys.executable, "--resolution", "lowest-direct"
    )
    where = {"WARRENER_BROKER": rabbit_address.broker, "WARRENER_QUEUE": rabbit_address.queue}
    _runs_a_batch(python, tmp_path, **where)
    _run(python, "-c", "import warrener.kubernetes, warrener.cli.k8s")
    _run(python.with_name("warrener"), "k8s", "render", "--queue", "images", "--section", "broker")


def _interpreter(version: str) -> str:
    """Where a Python of this version is; empty if there is none."""
    # pyenv hides all but one behind its shims.
    homes = (Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions").glob("*/bin")
    found = subprocess.run(
        [UV, "python", "find", "--no-python-downloads", version],
        env={"PATH": os.pathsep.join([*map(str, homes), os.environ["PATH"]])},
        capture_output=True,
        text=True,
        check=False,
    )
    return found.stdout.strip()


def _installed(directory: Path, what: Path, python: str, *options: str) -> Path:
    """The Python of a new environment that has the package in it."""
    environment = directory / "environment"
    _run(UV, "venv", "--quiet", "--no-python-downloads", "--python", python, environment)
    inside = environment / "bin" / "python"
    _run(UV, "pip", "install", "--quiet", "--python", inside, *options, what)
    return inside


def _runs_a_batch(python: Path, directory: Path, **variables: str) -> None:
    (directory / "app.py").write_text(APP)
    tasks = [{"id": f"t{n}", "type": ("double", "halve")[n % 2], "data": {"number": n}} for n in range(20)]
    (directory / "tasks.jsonl").write_text("".join(f"{json.dumps(task)}\n" for task in tasks))
    _run(python.with_name("warrener"), "run", "app.py", "tasks.jsonl", cwd=directory, **variables)
    rows = [json.loads(line) for line in (directory / "results.jsonl").read_text().splitlines()]
    assert {row["task_id"]: row["value"] for row in rows} == {
        f"t{n}": 2 * n if n % 2 == 0 else n / 2 for n in range(20)
    }


def _run(*words: object, cwd: Path | None = None, **variables: str) -> str:
    """What a command writes; it must end with 0."""
    names = ("PYTHONPATH", "VIRTUAL_ENV")
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in names and not name.startswith("WARRENER_")
    }
    done = subprocess.run(
        [str(word) for word in words],
        cwd=cwd,
        env=environment | variables,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def _only(directory: Path, pattern: str) -> Path:
    (found,) = directory.glob(pattern)
    return found
