"""Reference pages made of the code itself: every option, and every record that flows."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

from pipeline.option_help import options_markdown_table

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

RECORDS = (
    ("transforms/records.py", ("Delivery", "ObjectRef")),
    ("transforms/contents.py", ("Fetched",)),
    ("transforms/files.py", ("File",)),
    ("transforms/records.py", ("Result", "Failure", "Finished", "Settled", "Door", "Pulse")),
)
"""In the order in which a message meets them."""


def options_page() -> str:
    """Answer the table of the readme with a heading for each option, which links and the search can lead to."""
    parts = []
    for step, flag, default, allowed, about in _option_rows():
        variable = f"SQS_PIPELINE_{flag.removeprefix('--').upper()}"
        facts = filter(None, (f"default: {default}", allowed, f"`{variable}`"))
        parts += [f"## {step}"] if step else []
        parts += [f"### `{flag}`", f"*{' · '.join(facts)}*", about]
    return "\n\n".join(parts)


def flags() -> frozenset[str]:
    """Answer every option, as the anchors of its page have them."""
    return frozenset(flag for _, flag, *_ in _option_rows())


def _option_rows() -> Iterator[tuple[str, str, str, str, str]]:
    for line in options_markdown_table().splitlines()[2:]:
        step, flag, default, allowed, about = (cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1])
        yield step, flag.strip("`"), default, allowed, about


def records_page(root: Path) -> str:
    """Answer a section for each record: what it is, and a table of what it has."""
    return "\n\n".join(_record(root, file, name) for file, names in RECORDS for name in names)


def _record(root: Path, file: str, name: str) -> str:
    body = ast.parse((root / file).read_text(encoding="utf-8")).body
    (found,) = (node for node in body if isinstance(node, ast.ClassDef) and node.name == name)
    rows = [*_fields(found), *_methods(found)]
    table = ["| it has | which is |", "|---|---|", *(f"| `{what}` | {about} |" for what, about in rows)] if rows else []
    return "\n".join([f"## {name}", "", ast.get_docstring(found) or "", "", *table])


def _fields(record: ast.ClassDef) -> Iterator[tuple[str, str]]:
    """Yield the fields of a dataclass, the members of an enumeration, and what `__init__` sets, with what they mean."""
    made = next((node for node in record.body if isinstance(node, ast.FunctionDef) and node.name == "__init__"), None)
    for statement, about in _with_what_follows([*record.body, *(made.body if made else [])]):
        if isinstance(statement, ast.AnnAssign):
            yield f"{ast.unparse(statement.target)}: {ast.unparse(statement.annotation)}", about
        elif isinstance(statement, ast.Assign):
            name = ast.unparse(statement.targets[0])
            if not name.startswith("self._"):
                shown = name.removeprefix("self.")
                yield (f"{shown} = {ast.unparse(statement.value)}" if shown == name else shown), about


def _with_what_follows(body: list[ast.stmt]) -> Iterator[tuple[ast.stmt, str]]:
    """Yield each statement with the string under it, where there is one."""
    for statement, below in zip(body, [*body[1:], None], strict=True):
        is_text = isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant)
        yield statement, _in_a_cell(str(below.value.value)) if is_text else ""  # type: ignore[union-attr]


def _methods(record: ast.ClassDef) -> Iterator[tuple[str, str]]:
    """Yield what may be called or asked for, with the docstring."""
    for node in record.body:
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            kinds = {ast.unparse(decorator) for decorator in node.decorator_list}
            signature = (
                "" if "property" in kinds else f"({_arguments(node, skips=0 if 'staticmethod' in kinds else 1)})"
            )
            returns = f" -> {ast.unparse(node.returns)}" if node.returns else ""
            yield f"{node.name}{signature}{returns}", _in_a_cell(ast.get_docstring(node) or "")


def _arguments(function: ast.FunctionDef, *, skips: int) -> str:
    return ", ".join(
        f"{each.arg}: {ast.unparse(each.annotation)}" if each.annotation else each.arg
        for each in function.args.args[skips:]
    )


def _in_a_cell(text: str) -> str:
    return " ".join(text.split()).replace("|", r"\|")
