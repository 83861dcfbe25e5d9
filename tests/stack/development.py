"""What is kept in `.stack` while servers run for a person: how to reach them, and the key that signs tokens."""

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.stack.stack import Stack
from tests.stack.trust.tokens import TokenIssuer

_FOLDER = Path(".stack")
_ISSUER_FILE = _FOLDER / "issuer.pem"
ENVIRONMENT_FILE = _FOLDER / "env"


def kept_issuer() -> TokenIssuer:
    """The development stack's issuer: the same one from run to run, so that `token` works beside `up`."""
    if _ISSUER_FILE.exists():
        return TokenIssuer.from_file(_ISSUER_FILE)
    _FOLDER.mkdir(exist_ok=True)
    issuer = TokenIssuer()
    issuer.save(_ISSUER_FILE)
    return issuer


@contextmanager
def environment_file(stack: Stack) -> Iterator[str]:
    """The file to `source` in another terminal, there while the servers run; yield its lines."""
    lines = "".join(f"export {line}\n" for line in _export_lines(stack))
    _FOLDER.mkdir(exist_ok=True)
    ENVIRONMENT_FILE.touch(mode=0o600)
    ENVIRONMENT_FILE.write_text(lines)
    try:
        yield lines
    finally:
        ENVIRONMENT_FILE.unlink(missing_ok=True)


def _export_lines(stack: Stack) -> list[str]:
    kubernetes, elasticsearch = stack.kubernetes, stack.elasticsearch
    values = {
        "KUBECONFIG": str(kubernetes.kubeconfig),
        "SEARCHACCESS_ES_URL": elasticsearch.url,
        "SEARCHACCESS_ES_CA": str(elasticsearch.ca_file),
        "SEARCHACCESS_ES_USERNAME": elasticsearch.username,
        "SEARCHACCESS_ES_PASSWORD": elasticsearch.password,
    }
    path = f'PATH={shlex.quote(str(kubernetes.kubectl.parent))}:"$PATH"'
    return [*(f"{name}={shlex.quote(value)}" for name, value in values.items()), path]
