"""A Debian that images are made of: what a node and the build of the operator's image need, from Debian's packages."""

import os
import shutil
from pathlib import Path

from tests.stack.build import BuildDisplay, BuildError, require_tool, run_tool
from tests.stack.cache import BuildInputs, ensure_entry

RELEASE = "bookworm"
_PACKAGES = (
    # kind's own list for a node, with systemd's start-up scripts.
    *("systemd", "systemd-sysv", "dbus", "conntrack", "iptables", "nftables", "iproute2", "ethtool", "util-linux"),
    *("mount", "kmod", "libseccomp2", "socat", "ca-certificates", "curl", "jq", "procps", "bash"),
    *("containerd", "runc", "containernetworking-plugins"),
    # The operator's image is built and run with these.
    *("python3", "python3-pip", "netbase", "tzdata"),
)


def ensure_debian(display: BuildDisplay) -> Path:
    """The root folder of a Debian with all packages, in the cache, made on first use."""
    inputs = BuildInputs("kind-debian", RELEASE, (Path(__file__),), facts=_PACKAGES)

    def build(target: Path) -> None:
        if os.geteuid() != 0:
            raise BuildError("Making images takes root: debootstrap changes its root folder.")
        debootstrap = require_tool("debootstrap", "makes the images of a kind cluster")
        command = [debootstrap, "--variant=minbase", f"--include={','.join(_PACKAGES)}", RELEASE, str(target / "root")]
        with display.step("Making a Debian for images (a minute, only once)"):
            run_tool(command, cwd=target)
        trim(target / "root")

    return ensure_entry(inputs, build) / "root"


def trim(root: Path) -> None:
    """Remove what nothing in an image reads."""
    for folder in ("var/cache/apt/archives", "var/lib/apt/lists", "usr/share/doc", "usr/share/man", "usr/share/locale"):
        shutil.rmtree(root / folder, ignore_errors=True)
