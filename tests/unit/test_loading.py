"""The user's own code: what is found, and the sentence when it is not."""

from __future__ import annotations

import sys
from itertools import count
from typing import TYPE_CHECKING

import pytest

from transforms.failures import UserError
from transforms.loading import load_callable

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_numbers = count()


@pytest.fixture
def a_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], str]:
    """Write modules of a name of their own in the current directory, as a user would."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry])

    def write(source: str) -> str:
        name = f"users_module_{next(_numbers)}"
        (tmp_path / f"{name}.py").write_text(source)
        return name

    return write


def _sentence_of(spec: str) -> str:
    with pytest.raises(UserError) as raised:
        load_callable(spec, "--processor")
    return str(raised.value)


def test_a_function_of_an_installed_module_is_found() -> None:
    """Nothing but an import."""
    assert sys.exit is load_callable("sys:exit", "--processor")


def test_a_function_in_the_current_directory_is_found(a_module: Callable[[str], str]) -> None:
    """The installed command does not have it on its path."""
    name = a_module("def process(): return 'mine'")

    assert load_callable(f"{name}:process", "--processor")() == "mine"


def test_the_current_directory_is_put_on_the_path_once(a_module: Callable[[str], str], tmp_path: Path) -> None:
    """A process loads several things."""
    name = a_module("def one(): ...\ndef two(): ...")

    load_callable(f"{name}:one", "--processor")
    load_callable(f"{name}:two", "--processor")

    assert 1 == sys.path.count(str(tmp_path))


def test_a_method_of_a_class_is_found_by_its_dotted_name() -> None:
    """`module:Class.method`."""
    assert str.upper is load_callable("builtins:str.upper", "--processor")


@pytest.mark.parametrize(
    "spec", ["", "foo", ":foo", "foo:", "foo/bar.py:baz", ".foo:bar", "foo:bar:baz", "foo bar:baz"]
)
def test_what_is_not_module_and_name_is_refused_with_an_example(spec: str) -> None:
    """Also what `import_module` itself would trip over."""
    expected = (
        f"--processor is {spec!r}, but it must be module:name as Python imports it, "
        "for example my_package.my_module:name"
    )

    assert expected == _sentence_of(spec)


@pytest.mark.parametrize("spec", ["no_such_module:process", "no_such_module.inner:process"])
def test_a_module_that_is_not_there_is_named_with_the_places_searched(
    spec: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The usual mistake is another current directory."""
    monkeypatch.chdir(tmp_path)

    expected = f"--processor is '{spec}', but there is no module no_such_module in {tmp_path} or installed"

    assert expected == _sentence_of(spec)


def test_an_attribute_that_is_not_there_is_named(a_module: Callable[[str], str]) -> None:
    """Both the module and the attribute."""
    name = a_module("")

    assert f"--processor is '{name}:bar', but module {name} has no attribute bar" == _sentence_of(f"{name}:bar")


def test_an_attribute_of_a_class_that_is_not_there_is_named() -> None:
    """The last part is what is missing."""
    assert "--processor is 'builtins:str.bar', but str has no attribute bar" == _sentence_of("builtins:str.bar")


def test_what_cannot_be_called_is_refused(a_module: Callable[[str], str]) -> None:
    """With what it is instead."""
    name = a_module("table = {}")

    expected = f"--processor is '{name}:table', but table is of type dict, which cannot be called"

    assert expected == _sentence_of(f"{name}:table")


def test_an_import_that_the_module_needs_is_named_and_keeps_its_cause(a_module: Callable[[str], str]) -> None:
    """It is not the user's module that is missing."""
    name = a_module("import no_such_library")

    with pytest.raises(UserError) as raised:
        load_callable(f"{name}:process", "--processor")

    expected = (
        f"--processor is '{name}:process', but importing {name} fails: it needs no_such_library, which is not there"
    )
    assert expected == str(raised.value)
    assert isinstance(raised.value.__cause__, ModuleNotFoundError)


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("import sys; sys.exit(3)", "SystemExit: 3"),
        ("def", "SyntaxError: invalid syntax ({name}.py, line 1)"),
        (
            "from sys import no_such_name",
            "ImportError: cannot import name 'no_such_name' from 'sys' (unknown location)",
        ),
    ],
)
def test_a_module_that_raises_when_it_is_imported_is_one_sentence(
    a_module: Callable[[str], str], source: str, reason: str
) -> None:
    """Whatever it raises."""
    name = a_module(source)

    expected = f"--processor is '{name}:process', but importing {name} fails: {reason.format(name=name)}"

    assert expected == _sentence_of(f"{name}:process")
