"""What a CloudFormation template comes to: its conditions decided, its parameters and pseudo parameters put in."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from cfnlint.decode.cfn_yaml import load

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

PSEUDO = {
    "AWS::Partition": "aws",
    "AWS::Region": "us-east-1",
    "AWS::AccountId": "123456789012",
    "AWS::StackName": "stack",
}
_NOTHING = object()


class Template:
    """One template with values for its parameters; only the functions that ours uses."""

    def __init__(self, path: Path, values: Mapping[str, str], known: Mapping[str, str] | None = None) -> None:
        """`known` has what resources are called once they exist: `Queue`, `Queue.Arn`. Others keep those names."""
        self.document: dict[str, Any] = load(str(path))
        defaults = {name: each.get("Default") for name, each in self.document["Parameters"].items()}
        self._values = {**defaults, **values, **PSEUDO}
        self._known = known or {}

    def resources(self) -> list[str]:
        """Answer the names of the resources that are made."""
        every: dict[str, Any] = self.document["Resources"]
        return [name for name, each in every.items() if "Condition" not in each or self._holds(each["Condition"])]

    def properties(self, resource: str) -> dict[str, Any]:
        """Answer those of one resource."""
        resolved: dict[str, Any] = self.resolve(self.document["Resources"][resource]["Properties"])
        return resolved

    def resolve(self, value: Any) -> Any:  # noqa: ANN401 - any part of a template
        """Answer the same without functions; raises `KeyError` for one that is not known here."""
        if isinstance(value, list):
            return [each for each in map(self.resolve, value) if each is not _NOTHING]
        if not isinstance(value, dict):
            return value
        name, argument = next(iter(value.items()), ("", None))
        if len(value) == 1 and (name in {"Ref", "Condition"} or name.startswith("Fn::")):
            return self._call(name, argument)
        pairs = ((str(key), self.resolve(each)) for key, each in value.items())
        return {key: each for key, each in pairs if each is not _NOTHING}

    def _call(self, name: str, argument: Any) -> Any:  # noqa: ANN401 - what the function takes and answers
        functions: dict[str, Callable[[Any], Any]] = {
            "Ref": self._refer,
            "Condition": self._holds,
            "Fn::GetAtt": lambda path: self._known.get(".".join(path), ".".join(path)),
            "Fn::Sub": lambda text: re.sub(r"\$\{([^}]+)\}", lambda match: str(self._refer(match[1])), text),
            "Fn::If": lambda three: self.resolve(three[1] if self._holds(three[0]) else three[2]),
            "Fn::Equals": lambda two: self.resolve(two[0]) == self.resolve(two[1]),
            "Fn::Not": lambda one: not self.resolve(one[0]),
            "Fn::Or": lambda several: any(self.resolve(several)),
        }
        return functions[name](argument)

    def _refer(self, name: str) -> Any:  # noqa: ANN401 - a parameter may be a number
        if name == "AWS::NoValue":
            return _NOTHING
        if name in self._values:
            return self._values[name]
        return self._known.get(name, name)

    def _holds(self, condition: str) -> bool:
        return bool(self.resolve(self.document["Conditions"][condition]))
