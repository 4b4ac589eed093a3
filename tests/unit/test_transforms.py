"""The package's own names: the steps, for somebody's own pipeline."""

from __future__ import annotations

import subprocess
import sys

import pytest

import transforms
from transforms.fetch_objects import FetchObjects
from transforms.process_objects import ProcessObjects
from transforms.receive_references import ReceiveReferences
from transforms.write_and_acknowledge import WriteAndAcknowledge


def test_the_steps_are_imported_from_the_package() -> None:
    """All four, and a misspelt one is an error as ever."""
    steps = {getattr(transforms, name) for name in transforms.__all__ if name != "File"}

    assert {FetchObjects, ProcessObjects, ReceiveReferences, WriteAndAcknowledge} == steps
    with pytest.raises(AttributeError, match="FetchObject'"):
        _ = transforms.FetchObject


def test_a_noun_does_not_bring_beam_along() -> None:
    """Beam is imported with the first step only: it takes a second."""
    code = "import sys, transforms.notifications; print('apache_beam' in sys.modules)"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout

    assert "False\n" == printed
