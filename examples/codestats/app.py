"""Measures Python files: lines, functions, classes, imports and cyclomatic complexity."""

import ast
import tokenize
import warnings
from pathlib import Path

from warrener import App, PermanentError

app = App()

# Each of these adds a path through the code.
_BRANCHES = (
    ast.If,
    ast.IfExp,
    ast.For,
    ast.AsyncFor,
    ast.While,
    ast.ExceptHandler,
    ast.comprehension,
    ast.match_case,
)


@app.task("urgent")
@app.task("normal")
def measure(file: str) -> dict[str, int | str]:
    path = Path(file)
    warnings.simplefilter("ignore", SyntaxWarning)
    try:
        with tokenize.open(path) as source:
            text = source.read()
        nodes = list(ast.walk(ast.parse(text)))
    except (SyntaxError, UnicodeDecodeError, ValueError, RecursionError, MemoryError) as error:
        raise PermanentError(f"{path.name} does not parse: {error}") from error
    return {
        "file": file,
        "lines": text.count("\n"),
        "functions": sum(isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) for node in nodes),
        "classes": sum(isinstance(node, ast.ClassDef) for node in nodes),
        "imports": sum(isinstance(node, ast.Import | ast.ImportFrom) for node in nodes),
        "complexity": 1 + sum(map(_paths, nodes)),
    }


def _paths(node: ast.AST) -> int:
    if isinstance(node, ast.BoolOp):
        return len(node.values) - 1
    return int(isinstance(node, _BRANCHES))
