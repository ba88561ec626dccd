"""Importing an app, wherever its user has it."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from warrener.app import App
from warrener.errors import AppError, UsageError
from warrener.importing import importing

if TYPE_CHECKING:
    from types import ModuleType

_TASK_FILES: Final = (".jsonl", ".json", ".ndjson", ".csv")


def load(where: str) -> App:
    """Import an app.

    Args:
        where: `module`, `module:name`, `path/to/file.py` or `path/to/file.py:name`. Without a name the
            module's only `App` is taken.

    Raises:
        AppError: It does not import, or there is no app in it; the text says what went wrong and where.
    """
    source, _, name = where.partition(":")
    members = _import(source)
    if name:
        app = members.get(name)
        if not isinstance(app, App):
            raise AppError(f"{source!r} has no App called {name!r}")
    else:
        apps = {id(value): value for value in members.values() if isinstance(value, App)}
        if not apps and "__path__" in members and not members.get("__file__"):
            raise AppError(_no_module(source))  # a directory, which Python takes for an empty package
        if not apps:
            raise AppError(f"{source!r} has no App; write `app = warrener.App()` in it")
        if len(apps) > 1:
            raise AppError(f"{source!r} has {len(apps)} Apps; say which one, as {source}:NAME")
        (app,) = apps.values()
    if not app.handlers:
        raise AppError(f"the App in {source!r} has no handlers; decorate a function with @app.task")
    return app


def _import(source: str) -> dict[str, Any]:
    is_file = source.endswith(".py")
    if not is_file and not _is_module_name(source):
        raise AppError(_no_module(source))
    if is_file and not Path(source).is_file():
        raise AppError(f"app file {source!r} does not exist")
    sys.path.insert(0, str(Path(source).resolve().parent) if is_file else _working_directory())
    try:
        with importing(source):
            return vars(_import_file(Path(source)) if is_file else importlib.import_module(source))
    except ModuleNotFoundError as error:
        if error.name and f"{source}.".startswith(f"{error.name}."):
            raise AppError(_no_module(source)) from error
        raise AppError(f"app {source!r} does not import: {error}") from error
    except (UsageError, msgspec.MsgspecError) as error:
        raise AppError(f"app {source!r} does not import: {error}") from error
    except SystemExit as error:
        raise AppError(f"app {source!r} does not import: it calls exit({error.code})") from error
    except Exception as error:
        raise AppError(f"app {source!r} does not import: {_where(error)}") from error


def _is_module_name(source: str) -> bool:
    # A file whose name would be a module's, as tasks.jsonl, is not meant as one.
    return all(part.isidentifier() for part in source.split(".")) and not (
        "." in source and Path(source).is_file()
    )


def _no_module(source: str) -> str:
    try:
        return _explain(source, Path(source))
    except OSError:  # a name that no file can have
        return f"there is no module {source!r} here"


def _explain(source: str, path: Path) -> str:
    """Why what was given is no module, and what to give instead."""
    if path.suffix.lower() in _TASK_FILES or source == "-":
        return f"{source!r} is no app but a file of tasks: the app comes first, as in `warrener run app.py {source}`"
    if path.suffix.lower() == ".ipynb":
        return f"{source!r} is a notebook, which cannot be imported: save its code as {path.with_suffix('.py').name} and give that"
    if path.name and path.with_name(f"{path.name}.py").is_file():
        return f"there is no module {source!r} here; for the file write {path}.py"
    if source and path.is_dir():
        return f"{source!r} is a directory: give a file in it, {path / 'app.py'}, or the name of the package, with dots for slashes"
    if path.is_file():
        return f"{source!r} is no Python file: an app's file ends in .py"
    return f"there is no module {source!r} here; give module, module:name, file.py or file.py:name"


def _working_directory() -> str:
    try:
        return str(Path.cwd())
    except FileNotFoundError as error:
        raise AppError("the working directory was deleted: go to one that exists") from error


def _import_file(path: Path) -> ModuleType:
    # Under its own name, unless that would hide a module which is loaded already.
    name = path.stem if path.stem not in sys.modules else f"warrener_app_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise AppError(f"app file {str(path)!r} cannot be imported")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def _where(error: Exception) -> str:
    """The error and the line of user code that it comes from."""
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    place = f" ({trace.tb_frame.f_code.co_filename}, line {trace.tb_lineno})" if trace else ""
    return f"{type(error).__name__}: {error}{'' if isinstance(error, SyntaxError) else place}"
