"""What can be wrong with a file of YAML."""

from typing import Final

import yaml

UNREADABLE: Final = (
    OSError,
    yaml.YAMLError,
    # What PyYAML raises at explicit tags on other content, at numbers of thousands of digits, and at deep nesting.
    ArithmeticError,
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
)
"""All that reading one may raise."""


def line_of(error: BaseException) -> str:
    """Return where a file is wrong, as ``, line 3``; empty: that is not known."""
    where = getattr(error, "problem_mark", None)
    return f", line {where.line + 1}" if where else ""
