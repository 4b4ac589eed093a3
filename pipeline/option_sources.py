"""Where the values of options come from: the command line, which wins, and the environment."""

from __future__ import annotations

import argparse
import difflib
import re
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any, NoReturn

from pipeline.option_help import JOB, help_of
from pipeline.option_kinds import FLAG, PREFIX
from pipeline.option_table import OPTIONS
from transforms.failures import UserError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pipeline.option_help import About
    from pipeline.option_kinds import Option

OTHER_VARIABLES = {"queue_url": "SQS_QUEUE_URL"}
"""Variables that are usual for an option beside its own."""

# Kubernetes tells every container where each service is, also one that is called sqs-pipeline or sqs-pipeline-….
_OF_KUBERNETES = re.compile(r"(\w+_)?(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)")


@dataclass(frozen=True, slots=True)
class Said:
    """What the user said of one option."""

    label: str
    """The option, as the user named it."""
    text: str
    value: Any


def read_sources(
    argv: Sequence[str], environ: Mapping[str, str], options: Sequence[Option] = OPTIONS, about: About = JOB
) -> tuple[dict[str, Said], list[str]]:
    """Answer what was said, by the name of the option, and the arguments that are not ours. Raises `UserError`.

    The environment has only the job's options; those of a single command are said where it is typed.
    """
    namespace, rest = _parser(options, about).parse_known_args(list(argv))
    _refuse_unknown_variables(environ)
    said = {}
    for option in options:
        texts: list[str] | None = getattr(namespace, option.name)
        in_environment = _said_by_environment(option, environ) if option in OPTIONS else None
        found = _said(option, option.flag, texts) if texts else in_environment
        if found:
            said[option.name] = found
    return said, rest


def read_command(
    argv: Sequence[str], environ: Mapping[str, str], options: Sequence[Option], about: About
) -> dict[str, Any]:
    """Answer the value of each option of a command, by its name. Raises `UserError`, for other arguments too."""
    said, rest = read_sources(argv, environ, options, about)
    for argument in rest:
        name = argument.partition("=")[0]
        raise unknown(name, closest(name, [option.flag for option in options]))
    return {option.name: said[option.name].value if option.name in said else option.default for option in options}


def closest(name: str, names: Iterable[str], cutoff: float = 0.6) -> str | None:
    """Answer which of `names` was probably meant; a higher `cutoff` (below 1) asks for more likeness."""
    return next(iter(difflib.get_close_matches(name, list(names), n=1, cutoff=cutoff)), None)


def unknown(name: str, meant: str | None) -> UserError:
    """Say that there is no such option, and which was `meant`."""
    hint = f"did you mean {meant}?" if meant else "--help lists the options"
    return UserError(f"{name} is not an option; {hint}")


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UserError(f"{message.removeprefix('argument ')}; --help lists the options")


def _parser(every: Sequence[Option], about: About) -> argparse.ArgumentParser:
    parser = _Parser(
        usage=about.usage,
        description=about.description,
        epilog=about.epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    for step, options in groupby(every, key=lambda option: option.step):
        group = parser.add_argument_group(step)
        for option in options:
            text = help_of(option).replace("%", "%%")
            # Values stay texts here: those of the environment are read by the same code, with the same sentences.
            if option.kind is FLAG:
                group.add_argument(
                    option.flag, action="append", nargs="?", const="true", metavar="true|false", help=text
                )
            else:
                group.add_argument(option.flag, action="append", metavar=option.metavar, help=text)
    return parser


def _said_by_environment(option: Option, environ: Mapping[str, str]) -> Said | None:
    variables = [option.variable, OTHER_VARIABLES.get(option.name, option.variable)]
    texts = {variable: text for variable in variables if (text := environ.get(variable, "").strip())}
    if len(set(texts.values())) > 1:
        (one, another) = texts
        raise UserError(f"{one} is {texts[one]} and {another} is {texts[another]}; unset one of them")
    for variable, text in texts.items():
        return _said(option, variable, text.split(",") if option.kind.many else [text])
    return None


def _said(option: Option, label: str, texts: list[str]) -> Said:
    if not option.kind.many:  # the last one wins, as everywhere
        return Said(label, texts[-1], option.read(texts[-1], label))
    if option.kind.splits:
        texts = [part for text in texts for part in text.split(",")]
    texts = [text.strip() for text in texts]
    return Said(label, ",".join(texts), tuple(option.read(text, label) for text in texts))


def _refuse_unknown_variables(environ: Mapping[str, str]) -> None:
    known = [option.variable for option in OPTIONS]
    for variable, text in environ.items():
        name = variable.removeprefix(PREFIX)
        if name == variable or variable in known or not text.strip() or _OF_KUBERNETES.fullmatch(name):
            continue
        if name.endswith("PORT") and text.startswith(("tcp://", "udp://", "sctp://")):  # of Kubernetes, too
            continue
        raise unknown(variable, closest(variable, known))
