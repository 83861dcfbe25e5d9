"""Defaults that the command line shows. By themselves, as its help needs nothing else of the connections."""

from pathlib import Path
from typing import Final

SERVICE_ACCOUNT_TOKEN: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")
