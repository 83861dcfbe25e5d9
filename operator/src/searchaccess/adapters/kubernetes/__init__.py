"""The API server, by the official client."""

import importlib.util
import sys
from typing import Final

_CLIENT: Final = "kubernetes"


def _prepare_client() -> None:
    """Make the asynchronous client importable without the synchronous one, which its package imports first.

    That would bring ``requests``, OAuth, WebSockets and ``google.auth``: a sixth of a start (docs/adr/0039). The package
    is entered as it was found, without running its ``__init__``; whoever needs the synchronous client still finds its
    modules.
    """
    spec = importlib.util.find_spec(_CLIENT) if _CLIENT not in sys.modules else None
    if spec is not None:
        sys.modules[_CLIENT] = importlib.util.module_from_spec(spec)


_prepare_client()
