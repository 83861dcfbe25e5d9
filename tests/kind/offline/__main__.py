"""`python -m tests.kind.offline`: kind where no image registry can be reached, step by step, for `up.sh`."""

import argparse
import shlex
import shutil
import sys
from pathlib import Path

from tests.kind.offline.build_bases import ensure_bases
from tests.kind.offline.build_envoy import ensure_envoy
from tests.kind.offline.build_node import NODE_IMAGE, ensure_node
from tests.kind.offline.docker import Docker, check_machine
from tests.kind.offline.operator_image import build_operator_image, end_abandoned_builder, load_landed_image
from tests.kind.offline.programs import KIND
from tests.stack.build import BuildDisplay, BuildError
from tests.stack.build_go import HELM, ensure_program
from tests.stack.build_kubernetes import ensure_built_binaries


def main() -> int:
    """Do what the command line says."""
    arguments = _parse_arguments()
    display = BuildDisplay()
    cluster = Docker(arguments.folder / "docker")
    try:
        match arguments.command:
            case "build":
                ensure_bases(display)
                ensure_node(display)
                ensure_envoy(display)
            case "check":
                check_machine()
            case "tools":
                link_tools(arguments.folder / "bin", display)
            case "docker":
                start_docker(cluster, display)
            case "image":
                build_operator_image(arguments.name, cluster, display)
            case "envoy":
                cluster.load(ensure_envoy(display))
            case "landed":
                load_landed_image(arguments.name, cluster, display)
            case "down":
                cluster.remove()
                end_abandoned_builder()
    except BuildError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def link_tools(folder: Path, display: BuildDisplay) -> None:
    """Put the pinned kind into a folder for PATH, and kubectl and Helm where the machine has none."""
    folder.mkdir(parents=True, exist_ok=True)
    found = {"kind": ensure_program(KIND, display)}
    if shutil.which("kubectl") is None:
        found["kubectl"] = ensure_built_binaries(display) / "kubectl"
    if shutil.which("helm") is None:
        found["helm"] = ensure_program(HELM, display)
    for name, program in found.items():
        (folder / name).unlink(missing_ok=True)
        (folder / name).symlink_to(program)


def start_docker(cluster: Docker, display: BuildDisplay) -> None:
    """Start a Docker with kind's node image, and print what a shell needs to use it."""
    ensure_bases(display)  # Before anything runs.
    node = ensure_node(display)
    with display.step("Starting a Docker of its own"):
        cluster.start()
    with display.step("Loading kind's node image"):
        cluster.load(node)
    for name, value in {**cluster.environment, "KIND_NODE_IMAGE": NODE_IMAGE}.items():
        print(f"export {name}={shlex.quote(value)}")
    print(f"enter=(nsenter --net={shlex.quote(str(cluster.network()))})")


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.kind.offline", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    helps = {
        "build": "make the images in the cache",
        "check": "say whether this machine can do all that",
        "tools": "put kind, and kubectl and Helm where they lack, into FOLDER/bin",
        "docker": "start a Docker in FOLDER with kind's node image; print how to use it",
        "image": "build the operator's image and load it into that Docker",
        "envoy": "load the gateway's image into that Docker",
        "landed": "the same for the last landed version",
        "down": "end that Docker and remove its data",
    }
    for name, text in helps.items():
        command = commands.add_parser(name, help=text)
        command.add_argument("folder", type=Path)
        if name in {"image", "landed"}:
            command.add_argument("name")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
