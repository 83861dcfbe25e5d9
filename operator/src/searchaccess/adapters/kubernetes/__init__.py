"""The API server, by the official client."""

import importlib
import sys


def _import_client() -> None:
    """Import the client without ``google.auth``, which it imports if it finds it.

    It wants it for a kind of login in kubeconfigs that GKE has given up, and that we do not use: a quarter of a second
    and 12 MiB at each start (docs/adr/0013).
    """
    if "google.auth" in sys.modules or "kubernetes" in sys.modules:
        return
    sys.modules["google.auth"] = None  # type: ignore[assignment] # As documented: its import fails.
    try:
        importlib.import_module("kubernetes")
    finally:
        del sys.modules["google.auth"]


_import_client()
