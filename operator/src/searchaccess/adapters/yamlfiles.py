"""How files of YAML are read, and what can be wrong with them."""

from typing import Any, Final

import yaml
from yaml.constructor import ConstructorError

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


class PlainLoader(yaml.SafeLoader):
    """Reads YAML as kubectl does, which converts it to JSON: a time is a string, and half a character is an error."""

    def construct_scalar(self, node: yaml.ScalarNode | yaml.MappingNode) -> Any:
        """Return the text of a scalar, with characters that JSON writes as two escapes.

        Raises:
            ConstructorError: it has only one of the two, so that nothing could print or store it.
        """
        value = super().construct_scalar(node)
        if isinstance(value, str) and not value.isascii():
            try:
                return value.encode("utf-16", "surrogatepass").decode("utf-16")
            except UnicodeDecodeError:
                raise ConstructorError(problem="half a character", problem_mark=node.start_mark) from None
        return value


PlainLoader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in known if tag != "tag:yaml.org,2002:timestamp"]
    for first, known in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def line_of(error: BaseException) -> str:
    """Return where a file is wrong, as ``, line 3``; empty: that is not known."""
    where = getattr(error, "problem_mark", None)
    return f", line {where.line + 1}" if where else ""
