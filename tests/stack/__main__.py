"""`python -m tests.stack`: build the servers, run them for development, mint tokens for them."""

import argparse
import signal
import sys
import time
from types import FrameType

from tests.stack.build import BuildDisplay, BuildError
from tests.stack.build_elasticsearch import ensure_elasticsearch_home
from tests.stack.build_go import HELM, HELM_4, KUBE_SCORE, PROMTOOL, SECRET_MANAGER, VAULT, ensure_program
from tests.stack.build_kubernetes import ensure_kubernetes_binaries
from tests.stack.development import ENVIRONMENT_FILE, environment_file, kept_issuer
from tests.stack.elasticsearch import ExternalElasticsearch, ensure_class_archive
from tests.stack.releases import RELEASES, chosen_release, find_jdk
from tests.stack.running.processes import ServerStartError
from tests.stack.stack import Stack
from tests.stack.trust.tokens import DEFAULT_AUDIENCE


def main() -> int:
    arguments = _parse_arguments()
    try:
        match arguments.command:
            case "build":
                build()
            case "up":
                up()
            case "releases":
                print(*other_releases())
            case "token":
                print(kept_issuer().mint(arguments.email, audience=arguments.audience))
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
    print(f"Elasticsearch: {ensure_elasticsearch_home(display=display)}")
    print(f"its classes: {ensure_class_archive()}")
    for program in (VAULT, SECRET_MANAGER, HELM, HELM_4, PROMTOOL, KUBE_SCORE):
        print(f"{program.name}: {ensure_program(program, display)}")


def other_releases() -> list[str]:
    """The releases of Elasticsearch besides the chosen one that run here; why one does not, on stderr."""
    if ExternalElasticsearch.is_configured():
        return []
    found = []
    for release in RELEASES:
        try:
            find_jdk(release, compiler=True)
        except BuildError as error:
            print(f"not tested: {error}", file=sys.stderr)
        else:
            found.append(release.version)
    return [version for version in found if version != chosen_release().version]


def up() -> None:
    """Run the stack until Ctrl-C or SIGTERM; another terminal can `source .stack/env` meanwhile."""
    signal.signal(signal.SIGTERM, _interrupt)
    started = time.monotonic()
    stack = Stack(kept_issuer())
    try:
        stack.start()
        with environment_file(stack) as lines:
            print(lines, end="")
            ready = f"Ready in {time.monotonic() - started:.0f} s. In another terminal: source {ENVIRONMENT_FILE}"
            print(f"# {ready}\n# Ctrl-C stops the servers.", flush=True)
            signal.pause()
    except KeyboardInterrupt:
        print("# Stopping.", file=sys.stderr)
    finally:
        stack.stop()


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.stack", description="Real servers for tests, without Docker."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("build", help="build everything into the cache")
    commands.add_parser("releases", help="print the other releases of Elasticsearch that can be tested here")
    commands.add_parser("up", help="run the servers until Ctrl-C, and print how to reach them")
    token = commands.add_parser("token", help="mint an identity token for the running servers")
    token.add_argument("email")
    token.add_argument("--audience", default=DEFAULT_AUDIENCE)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
