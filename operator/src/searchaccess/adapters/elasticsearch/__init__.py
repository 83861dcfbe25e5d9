"""The Elasticsearch port, by the official client."""

import importlib.util
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from importlib.machinery import PathFinder
from types import ModuleType
from typing import Final

_CLIENT: Final = "elasticsearch"
_SYNCHRONOUS: Final = f"{_CLIENT}._sync.client"
_OPTIONAL: Final = frozenset({"httpx", "opentelemetry", "requests"})
"""What the client imports if it is installed, for other transports than ours (aiohttp) and for spans of its own."""


class _Hidden(MetaPathFinder):
    """Hides modules from the imports of one thread, as if they were not installed.

    Args:
        names: of packages.
    """

    def __init__(self, names: frozenset[str]) -> None:
        self._names = names
        self._thread = threading.get_ident()

    def find_spec(self, fullname: str, _path: Sequence[str] | None, _target: ModuleType | None = None) -> None:
        """Find nothing, and refuse what is hidden.

        Raises:
            ModuleNotFoundError: it is hidden.
        """
        if threading.get_ident() == self._thread and fullname.partition(".")[0] in self._names:
            raise ModuleNotFoundError(f"{fullname} is not needed", name=fullname)


@contextmanager
def _without(names: frozenset[str]) -> Iterator[None]:
    finder = _Hidden(names)
    # Another list each time: a thread that imports something would skip a finder of one that gets shorter.
    sys.meta_path = [finder, *sys.meta_path]
    try:
        yield
    finally:
        sys.meta_path = [other for other in sys.meta_path if other is not finder]


def load_client() -> None:
    """Import the client without its synchronous half and what only other transports need (docs/adr/0086).

    Only for a process of the operator: nobody else in it can use the synchronous client. If the client was imported
    before, it stays as it is.

    Together these take two thirds of the client's time and memory. The synchronous package is found, but its
    ``__init__`` does not run: the asynchronous half uses one module of it.
    """
    package = importlib.util.find_spec(_CLIENT) if _CLIENT not in sys.modules else None
    if package is None or package.submodule_search_locations is None:
        return
    folders = [f"{folder}/_sync" for folder in package.submodule_search_locations]
    if (spec := PathFinder.find_spec(_SYNCHRONOUS, folders)) is not None:
        hollow = importlib.util.module_from_spec(spec)
        vars(hollow)["Elasticsearch"] = type("Elasticsearch", (), {})
        sys.modules[_SYNCHRONOUS] = hollow
    with _without(_OPTIONAL):
        importlib.import_module(_CLIENT)
