"""The manifests as they are kept in `golden/`: `python -m tests.kubernetes.golden` writes them anew.

Read the difference before it is committed: it is what users will see.
"""

from __future__ import annotations

from pathlib import Path

from tests.kubernetes.specs import PASSWORDS, SPECS
from warrener.kubernetes.manifests.render import render
from warrener.kubernetes.manifests.text import to_yaml

PLACE = Path(__file__).parent / "golden"


def rendered(name: str) -> str:
    """What is rendered now."""
    spec, sections = SPECS[name]
    return to_yaml(render(spec, sections, PASSWORDS))


def main() -> None:
    """Write all files, and remove those that no spec makes any more."""
    for old in PLACE.glob("*.yaml"):
        old.unlink()
    for name in SPECS:
        (PLACE / f"{name}.yaml").write_text(rendered(name))


if __name__ == "__main__":
    main()
