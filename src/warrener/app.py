"""The registry of handlers: what a user writes, and how a task's data becomes a function's arguments."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar, get_type_hints, overload

import msgspec

from warrener.codec import NOT_JSON
from warrener.errors import AppError, InvalidTask, UsageError
from warrener.models import MAX_NAME_BYTES, Task
from warrener.retry import RetryPolicy
from warrener.text import sanitize

if TYPE_CHECKING:
    from types import ModuleType

Function = TypeVar("Function", bound=Callable[..., Any])
_UNSET: Final = object()


class App:
    """A set of handlers, one for each type of task.

    ```python
    app = App()

    @app.task(retries=3, timeout=60)
    def resize(file: str, width: int = 200) -> dict[str, int]: ...
    ```

    Args:
        retries: How many times a failed task is tried again, unless its handler says otherwise.
        base: Seconds before the first retry; each further one waits twice as long.
        timeout: Seconds after which an attempt is killed; None for no limit.
        permanent: Exception types that trying again cannot help, besides `PermanentError`.

    Raises:
        UsageError: A value is out of range.
    """

    def __init__(
        self,
        *,
        retries: int = 3,
        base: float = 1.0,
        timeout: float | None = None,
        permanent: tuple[type[BaseException], ...] = (),
    ) -> None:
        self._policy = RetryPolicy(retries, base)
        self._timeout = _checked_timeout(timeout)
        self._permanent = permanent
        self.handlers: dict[str, Handler] = {}

    @overload
    def task(self, function: Function, /) -> Function: ...

    @overload
    def task(
        self,
        type: str | None = None,
        /,
        *,
        retries: int | None = None,
        base: float | None = None,
        timeout: float | None = ...,
        permanent: tuple[type[BaseException], ...] = (),
    ) -> Callable[[Function], Function]: ...

    def task(
        self,
        type: Any = None,
        /,
        *,
        retries: int | None = None,
        base: float | None = None,
        timeout: Any = _UNSET,
        permanent: tuple[type[BaseException], ...] = (),
    ) -> Any:
        """Register a function, plain or `async`, as the handler of one type of task.

        Args:
            type: The type it handles; by default the function's name.
            retries: As the app's, for this type.
            base: As the app's, for this type.
            timeout: As the app's, for this type; None lifts the app's limit.
            permanent: Exception types that are permanent for this type, besides the app's.

        Raises:
            AppError: The type has a handler already, or a parameter's type cannot come from JSON.
            UsageError: A value is out of range.
        """

        def register(function: Function) -> Function:
            name = type if isinstance(type, str) else function.__name__
            if name in self.handlers:
                raise AppError(f"type {name!r} has two handlers; give one of them another name")
            self.handlers[name] = Handler(
                name,
                function,
                policy=RetryPolicy(
                    self._policy.retries if retries is None else retries,
                    self._policy.base if base is None else base,
                ),
                timeout=self._timeout if timeout is _UNSET else _checked_timeout(timeout),
                permanent=(*self._permanent, *permanent),
            )
            return function

        return register(type) if callable(type) else register


class Handler:
    """One function with the rules under which it runs."""

    def __init__(
        self,
        name: str,
        function: Callable[..., Any],
        *,
        policy: RetryPolicy,
        timeout: float | None = None,
        permanent: tuple[type[BaseException], ...] = (),
    ) -> None:
        if not name or len(name.encode()) > MAX_NAME_BYTES:
            raise AppError(f"type {name!r} is not allowed: use 1 to {MAX_NAME_BYTES} bytes")
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            raise AppError(f"handler {name!r} is a generator; return a list instead of yielding")
        self.name = name
        self.function = function
        self.policy = policy
        self.timeout = timeout
        self.permanent = permanent
        self.is_async = inspect.iscoroutinefunction(function)
        self._task_parameter, self._takes_rest, self._arguments = _arguments(name, function)
        self._decoder = msgspec.json.Decoder(self._arguments, strict=False)

    def bind(self, task_id: str, task_type: str, priority: int, data: bytes) -> dict[str, Any]:
        """A task's data as the function's keyword arguments, checked against its annotations.

        Text that reads as the wanted number or boolean is taken as such, since CSV knows only text.

        Raises:
            InvalidTask: The data does not fit; the text names the argument.
        """
        try:
            if self._takes_rest:
                members = msgspec.json.decode(data, type=dict[str, Any])
                bound = msgspec.structs.asdict(msgspec.convert(members, self._arguments, strict=False))
                bound = {**members, **bound}
            else:
                bound = msgspec.structs.asdict(self._decoder.decode(data))
            if self._task_parameter:
                members = msgspec.json.decode(data, type=dict[str, Any])
                bound[self._task_parameter] = Task(task_id, task_type, members, priority)
        except NOT_JSON as error:
            raise InvalidTask(f"data does not fit handler {self.name!r}: {sanitize(error)}") from error
        return bound


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
    if is_file and not Path(source).is_file():
        raise AppError(f"app file {source!r} does not exist")
    sys.path.insert(0, str(Path(source).resolve().parent if is_file else Path.cwd()))
    try:
        if is_file:
            return vars(_import_file(Path(source)))
        return vars(importlib.import_module(source))
    except ModuleNotFoundError as error:
        if error.name == source:
            raise AppError(f"there is no module {source!r} here; for a file write {source}.py") from error
        raise AppError(f"app {source!r} does not import: {error}") from error
    except (UsageError, msgspec.MsgspecError) as error:
        raise AppError(f"app {source!r} does not import: {error}") from error
    except SystemExit as error:
        raise AppError(f"app {source!r} does not import: it calls exit({error.code})") from error
    except Exception as error:
        raise AppError(f"app {source!r} does not import: {_where(error)}") from error


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


def _arguments(name: str, function: Callable[..., Any]) -> tuple[str | None, bool, type[msgspec.Struct]]:
    """What a function takes: the name of its `Task` parameter, whether it takes any other, and the rest."""
    try:
        hints = get_type_hints(function, include_extras=True)
    except (NameError, TypeError) as error:
        raise AppError(f"handler {name!r} has an annotation that cannot be read: {error}") from error
    task_parameter, takes_rest = None, False
    fields: list[tuple[str, Any] | tuple[str, Any, Any]] = []
    for parameter in inspect.signature(function).parameters.values():
        hint = hints.get(parameter.name, Any)
        if parameter.kind is parameter.VAR_KEYWORD:
            takes_rest = True
        elif parameter.kind in (parameter.VAR_POSITIONAL, parameter.POSITIONAL_ONLY):
            raise AppError(f"handler {name!r} takes {parameter} by position; data is bound by name")
        elif hint is Task:
            task_parameter = parameter.name
        elif parameter.default is parameter.empty:
            fields.append((parameter.name, hint))
        else:
            fields.append((parameter.name, hint, msgspec.field(default_factory=partial(_default, parameter))))
    try:
        arguments = msgspec.defstruct(
            "data", fields, kw_only=True, forbid_unknown_fields=not (takes_rest or task_parameter)
        )
        msgspec.json.Decoder(arguments)
    except TypeError as error:
        raise AppError(f"handler {name!r} has a parameter that cannot come from JSON: {error}") from error
    return task_parameter, takes_rest, arguments


def _default(parameter: inspect.Parameter) -> Any:
    return parameter.default


def _checked_timeout(timeout: float | None) -> float | None:
    if timeout is not None and not timeout > 0:
        raise UsageError(f"a timeout must be more than 0 seconds, not {timeout}; None means no limit")
    return timeout
