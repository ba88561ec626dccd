"""What the source must not do: run or unpickle what came in a message, a file or an answer."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

import warrener

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT: Final = Path(warrener.__file__).parent
# Modules that make objects or code of bytes.
MODULES: Final = {
    *("pickle", "_pickle", "cPickle", "marshal", "shelve", "dill", "cloudpickle", "jsonpickle", "dbm"),
    *("code", "codeop", "runpy", "pkgutil", "imp", "xml"),
}
CALLS: Final = {
    *("eval", "exec", "compile", "__import__", "execfile"),
    *("os.system", "os.popen", "yaml.load", "yaml.unsafe_load", "yaml.full_load", "subprocess.getoutput"),
}
LOADERS: Final = {
    "loader.py",  # imports the app that its user names, in a child process
    *("__init__.py", "cli/lazy.py"),  # import what a table of their own says
}


def sources() -> list[Path]:
    found = sorted(ROOT.rglob("*.py"))
    assert ROOT / "models.py" in found
    return found


def wrong(tree: ast.AST, *, is_loader: bool = False) -> Iterator[str]:
    for node in ast.walk(tree):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom):
            names = [node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)]
        yield from (name for name in names if name.split(".")[0] in MODULES or name in CALLS)
        if not is_loader:
            yield from (
                name for name in names if name in ("importlib", "importlib.util", "importlib.import_module")
            )
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            if called in CALLS or any(
                keyword.arg == "shell" and not _is_false(keyword.value) for keyword in node.keywords
            ):
                yield called


def _is_false(value: ast.expr) -> bool:
    return isinstance(value, ast.Constant) and value.value is False


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_in_the_source_runs_or_unpickles_data(path: Path) -> None:
    assert not list(wrong(ast.parse(path.read_text()), is_loader=str(path.relative_to(ROOT)) in LOADERS))


@pytest.mark.parametrize(
    "text",
    [
        "import pickle",
        "from marshal import loads",
        "eval('1')",
        "import importlib.util",
        "yaml.load(text)",
        "from yaml import unsafe_load",
        "subprocess.run(words, shell=True)",
        "def f():\n    import shelve",
    ],
)
def test_what_must_not_be_is_found(text: str) -> None:
    assert list(wrong(ast.parse(text)))
