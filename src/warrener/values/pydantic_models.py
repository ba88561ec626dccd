"""Models of pydantic, which read themselves; whether it is there need not be known, since they bring it."""

from __future__ import annotations

from typing import Any

import msgspec

_MOST_ERRORS = 3
_UNKNOWN = ("extra_forbidden", "unexpected_keyword_argument")  # the second of dataclasses


def is_model(kind: type) -> bool:
    """Whether a class is a model of pydantic."""
    return hasattr(kind, "__pydantic_validator__") and hasattr(kind, "model_validate_json")


def read(kind: Any, value: Any) -> Any:
    """A value of plain data as a model.

    A member that a model does not know is refused, unless its configuration says `extra`.

    Raises:
        ValueError: It does not fit; the text says why.
    """
    text = msgspec.json.encode(value)
    try:
        model = kind.model_validate_json(text)
    except ValueError as error:
        raise ValueError(_sentence(kind, error)) from None
    if (unknown := _unknown(model, text)) is not None:
        raise ValueError(f"Object contains unknown field `{unknown}`")
    return model


def _unknown(model: Any, text: bytes) -> str | None:
    """The path of a member that no model knows, of those whose configuration does not say what becomes of such members."""
    try:
        type(model).model_validate_json(text, extra="forbid")
    except TypeError:  # before pydantic 2.12 models could not be asked
        return None
    except ValueError as error:
        for found in _errors(error):
            path = found["loc"]
            if found["type"] in _UNKNOWN and not _has_say(model, path[:-1]):
                return ".".join(map(str, path))
    return None


def _has_say(model: Any, path: tuple[str | int, ...]) -> bool:
    """Whether the model at a path says itself what becomes of unknown members."""
    owner = model
    for step in path:
        owner = _member(owner, str(step))
    return "extra" in getattr(owner, "model_config", getattr(owner, "__pydantic_config__", {}))


def _member(owner: Any, step: str) -> Any:
    """What a step of a path leads to; the owner itself where that is the name of a member of a union."""
    if isinstance(owner, dict):
        return next((value for key, value in owner.items() if str(key) == step), owner)
    if isinstance(owner, list | tuple):
        return owner[int(step)] if step.isdecimal() and int(step) < len(owner) else owner
    aliases = {field.alias: name for name, field in getattr(type(owner), "model_fields", {}).items()}
    return getattr(owner, step if hasattr(owner, step) else aliases.get(step, ""), owner)


def _errors(error: ValueError) -> list[dict[str, Any]]:
    return error.errors(include_url=False, include_input=False) if hasattr(error, "errors") else []


def _sentence(kind: Any, error: ValueError) -> str:
    found = [
        f"{'.'.join(map(str, found['loc'])) or kind.__name__}: {found['msg']}"
        for found in _errors(error)[:_MOST_ERRORS]
    ]
    return "; ".join(found) or str(error)
