"""The API server, by the official client."""

import importlib.util
import sys
from typing import Final

_CLIENT: Final = "kubernetes"


def _prepare_client() -> None:
    """Make the asynchronous client importable without the synchronous one, which its package imports first.

    That one would bring ``requests``, OAuth, WebSockets and ``google.auth``, a quarter of all imports at a start
    (docs/adr/0039). The package is found, but its ``__init__`` does not run; whoever needs modules of the synchronous
    client can still import them.
    """
    spec = importlib.util.find_spec(_CLIENT) if _CLIENT not in sys.modules else None
    if spec is not None:
        sys.modules[_CLIENT] = importlib.util.module_from_spec(spec)


_prepare_client()
