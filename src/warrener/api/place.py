"""Where an app is, so that a worker's processes can import it; and which program runs it."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from warrener.app import App, TaskMaker
from warrener.errors import UsageError

if TYPE_CHECKING:
    from types import ModuleType

    from warrener.app import Home

_PROMPT: Final = (
    "this App is made in a notebook or at a prompt, which a worker's processes cannot import: write it and its handlers into "
    "a file (in a notebook with %%writefile app.py as the first line of the cell) and `from app import app`"
)


class Place(NamedTuple):
    """Where an app is.

    Args:
        where: As `warrener.loader.load` takes it.
        search: Directories in which its modules are looked for.
        types: What it must have handlers for, as far as this program knows.
    """

    where: str
    search: tuple[str, ...]
    types: frozenset[str] = frozenset()


def place_of(app: App | str | os.PathLike[str]) -> Place:
    """Where an app is.

    Args:
        app: The app itself, or as the command line takes it.

    Raises:
        UsageError: It is in no file that could be imported.
    """
    if not isinstance(app, App):
        return Place(os.fspath(app), ())
    if not app.handlers:
        raise UsageError("this App has no handlers; decorate a function with @app.task")
    home = _module_of(app)
    where = _where_module_is(home)
    apps = {name: value for name, value in vars(home).items() if isinstance(value, App)}
    if len({id(value) for value in apps.values()}) > 1:
        where += ":" + next(name for name, value in apps.items() if value is app)
    search = tuple(str(Path(directory).resolve()) for directory in sys.path if Path(directory).is_dir())
    return Place(where, search, frozenset(app.handlers))


def home_of(function: Any) -> Home:
    """The app and the handler of a function.

    Raises:
        UsageError: It has none, or several.
    """
    maker = getattr(function, "task", None)
    if isinstance(maker, TaskMaker):
        return maker.only_home()
    name = getattr(function, "__name__", None) or type(function).__name__
    raise UsageError(f"{name!r} is no handler: decorate the function with @app.task, in a file")


def program() -> tuple[str, str]:
    """The name of the program that runs, empty where there is none, and where it is on this host."""
    main = sys.modules.get("__main__")
    file = getattr(main, "__file__", None) or getattr(main, "__vsc_ipynb_file__", None)
    file = file or os.environ.get("JPY_SESSION_NAME")  # the notebook's path, from Jupyter
    if not file or not Path(file).is_file():
        return "", f"{Path.cwd()} (interactive)"
    path = Path(file).resolve()
    return path.parent.name if path.stem == "__main__" else path.stem, str(path)


def _module_of(app: App) -> ModuleType:
    """The module that has the app under a name, one with handlers before others."""
    names = [getattr(handler.function, "__module__", "") for handler in app.handlers.values()]
    for name in [*dict.fromkeys(names), *sys.modules]:
        module = sys.modules.get(name)
        if module and any(value is app for value in list(getattr(module, "__dict__", {}).values())):
            return module
    raise UsageError(
        "this App has no name of its own in a module, by which a worker's processes could find it: write "
        "`app = warrener.App()` at the top level of a file"
    )


def _where_module_is(module: ModuleType) -> str:
    name = module.__name__
    if name == "__main__" and module.__spec__ and module.__spec__.parent:
        return module.__spec__.name  # `python -m package.module`
    file = getattr(module, "__file__", None)
    if name == "__main__" and not (file and Path(file).is_file()):
        raise UsageError(_PROMPT)
    if name == "__main__" and not str(file).endswith(".py"):
        raise UsageError(
            f"this App is in {file}, which cannot be imported: move it into a file that ends in .py"
        )
    is_file = file and file.endswith(".py") and "." not in name and Path(file).name != "__init__.py"
    return str(Path(file).resolve()) if file and is_file else name
