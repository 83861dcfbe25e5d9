"""Root folders of images, made of parts of others."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from tests.stack.build import run_tool

PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_MERGED = ("bin", "lib", "lib64", "sbin")
_UNREAD = ("/usr/share/doc/", "/usr/share/man/", "/usr/share/locale/")
_CERTIFICATES = Path("etc/ssl/certs/ca-certificates.crt")


def copy_tree(source: Path, target: Path) -> None:
    """Copy a folder with owners, links and devices; the target is made."""
    run_tool(["cp", "--archive", "--reflink=auto", str(source), str(target)], cwd=source.parent)


def copy_packages(root: Path, target: Path, packages: Sequence[str]) -> None:
    """Copy what some installed packages hold, and the certificates that the machine trusts, into a folder."""
    target.mkdir()
    for name in _MERGED:
        (target / "usr" / name).mkdir(parents=True, exist_ok=True)
        (target / name).symlink_to(f"usr/{name}")
    for package in packages:
        for line in _list_file(root, package).read_text().splitlines():
            if line.startswith(_UNREAD):
                continue
            _copy_one(root / line.lstrip("/"), target / line.lstrip("/"))
    _copy_alternatives(root, target)
    for scratch in ("tmp", "var/tmp"):
        (target / scratch).mkdir(parents=True, exist_ok=True)
        (target / scratch).chmod(0o1777)
    trust_as_here(target)


def trust_as_here(root: Path) -> None:
    """Let an image trust the certificates that this machine trusts."""
    (root / _CERTIFICATES).parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(Path("/") / _CERTIFICATES, root / _CERTIFICATES)


def _copy_alternatives(root: Path, target: Path) -> None:
    """Copy the links by which programs that no package owns are found, such as iptables."""
    for folder in ("usr/bin", "usr/sbin"):
        for link in (root / folder).iterdir():
            chosen = root / "etc/alternatives" / link.name
            if link.is_symlink() and str(link.readlink()) == f"/etc/alternatives/{link.name}":
                _copy_one(link, target / folder / link.name)
                _copy_one(chosen, target / "etc/alternatives" / link.name)


def _list_file(root: Path, package: str) -> Path:
    found = sorted((root / "var/lib/dpkg/info").glob(f"{package}:*.list"))
    return found[0] if found else root / "var/lib/dpkg/info" / f"{package}.list"


def _copy_one(source: Path, target: Path) -> None:
    if source.is_symlink():
        if not target.is_symlink() and not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            target.symlink_to(source.readlink())
    elif source.is_dir():
        target.mkdir(parents=True, exist_ok=True)
    elif source.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, target)
