"""The tutorial, typed as it stands: every command of it, in its order, in a copy of the project.

What is printed must be what the page shows, but for times, ids, ports and the sizes that a compressor chooses. `…`
stands for lines that the page leaves out.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.markdown import Page, all_blocks

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
TUTORIAL = Page(ROOT / "docs" / "tutorial.md")
COPIED = ("pipeline", "transforms", "examples", "scripts", "run_local.sh", "pyproject.toml", "constraints.txt")
CHANGES = (
    (r"\d{4}-\d\d-\d\dT[\d:.]+Z", "TIME"),
    (r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "ID"),
    (r"\b[0-9a-f]{32}\b", "ETAG"),
    (r"\b[a-z2-7]{24}(?=\.json)", "DIGEST"),
    (r"(?<=127\.0\.0\.1:)\d+", "PORT"),
    (r"[\d,]+ bytes", "N bytes"),
    (r"in \d+\.\d+ s", "in N s"),
    (r"kill \d+", "kill N"),
    (r" +", " "),
)
TIMEOUT_S = 180


class Reader:
    """Somebody who does what the page says, in one directory and one shell."""

    def __init__(self, clone: Path) -> None:
        """Have nothing of this shell's AWS, as somebody who has no account."""
        self.clone = clone
        others = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "SQS_"))}
        others.pop("PYTHONPATH", None)  # the copy is what is tried
        nothing = {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}
        direct = dict.fromkeys(("NO_PROXY", "no_proxy"), "127.0.0.1,localhost")
        little = {"SQS_PIPELINE_MAX_READ_BYTES": "1MiB"}  # or `check` warns where little memory is left just now
        self._environment = others | nothing | direct | little

    def save(self, block: str) -> None:
        """Save a block that calls itself `# name.py` under that name."""
        name = block.partition("\n")[0].removeprefix("# ")
        (self.clone / name).write_text(block, encoding="utf-8")

    def type(self, command: str) -> list[str]:
        """Run it, and answer what it printed; to a file, since what it leaves running keeps the file open."""
        printed = self.clone / ".printed"
        with printed.open("wb") as file:
            done = subprocess.run(
                ["bash", "-c", command],  # noqa: S607 - whichever bash the reader has
                cwd=self.clone,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                timeout=TIMEOUT_S,
                check=False,
            )
        text = printed.read_text(encoding="utf-8")
        assert 0 == done.returncode, f"{command}\n{text}"
        return text.splitlines()

    def paste(self, lines: list[str]) -> None:
        """Take the exports over into the shell."""
        for line in lines:
            if line.startswith("  export "):
                name, _, value = line.removeprefix("  export ").partition("=")
                self._environment[name] = value


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    """A clone with its .venv made; the local AWS that its commands leave running is ended afterwards."""
    clone = tmp_path / "clone"
    clone.mkdir()
    for name in COPIED:
        if (ROOT / name).is_dir():  # other tests may be compiling it just now
            shutil.copytree(ROOT / name, clone / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(ROOT / name, clone / name)
    (clone / ".venv").mkdir()
    for entry in Path(sys.prefix).iterdir():
        (clone / ".venv" / entry.name).symlink_to(entry)
    (clone / ".venv" / ".stamp").unlink(missing_ok=True)
    (clone / ".venv" / ".stamp").touch()
    for name in ("pyproject.toml", "constraints.txt"):
        os.utime(clone / name, (0, 0))  # nothing is to be installed
    yield Reader(clone)
    for pid in re.findall(r"kill (\d+)", (clone / "kept").read_text() if (clone / "kept").exists() else ""):
        os.kill(int(pid), signal.SIGTERM)


def _steps() -> Iterator[tuple[str, str, list[str]]]:
    """Yield each file to save (its text), and each command with the lines that the page shows under it."""
    for language, block in all_blocks(TUTORIAL.text):
        if language == "python":
            yield "save", block, []
        elif language == "console":
            for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
                command, _, shown = re.sub(r"\\\n +", "", part).partition("\n")
                yield "type", command, shown.splitlines()


def _constant(line: str) -> str:
    for pattern, name in CHANGES:
        line = re.sub(pattern, name, line)
    return line.strip()


def _is_as_shown(shown: list[str], printed: list[str]) -> bool:
    """Whether the lines are the same ones in the same order."""
    text = "".join(f"{_constant(line)}\n" for line in printed if line.strip())
    lines = (line for line in shown if line.strip())
    pattern = "".join(r"(?:.*\n)*?" if line == "…" else f"{re.escape(_constant(line))}\n" for line in lines)
    return re.fullmatch(pattern, text) is not None


def test_every_command_of_the_tutorial_prints_what_the_page_shows(reader: Reader) -> None:
    """And the function that it writes is the one that runs."""
    steps = list(_steps())

    assert len(steps) >= 15
    for kind, text, shown in steps:
        if kind == "save":
            reader.save(text)
            continue
        printed = reader.type(text)
        if "--keep" in text:
            (reader.clone / "kept").write_text("\n".join(printed), encoding="utf-8")
            reader.paste(printed)
        assert _is_as_shown(shown, printed), f"$ {text}\n" + "\n".join(printed)
