"""`python -m tests.stack`: build the servers, run them for development, mint tokens for them."""

import argparse
import shlex
import signal
import sys
import time
from pathlib import Path
from types import FrameType

from tests.stack.build import BuildDisplay, BuildError
from tests.stack.build_elasticsearch import ensure_elasticsearch_home
from tests.stack.build_kubernetes import ensure_kubernetes_binaries
from tests.stack.processes import ServerStartError
from tests.stack.stack import Stack
from tests.stack.tokens import DEFAULT_AUDIENCE, TokenIssuer

_FOLDER = Path(".stack")
_ENVIRONMENT_FILE = _FOLDER / "env"
_ISSUER_FILE = _FOLDER / "issuer.pem"


def main() -> int:
    arguments = _parse_arguments()
    try:
        match arguments.command:
            case "build":
                build()
            case "up":
                up()
            case "token":
                print(_kept_issuer().mint(arguments.email, audience=arguments.audience))
    except (BuildError, ServerStartError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def build() -> None:
    """Build everything into the cache."""
    display = BuildDisplay()
    print(f"Kubernetes: {ensure_kubernetes_binaries(display)}")
    print(f"Elasticsearch: {ensure_elasticsearch_home(display)}")


def up() -> None:
    """Run the stack until Ctrl-C or SIGTERM; another terminal can `source .stack/env` meanwhile."""
    signal.signal(signal.SIGTERM, _interrupt)
    started = time.monotonic()
    stack = Stack(_kept_issuer())
    try:
        stack.start()
        lines = "".join(f"export {line}\n" for line in _export_lines(stack))
        _ENVIRONMENT_FILE.touch(mode=0o600)
        _ENVIRONMENT_FILE.write_text(lines)
        print(lines, end="")
        ready = f"Ready in {time.monotonic() - started:.0f} s. In another terminal: source {_ENVIRONMENT_FILE}"
        print(f"# {ready}\n# Ctrl-C stops the servers.", flush=True)
        signal.pause()
    except KeyboardInterrupt:
        print("# Stopping.", file=sys.stderr)
    finally:
        _ENVIRONMENT_FILE.unlink(missing_ok=True)
        stack.stop()


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


def _kept_issuer() -> TokenIssuer:
    """The development stack's issuer: the same one from run to run, so that `token` works beside `up`."""
    if _ISSUER_FILE.exists():
        return TokenIssuer.from_file(_ISSUER_FILE)
    _FOLDER.mkdir(exist_ok=True)
    issuer = TokenIssuer()
    issuer.save(_ISSUER_FILE)
    return issuer


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.stack", description="Real servers for tests, without Docker."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("build", help="build everything into the cache")
    commands.add_parser("up", help="run the servers until Ctrl-C, and print how to reach them")
    token = commands.add_parser("token", help="mint an identity token for the running servers")
    token.add_argument("email")
    token.add_argument("--audience", default=DEFAULT_AUDIENCE)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
