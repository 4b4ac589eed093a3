"""The user's own code, named on the command line as `module:name`."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from transforms.error_text import described
from transforms.failures import UserError

if TYPE_CHECKING:
    from types import ModuleType


def load_callable(spec: str, option: str) -> Any:  # noqa: ANN401 - whatever the user wrote
    """Import what `spec` names, from the current directory too; `option` is the command-line option that says so.

    Raises `UserError`: misspelt, not there, its import fails (the cause is kept), or nothing that can be called.
    """
    module_name, _, attribute_path = spec.partition(":")
    said = f"{option} is {spec!r}, but"
    if not all(part.isidentifier() for path in (module_name, attribute_path) for part in path.split(".")):
        raise UserError(f"{said} it must be module:name as Python imports it, for example my_package.my_module:name")
    found: Any = _imported(module_name, said)
    owner = f"module {module_name}"
    for attribute in attribute_path.split("."):
        if not hasattr(found, attribute):
            raise UserError(f"{said} {owner} has no attribute {attribute}")
        found = getattr(found, attribute)
        owner = attribute
    if not callable(found):
        raise UserError(f"{said} {attribute_path} is of type {type(found).__name__}, which cannot be called")
    return found


def _imported(name: str, said: str) -> ModuleType:
    _make_current_directory_importable()
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        missing = error.name or ""
        if name == missing or name.startswith(f"{missing}."):
            raise UserError(f"{said} there is no module {missing} in {Path.cwd()} or installed") from error
        raise UserError(f"{said} importing {name} fails: it needs {missing}, which is not there") from error
    except (Exception, SystemExit) as error:  # a module may do anything when it is imported
        raise UserError(f"{said} importing {name} fails: {described(error)}") from error


def _make_current_directory_importable() -> None:
    # `python -m pipeline` does it by itself, the installed command does not.
    current = str(Path.cwd())
    if not {"", current} & set(sys.path):
        sys.path.insert(0, current)
