"""A user's changes to the pod template, merged as Kubernetes merges them (a strategic merge patch)."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from warrener.errors import UsageError
from warrener.extras import missing

# Lists whose items are told apart by a key are merged item by item; every other list is replaced.
_KEYS: Final = {
    "containers": "name",
    "initContainers": "name",
    "volumes": "name",
    "env": "name",
    "imagePullSecrets": "name",
    "volumeMounts": "mountPath",
    "volumeDevices": "devicePath",
    "ports": "containerPort",
    "hostAliases": "ip",
    "topologySpreadConstraints": "topologyKey",
}
_DIRECTIVE: Final = "$patch"


def read_patch(path: str) -> dict[str, Any]:
    """A patch from a YAML file: a pod template, with `metadata`, `spec` or both.

    Raises:
        UsageError: The file cannot be read, is not YAML, or is not a pod template; or PyYAML is missing.
    """
    try:
        import yaml
    except ModuleNotFoundError:
        raise UsageError(missing("--patch needs", "kubernetes")) from None
    try:
        found = yaml.safe_load(Path(path).read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"--patch {path} cannot be read: {getattr(error, 'strerror', None) or error}"
        ) from error
    except yaml.YAMLError as error:
        raise UsageError(f"--patch {path} is not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(found, dict) or not found or not set(found) <= {"metadata", "spec"}:
        raise UsageError(
            f"--patch {path} is not a pod template: write it with the keys 'metadata' and 'spec'"
        )
    return found


def merged(template: dict[str, Any], patch: dict[str, Any], path: str = "") -> dict[str, Any]:
    """A new mapping with the patch's values; None deletes a key, and `$patch: delete` an item of a list.

    Raises:
        UsageError: A value is of another kind than the one it would replace.
    """
    result = dict(template)
    for key, value in patch.items():
        place = f"{path}.{key}" if path else str(key)
        current = template.get(key)
        if value is None:
            result.pop(key, None)
        elif current is None:
            result[key] = value
        elif isinstance(current, dict) != isinstance(value, dict) or isinstance(current, list) != isinstance(
            value, list
        ):
            raise UsageError(f"--patch has {value!r} at {place}: it must be a {_kind(current)}")
        elif isinstance(current, dict):
            result[key] = merged(current, value, place)
        elif isinstance(current, list) and key in _KEYS:
            result[key] = _merged_items(current, value, _KEYS[key], place)
        else:
            result[key] = value
    return result


def _merged_items(current: list[Any], patch: list[Any], key: str, path: str) -> list[Any]:
    items = {item[key]: item for item in current}
    for change in patch:
        if not isinstance(change, dict) or key not in change:
            raise UsageError(f"--patch has {change!r} at {path}: each item must have a {key!r}")
        name = change[key]
        if change.get(_DIRECTIVE) == "delete":
            items.pop(name, None)
        else:
            items[name] = merged(items.get(name, {}), change, f"{path}[{name}]")
    return list(items.values())


def _kind(value: Any) -> str:
    if isinstance(value, dict):
        return "mapping"
    return "list" if isinstance(value, list) else "single value"
