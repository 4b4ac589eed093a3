"""Imports go one way: pipeline → the steps (verbs) → nouns, which know nothing of Beam."""

from __future__ import annotations

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
VERBS = {
    "transforms.receive_references",
    "transforms.fetch_objects",
    "transforms.process_objects",
    "transforms.write_and_acknowledge",
}
MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for package in ("pipeline", "transforms")
    for path in sorted((ROOT / package).glob("**/*.py"))
}
NOUNS = {name for name in MODULES if name.startswith("transforms.")} - VERBS


def _imports(module: str, *, at_runtime: bool = False) -> set[str]:
    """Every module that `module` imports, inside functions too; `at_runtime` leaves out what only types need."""
    tree = ast.parse(MODULES[module].read_text())
    skipped = {node for block in ast.walk(tree) if at_runtime and _is_for_types(block) for node in ast.walk(block)}
    found = set()
    for node in ast.walk(tree):
        if node in skipped:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert 0 == node.level, f"{module} imports by a relative name"
            parent = node.module or ""
            members = {f"{parent}.{alias.name}" for alias in node.names}
            found |= {parent} | (members & MODULES.keys())
    return found


def _is_for_types(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def _is_of(imported: str, package: str) -> bool:
    return imported == package or imported.startswith(f"{package}.")


def test_the_steps_are_where_this_test_looks_for_them() -> None:
    """A fifth step belongs in the list above."""
    beam_files = {name for name in MODULES if name.startswith("transforms") and "apache_beam" in _imports(name)}

    assert beam_files == VERBS


@pytest.mark.parametrize("noun", sorted(NOUNS))
def test_a_noun_imports_no_beam_no_step_and_nothing_of_the_pipeline(noun: str) -> None:
    """Its tests need none of them either."""
    imports = _imports(noun)

    assert set() == {name for name in imports if _is_of(name, "apache_beam")}
    assert set() == imports & VERBS
    assert set() == {name for name in imports if _is_of(name, "pipeline")}


@pytest.mark.parametrize("verb", sorted(VERBS))
def test_a_step_imports_no_other_step_and_nothing_of_the_pipeline(verb: str) -> None:
    """Steps meet in `pipeline/flow.py` only."""
    imports = _imports(verb)

    assert set() == imports & VERBS
    assert set() == {name for name in imports if _is_of(name, "pipeline")}


@pytest.mark.parametrize("module", sorted(MODULES))
def test_nothing_imports_tests_examples_or_benchmarks(module: str) -> None:
    """They are not installed."""
    top_levels = {name.partition(".")[0] for name in _imports(module)}

    assert set() == top_levels & {"tests", "examples", "benchmarks", "pytest", "moto", "hypothesis"}


def test_no_imports_go_in_a_circle() -> None:
    """A module can be read after those that it imports."""
    graph = {module: _imports(module, at_runtime=True) & MODULES.keys() - {module} for module in MODULES}

    assert set(MODULES) == set(TopologicalSorter(graph).static_order())
