"""The commands ``python -m release sign`` and ``verify``, for ``make release`` and ``make verify-release``."""

import argparse
import os
import re
import sys
from pathlib import Path
from typing import Final

from release import papers
from release.errors import Refused

_REFERENCE: Final = re.compile(r"[^@]+@sha256:[0-9a-f]{64}")


def _parsed(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m release", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    sign = commands.add_parser("sign", help="write the SBOM and the signed provenance of a release")
    verify = commands.add_parser("verify", help="make sure that a release is what was signed")
    for command in (sign, verify):
        command.add_argument("folder", type=Path, help="folder with the release")
        command.add_argument("--key", type=Path, required=True, help="PEM file with the key")
    sign.add_argument("--builder", required=True, help="who built it, as a URI")
    sign.add_argument("--lock", type=Path, action="append", default=[], help="file that pins what is in the image")
    sign.add_argument(
        "--revision", default="", help="commit that the files come from; the image must be of the same one"
    )
    sign.add_argument("--pushed", type=_pushed, help="where the image is: NAME@sha256:DIGEST")
    sign.add_argument(
        "--unpinned", action="store_true", help="accept base images without a digest, and a source that is no commit"
    )
    verify.add_argument("--image", default="", help="sha256:DIGEST of an image that must be the released one")
    return parser.parse_args(arguments)


def _pushed(text: str) -> str:
    if not _REFERENCE.fullmatch(text):
        raise argparse.ArgumentTypeError("write NAME@sha256:DIGEST")
    return text


def main(arguments: list[str]) -> int:
    """Do what the arguments say; return the exit code."""
    given = _parsed(arguments)
    try:
        if given.command == "sign":
            papers.write(
                given.folder,
                given.lock,
                given.key,
                os.environ.get("RELEASE_KEY_PASSWORD", ""),
                builder=given.builder,
                revision=given.revision,
                pushed=given.pushed or "",
                unpinned=given.unpinned,
            )
        else:
            print("verified:", *papers.verify(given.folder, given.key, given.image))
    except Refused as error:
        print(f"release: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
