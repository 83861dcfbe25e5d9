"""What operator/Dockerfile builds on, made from Debian's packages: the same names, Python and users."""

import os
import shutil
from pathlib import Path

from tests.kind.offline.debian import RELEASE, ensure_debian
from tests.kind.offline.images import Image, write_images, write_layer
from tests.kind.offline.roots import PATH, copy_packages, copy_tree, trust_as_here
from tests.stack.build import BuildDisplay
from tests.stack.cache import BuildInputs, ensure_entry

BUILD_IMAGE = "python:3.11-slim-bookworm"
RUNTIME_IMAGE = "gcr.io/distroless/python3-debian12:nonroot"
_RUNTIME_PACKAGES = (
    *("base-files", "ca-certificates", "gcc-12-base", "media-types", "netbase", "tzdata"),
    *("libbz2-1.0", "libc6", "libcom-err2", "libcrypt1", "libdb5.3", "libexpat1", "libffi8", "libgcc-s1"),
    *("libgssapi-krb5-2", "libk5crypto3", "libkeyutils1", "libkrb5-3", "libkrb5support0", "liblzma5", "libncursesw6"),
    *("libnsl2", "libreadline8", "libsqlite3-0", "libssl3", "libstdc++6", "libtinfo6", "libtirpc3", "libuuid1"),
    *("zlib1g", "libpython3.11-minimal", "libpython3.11-stdlib", "python3-minimal", "python3.11-minimal"),
)
_USERS = "root:x:0:0:root:/root:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin\n"
_GROUPS = "root:x:0:\nnonroot:x:65532:\n"


def ensure_bases(display: BuildDisplay) -> Path:
    """The folder with both images, in the cache, made on first use."""
    debian = ensure_debian(display)
    here = Path(__file__)
    code = (here, here.with_name("images.py"), here.with_name("roots.py"))
    inputs = BuildInputs("kind-bases", RELEASE, code, facts=(debian.parent.name,))

    def build(target: Path) -> None:
        with display.step("Making the images that operator/Dockerfile builds on"):
            build_root, runtime_root = target / "build", target / "runtime"
            copy_tree(debian, build_root)
            _prepare_for_building(build_root)
            copy_packages(debian, runtime_root, _RUNTIME_PACKAGES)
            _add_users(runtime_root)
            images = target / "images"
            images.mkdir()
            for root in (build_root, runtime_root):
                write_layer(root, images, f"{root.name}.tar")
            runs = {"User": "65532", "WorkingDir": "/home/nonroot", "Env": [PATH]}
            build_image = Image(BUILD_IMAGE, ("build.tar",), {"Env": [PATH], "Cmd": ["python3"]})
            shutil.rmtree(build_root)
            shutil.rmtree(runtime_root)
            write_images(images, [build_image, Image(RUNTIME_IMAGE, ("runtime.tar",), runs)])

    return ensure_entry(inputs, build) / "images"


def _prepare_for_building(root: Path) -> None:
    """Let pip install into the image, as the published one does."""
    (root / "usr/lib/python3.11/EXTERNALLY-MANAGED").unlink(missing_ok=True)
    (root / "usr/bin/python").symlink_to("python3")
    trust_as_here(root)


def _add_users(root: Path) -> None:
    (root / "etc/passwd").write_text(_USERS)
    (root / "etc/group").write_text(_GROUPS)
    home = root / "home/nonroot"
    home.mkdir(parents=True)
    home.chmod(0o700)
    os.chown(home, 65532, 65532)
