"""Durations, as Go and CEL read them."""

import re
from typing import Annotated, Any, Final

from pydantic import Field

from searchaccess.api.base import cel, matches, rules

DURATION_PATTERN: Final = r"^([0-9]{1,6}(\.[0-9]{1,3})?(ms|s|m|h))+$"
"""A duration as Go and CEL read it, limited in length so that neither overflows."""

Duration = Annotated[str, Field(max_length=20, pattern=DURATION_PATTERN)]

_UNITS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


def between(least: str, most: str, example: str) -> dict[str, Any]:
    """Return the rule that a duration lies between two others."""
    return rules(
        cel(
            f"{matches(DURATION_PATTERN)} && duration(self) >= duration('{least}') "
            f"&& duration(self) <= duration('{most}')",
            f"write a duration between {least} and {most}, such as {example}",
        )
    )


def seconds(duration: str) -> float:
    """Return the seconds of a duration such as ``500ms``, ``2s`` or ``1h30m``."""
    return sum(float(number) * _UNITS[unit] for number, unit in re.findall(r"([0-9.]+)(ms|s|m|h)", duration))
