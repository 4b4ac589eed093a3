"""The pages of deploy/: their links, commands and options. Those for clusters are test_docs.py's."""

from __future__ import annotations

import re
import shlex

import pytest

from pipeline.check.options import CHECK, OWN
from pipeline.option_sources import read_sources
from pipeline.option_table import OPTIONS
from pipeline.options import options_markdown_table
from tests.deployments import DEPLOY, the_settings
from tests.markdown import Page, blocks, codes

PAGES = [Page(DEPLOY / name / "README.md") for name in ("", "aws", "ecs", "kubernetes", "systemd")]
QUEUE = {"SQS_QUEUE_URL": "https://sqs.eu-central-1.amazonaws.com/123456789012/acme-logs-new-objects"}
COMMAND = re.compile(r"python -m pipeline\b *(.*)$", re.MULTILINE)
every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.path.parent.name)


@every_page
def test_every_relative_link_leads_somewhere(page: Page) -> None:
    """To a file or folder that is there, and a heading in it."""
    for text, target in page.links():
        file, _, anchor = target.partition("#")
        path = page.path.parent / file

        assert path.exists(), f"[{text}]({target})"
        assert not anchor or anchor in Page(path).anchors(), f"[{text}]({target})"


@every_page
def test_every_command_of_the_job_is_one_that_it_takes(page: Page) -> None:
    """Read as the job reads it; nothing is left for Beam."""
    for arguments in (match[1] for block in blocks(page.text, "console") for match in COMMAND.finditer(block)):
        command, *rest = shlex.split(arguments) or [""]
        if command == "check":
            _, left = read_sources(rest, QUEUE, (*OPTIONS, *OWN.values()), CHECK)
            assert [] == left
        else:
            the_settings(shlex.split(arguments), QUEUE)


@every_page
def test_every_option_that_a_page_names_exists(page: Page) -> None:
    """In its text; those of other programs stand in blocks of commands, or begin with the program's name."""
    ours = set(re.findall(r"--[a-z0-9_]+", options_markdown_table()))
    named = {word for code in codes(_prose(page)) if code.startswith("--") for word in code.split() if "--" in word}

    assert set() == {re.split(r"[=,]", name)[0] for name in named} - ours


@every_page
def test_every_variable_of_the_job_that_a_page_names_exists(page: Page) -> None:
    """As the upper case of an option."""
    ours = {f"SQS_PIPELINE_{name.upper()}" for name in re.findall(r"--([a-z0-9_]+)", options_markdown_table())}

    assert set() == set(re.findall(r"SQS_PIPELINE_[A-Z_]+[A-Z]", page.text)) - ours


def _prose(page: Page) -> str:
    return re.sub(r"^```\w*\n.*?^```$", "", page.text, flags=re.DOTALL | re.MULTILINE)
