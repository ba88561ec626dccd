"""HTML made of elements: whatever text goes in comes out as text, whoever wrote it."""

from __future__ import annotations

from html import escape

from warrener.text import plain


class Markup(str):
    """HTML as it is; all other text is escaped."""

    __slots__ = ()


def element(name: str, *content: str | None, **attributes: object) -> Markup:
    """An element.

    Args:
        name: Its name.
        content: What is in it: text, or elements; None for nothing.
        attributes: By name, `_` for `-`, with one more at the end of what Python reserves; None for none.
    """
    parts = [f"<{name}"]
    for key, value in attributes.items():
        if value is not None:
            parts.append(f' {key.removesuffix("_").replace("_", "-")}="{text(str(value))}"')
    parts.append(">")
    parts += [part if isinstance(part, Markup) else text(part) for part in content if part is not None]
    return Markup("".join((*parts, f"</{name}>")))


def joined(*parts: Markup | None) -> Markup:
    """Elements that follow each other."""
    return Markup("".join(part for part in parts if part is not None))


def text(words: str) -> Markup:
    """Text: lines stay lines, and what a reader cannot see, or would turn the direction of reading, is written out."""
    return Markup(escape("\n".join(map(plain, words.split("\n")))))


def table(head: list[str], rows: list[list[str | Markup]], texts: int = 1) -> Markup:
    """A table that scrolls by itself where it is too wide.

    Args:
        head: The names of the columns.
        rows: The cells.
        texts: How many of the first columns are text; the others are numbers, which stand to the right.
    """
    classes = [None if column < texts else "n" for column in range(len(head))]
    line = [
        element("th", name, scope="col", class_=class_) for name, class_ in zip(head, classes, strict=True)
    ]
    body = [
        element(
            "tr",
            joined(*(element("td", cell, class_=class_) for cell, class_ in zip(row, classes, strict=True))),
        )
        for row in rows
    ]
    inner = element("table", element("thead", element("tr", joined(*line))), element("tbody", joined(*body)))
    return element("div", inner, class_="wide", tabindex="0")
