"""Elasticsearch's image, of the test stack's own Elasticsearch and the machine's JDK."""

import os
import shutil
from pathlib import Path

from tests.kind.offline.images import Image, write_layer
from tests.kind.offline.roots import PATH
from tests.stack.build_elasticsearch import ensure_elasticsearch_home
from tests.stack.releases import RELEASES, find_jdk

_RELEASE = RELEASES[0]
_HERE = Path(__file__).parent
_LOG_CONFIGURATION = _HERE.parents[1] / "stack/es/config/log4j2.properties"
_USER = 1000
_HOME = "usr/share/elasticsearch"
_NEEDED_TO_COMPILE = ("jmods", "man", "docs", "include", "src.zip")


def elasticsearch_image(layers: tuple[str, ...]) -> Image:
    """The image under the name of the published one."""
    name = f"docker.elastic.co/elasticsearch/elasticsearch:{_RELEASE.version}"
    runs = {
        "Env": [PATH],
        "User": f"{_USER}:0",
        "WorkingDir": f"/{_HOME}",
        "Entrypoint": ["/usr/local/bin/elasticsearch-run"],
    }
    return Image(name, layers, runs)


def write_elasticsearch_layer(folder: Path, name: str) -> None:
    """Write the layer above a shell: JDK, Elasticsearch and how it runs."""
    root = folder / "elasticsearch"
    home, binaries = root / _HOME, root / "usr/local/bin"
    binaries.mkdir(parents=True)
    shutil.copy2(_HERE / "elasticsearch/run", binaries / "elasticsearch-run")
    shutil.copytree(ensure_elasticsearch_home(_RELEASE), home)
    jdk = Path(find_jdk(_RELEASE).java).parents[1]
    shutil.copytree(jdk, root / "opt/jdk", ignore=shutil.ignore_patterns(*_NEEDED_TO_COMPILE))
    for written in ("config", "data", "logs"):
        (home / written).mkdir(exist_ok=True)
    shutil.copy(_LOG_CONFIGURATION, home / "config")
    home.chmod(0o755)
    for path in (home, *(home / name for name in ("config", "data", "logs"))):
        os.chown(path, _USER, 0)
    write_layer(root, folder, name)
    shutil.rmtree(root)
