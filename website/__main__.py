"""``python -m website``: build the website into a folder, and check its links."""

import argparse
import json
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from website.links import broken, read_site
from website.navigation import navigation, toml
from website.pages import CONTENTS, BrokenLink, Repository, assemble, place_of

ROOT: Final = Path(__file__).parents[1]
_LEFT_OUT: Final = {".git", ".venv", "build", "node_modules", "__pycache__", ".stack"}
_LARGEST: Final = 500_000
_SITE_URL: Final = re.compile(r"^site_url = .*$", re.MULTILINE)


class InvalidAddress(ValueError):
    """The website cannot be served at this address."""


def main() -> int:
    """Build the website.

    Returns:
        0, or 1 if a link is broken or a page has a warning.
    """
    parser = argparse.ArgumentParser(prog="python -m website", description="Build the documentation as a website.")
    parser.add_argument("folder", type=Path, help="where the website is written; it is emptied first")
    parser.add_argument("--url", default="", help="the address at which it is served; default: that of zensical.toml")
    given = parser.parse_args()
    try:
        return build(given.folder.resolve(), given.url)
    except (BrokenLink, InvalidAddress) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


def build(folder: Path, url: str = "") -> int:
    """Write the website's sources beside its folder, build it, and check its links.

    Args:
        folder: of the finished website.
        url: the address at which it is served. Only the page for unknown addresses and the canonical links have it: all
            other links are relative. Empty: that of ``zensical.toml``.

    Returns:
        0, or 1 if a link is broken or a page has a warning.

    Raises:
        BrokenLink: a link leads to no file of the repository.
    """
    repository = Repository(dict(_files()))
    work = folder.parent / f"{folder.name}-sources"
    shutil.rmtree(work, ignore_errors=True)
    for place, text in assemble(repository).items():
        page = work / "docs" / place
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text(text)
    for style in (ROOT / "website").glob("*.css"):
        (work / "docs" / "assets").mkdir(exist_ok=True)
        shutil.copy(style, work / "docs" / "assets")
    items = navigation(
        repository.files[CONTENTS],
        lambda target: place_of(str((ROOT / "docs" / target).resolve().relative_to(ROOT)), repository),
    )
    settings = settings_for((ROOT / "website" / "zensical.toml").read_text(), url)
    base = urlsplit(tomllib.loads(settings)["project"]["site_url"]).path
    where = f'[project]\nsite_dir = "site"\nnav = {toml([{"Home": "index.md"}, *items])}\n'
    (work / "zensical.toml").write_text(settings.replace("[project]\n", where, 1))
    command = [sys.executable, "-m", "zensical", "build", "--strict", "--clean", "-f", str(work / "zensical.toml")]
    if subprocess.run(command, check=False, cwd=work).returncode:
        return 1
    shutil.rmtree(folder, ignore_errors=True)
    shutil.move(work / "site", folder)
    files = [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()]
    wrong = broken(read_site(folder), files, base)
    print(*(f"error: {line}" for line in wrong), sep="\n", file=sys.stderr)
    return 1 if wrong else 0


def settings_for(settings: str, url: str) -> str:
    """Put the address of the website into its settings.

    Args:
        settings: as ``zensical.toml`` has them.
        url: with or without a slash at its end; empty: the settings stay as they are.

    Raises:
        InvalidAddress: it is not an address on the web.
    """
    if not url:
        return settings
    if urlsplit(url).scheme not in {"http", "https"} or not urlsplit(url).netloc:
        raise InvalidAddress(f"{url} is not an address such as https://docs.example.com/searchaccess/")
    return _SITE_URL.sub(lambda _: f"site_url = {json.dumps(url.rstrip('/') + '/')}", settings, count=1)


def _files() -> Iterator[tuple[str, str]]:
    for path in sorted(ROOT.rglob("*")):
        relative = path.relative_to(ROOT)
        if _LEFT_OUT.isdisjoint(relative.parts) and path.is_file() and path.stat().st_size < _LARGEST:
            try:
                yield relative.as_posix(), path.read_text()
            except UnicodeDecodeError:
                continue


if __name__ == "__main__":
    sys.exit(main())
