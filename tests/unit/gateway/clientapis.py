"""The requests of Elasticsearch's official client for Python, read from its source."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import elasticsearch


@dataclass(frozen=True, slots=True)
class Request:
    """A request that the client can send."""

    endpoint: str
    """The API's name in Elasticsearch's REST specification: ``indices.get_alias``."""
    path: str
    """Its path, with ``{name}`` in place of what callers fill in."""


def requests_of_the_client() -> frozenset[Request]:
    """Read each path of each method of the installed client."""
    folder = Path(elasticsearch.__file__).parent / "_sync" / "client"
    return frozenset(
        request
        for file in folder.glob("*.py")
        for method in ast.walk(ast.parse(file.read_text("utf-8")))
        if isinstance(method, ast.FunctionDef)
        for request in _requests(method)
    )


def _requests(method: ast.FunctionDef) -> Iterator[Request]:
    paths, endpoints = set(), set()
    for node in ast.walk(method):
        match node:
            case (
                ast.Assign(targets=[ast.Name(id="__path")], value=value)
                | ast.AnnAssign(target=ast.Name(id="__path"), value=value)
            ) if value is not None:
                paths.add(_template(value))
            case ast.keyword(arg="endpoint_id", value=ast.Constant(value=str(endpoint))):
                endpoints.add(endpoint)
    return (Request(endpoint, path) for endpoint in endpoints for path in paths)


def _template(value: ast.expr) -> str:
    match value:
        case ast.Constant(value=str(path)):
            return path
        case ast.JoinedStr(values=parts):
            return "".join(map(_template, parts))
        case ast.FormattedValue(value=ast.Subscript(slice=ast.Constant(value=str(name)))):
            return f"{{{name}}}"
    raise AssertionError(ast.dump(value))
