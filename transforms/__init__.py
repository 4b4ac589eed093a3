"""The steps, one verb_noun.py each, over nouns that know nothing of Beam; and what a processing function imports.

`from transforms import ReceiveReferences, FetchObjects, ProcessObjects, WriteAndAcknowledge` puts them into a pipeline
of your own; examples/count_by_bucket.py does. A step is imported when it is asked for, so that a noun imports no Beam.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from transforms.files import File

if TYPE_CHECKING:
    from transforms.fetch_objects import FetchObjects
    from transforms.process_objects import ProcessObjects
    from transforms.receive_references import ReceiveReferences
    from transforms.write_and_acknowledge import WriteAndAcknowledge

__all__ = ["FetchObjects", "File", "ProcessObjects", "ReceiveReferences", "WriteAndAcknowledge"]

_MODULES = {
    "ReceiveReferences": "transforms.receive_references",
    "FetchObjects": "transforms.fetch_objects",
    "ProcessObjects": "transforms.process_objects",
    "WriteAndAcknowledge": "transforms.write_and_acknowledge",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - a step's class
    """Import a step when it is asked for."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULES[name]), name)
