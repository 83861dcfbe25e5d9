"""The docstrings below the fields of models: they become the descriptions in the CRDs.

They are read when CRDs are made. Pydantic's ``use_attribute_docstrings`` would search and parse the source of each
model when it is imported, at each start of the operator.
"""

import ast
import inspect
import sys
from functools import cache
from itertools import pairwise


@cache
def docstrings_of(model: type) -> dict[str, str]:
    """Return the docstrings below the fields of a class in its own source, by the names of the fields."""
    body: list[ast.stmt] = _source_of(model.__module__).body
    for name in model.__qualname__.split("."):
        body = next(part.body for part in body if isinstance(part, ast.ClassDef) and part.name == name)
    found: dict[str, str] = {}
    for field, text in pairwise(body):
        match field, text:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(said))):
                found[name] = inspect.cleandoc(said)
            case _:
                pass
    return found


@cache
def _source_of(module: str) -> ast.Module:
    return ast.parse(inspect.getsource(sys.modules[module]))
