"""What makes kind possible without an image registry, as far as it can be tested without root and without Docker."""

import fcntl
import gzip
import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import psutil
import pytest
import yaml

from tests.kind.offline import runc
from tests.kind.offline.build_bases import BUILD_IMAGE, RUNTIME_IMAGE
from tests.kind.offline.build_elasticsearch import elasticsearch_image
from tests.kind.offline.docker import Docker, check_machine
from tests.kind.offline.images import Image, as_archive, write_images, write_layer
from tests.kind.offline.operator_image import end_abandoned_builder
from tests.kind.offline.roots import copy_packages
from tests.stack.build import BuildError
from tests.support.operatorprocess import ROOT
from tests.support.waiting import eventually


def test_an_image_names_its_layers_by_the_digest_of_what_is_in_them(tmp_path: Path) -> None:
    root, folder = tmp_path / "root", tmp_path / "images"
    root.mkdir()
    folder.mkdir()
    (root / "hello").write_text("hello")
    write_layer(root, folder, "plain.tar")
    write_layer(root, folder, "packed.tar.gz")
    write_images(folder, [Image("one:1", ("plain.tar", "packed.tar.gz"), {"User": "1000"})])
    with as_archive(folder) as stream, tarfile.open(fileobj=io.BytesIO(stream.read())) as whole:
        whole.extractall(tmp_path / "loaded", filter="data")
    [image] = json.loads((tmp_path / "loaded/manifest.json").read_text())
    assert (image["RepoTags"], image["Layers"]) == (["one:1"], ["plain.tar", "packed.tar.gz"])
    config = json.loads((tmp_path / "loaded" / image["Config"]).read_text())
    unpacked = (folder / "plain.tar").read_bytes(), gzip.decompress((folder / "packed.tar.gz").read_bytes())
    assert config["rootfs"]["diff_ids"] == [f"sha256:{hashlib.sha256(layer).hexdigest()}" for layer in unpacked]
    assert config["config"] == {"User": "1000"}


def test_a_root_folder_has_what_its_packages_have_and_what_is_found_by_an_alternative(tmp_path: Path) -> None:
    debian = tmp_path / "debian"
    for folder in ("usr/bin", "usr/sbin", "usr/lib", "usr/share/doc/tool", "etc/alternatives", "var/lib/dpkg/info"):
        (debian / folder).mkdir(parents=True)
    (debian / "lib").symlink_to("usr/lib")
    (debian / "usr/lib/libtool.so").write_text("library")
    (debian / "usr/bin/tool-fast").write_text("program")
    (debian / "usr/bin/other").write_text("of another package")
    (debian / "usr/bin/tool").symlink_to("/etc/alternatives/tool")
    (debian / "etc/alternatives/tool").symlink_to("/usr/bin/tool-fast")
    (debian / "usr/share/doc/tool/readme").write_text("long")
    lines = ("/.", "/lib", "/lib/libtool.so", "/usr/bin/tool-fast", "/usr/share/doc/tool/readme")
    (debian / "var/lib/dpkg/info/tool:amd64.list").write_text("\n".join(lines))
    copy_packages(debian, tmp_path / "made", ["tool"])
    found = {str(path.relative_to(tmp_path / "made")) for path in (tmp_path / "made").rglob("*") if not path.is_dir()}
    certificates = "etc/ssl/certs/ca-certificates.crt"
    assert found == {"usr/lib/libtool.so", "usr/bin/tool-fast", "usr/bin/tool", "etc/alternatives/tool", certificates}
    assert (tmp_path / "made/lib/libtool.so").read_text() == "library"


def test_runc_is_asked_for_no_more_than_root_here_has(monkeypatch: pytest.MonkeyPatch) -> None:
    every = {"bounding": ["CAP_CHOWN", "CAP_SYS_RESOURCE"], "inheritable": None}
    process = {"capabilities": dict(every), "oomScoreAdj": -1000, "rlimits": []}
    monkeypatch.setattr(runc, "bounding_set", lambda: (1 << 41) - 1 - (1 << 24))
    runc.soften(process)
    assert process["capabilities"] == {"bounding": ["CAP_CHOWN"], "inheritable": []}
    assert process["oomScoreAdj"] == int(Path("/proc/self/oom_score_adj").read_text())
    monkeypatch.setattr(runc, "bounding_set", lambda: (1 << 41) - 1)
    whole = {"capabilities": dict(every), "oomScoreAdj": 1000}
    runc.soften(whole)
    assert whole == {"capabilities": every, "oomScoreAdj": 1000}


def test_a_machine_without_docker_is_told_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BuildError, match=r"dockerd was not found in PATH: .*apt-get install .*docker\.io"):
        Docker(tmp_path / "docker").start()
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(BuildError, match="takes root"):
        check_machine()


class Script:
    """tests/kind/test.sh, with all that it starts replaced by programs that write down that they ran."""

    def __init__(self, folder: Path) -> None:
        self.root = folder
        self.cluster = folder / "cluster"
        scripts = folder / "tests/kind"
        scripts.mkdir(parents=True)
        for name in ("kind/test.sh", "kind/published.sh", "stack/running/dies_with_parent.py"):
            (folder / "tests" / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / "tests" / name, folder / "tests" / name)
        self.environment = {"PATH": f"{folder}:{os.environ['PATH']}"}
        self.exits = {"up": 0, "pytest": 0, "kubectl": 0}
        self.up = "true"
        self.program(scripts / "down.sh", f"echo down >>{folder}/log; rm -rf {self.cluster}")
        self.program(folder / "docker", "exit 0")

    def program(self, path: Path, text: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!/bin/bash\n{text}\n")
        path.chmod(0o755)

    def make_cluster(self, *, ready: bool) -> None:
        self.program(self.cluster / "run", f'[[ $1 != kubectl ]] || exit {self.exits["kubectl"]}; "$@"')
        if ready:
            (self.cluster / "ready").touch()

    @property
    def log(self) -> list[str]:
        """What ran."""
        file = self.root / "log"
        return file.read_text().split() if file.exists() else []

    def __call__(self) -> tuple[int, list[str]]:
        """Run it; return its exit code, and what ran."""
        done = self.start()
        done.communicate()
        return done.returncode, self.log

    def start(self) -> subprocess.Popen[bytes]:
        """Start it."""
        made = (
            f"mkdir -p {self.cluster}; printf '#!/bin/bash\n\"$@\"\n' >{self.cluster}/run; chmod +x {self.cluster}/run"
        )
        up = f"echo up >>{self.root}/log; {made}; {self.up}; exit {self.exits['up']}"
        self.program(self.root / "tests/kind/up.sh", up)
        guarded = f'[[ $3 != *dies_with_parent.py ]] || exec {sys.executable} "$@"'
        self.program(self.root / "python", f"{guarded}; echo pytest >>{self.root}/log; exit {self.exits['pytest']}")
        self.program(self.root / "kubectl", "exit 0")
        script = str(self.root / "tests/kind/test.sh")
        command = [script, str(self.root / "python"), str(self.cluster), "tests"]
        return subprocess.Popen(command, env=self.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


@pytest.mark.parametrize(("failing", "code"), [("", 0), ("pytest", 1), ("up", 3)])
def test_what_fails_in_kind_fails_and_the_cluster_is_deleted(tmp_path: Path, failing: str, code: int) -> None:
    script = Script(tmp_path)
    script.exits[failing] = code
    assert script() == (code, ["down", "up", *(["pytest"] if failing != "up" else []), "down"])


def without_a_cluster(folder: Path, docker: str = "exit 1", user: int = 1000) -> Script:
    """Where none can be made, and who runs it."""
    script = Script(folder)
    script.program(folder / "docker", docker)
    script.program(folder / "id", f"echo {user}")
    script.program(folder / "apt-get", "exit 0")
    script.exits["pytest"] = 1  # And so do all other programs of Python, such as the check of the machine.
    return script


@pytest.mark.parametrize("docker", ["exit 1", "[[ $1 == info ]]"], ids=["no Docker", "no images"])
def test_where_no_cluster_can_be_made_it_says_so_and_is_no_failure(tmp_path: Path, docker: str) -> None:
    script = without_a_cluster(tmp_path, docker)
    assert script() == (0, ["pytest"])
    assert (tmp_path / "cluster-not-tested").read_text().startswith("NOT TESTED in kind: ")


@pytest.mark.parametrize(
    ("user", "environment", "code"),
    [
        pytest.param(0, {"CI": "true"}, 1, id="a CI that can install what is missing"),
        pytest.param(1000, {"CI": "true"}, 0, id="a CI that cannot"),
        pytest.param(0, {}, 0, id="a developer's machine"),
        pytest.param(1000, {"SEARCHACCESS_TEST_KIND": "required"}, 1, id="required"),
        pytest.param(0, {"CI": "true", "SEARCHACCESS_TEST_KIND": "optional"}, 0, id="optional"),
        pytest.param(0, {"SEARCHACCESS_TEST_KIND": "require"}, 2, id="a mistake"),
    ],
)
def test_a_ci_that_could_make_a_cluster_does_not_pass_without(
    tmp_path: Path, user: int, environment: dict[str, str], code: int
) -> None:
    script = without_a_cluster(tmp_path, user=user)
    (tmp_path / "cluster-not-tested").write_text("from an earlier run")
    script.environment |= environment
    assert script() == (code, ["pytest"])
    assert (tmp_path / "cluster-not-tested").exists() == (code == 0)


def test_what_was_not_tested_is_the_last_that_make_says() -> None:
    recipe = (ROOT / "Makefile").read_text().partition("\ntest: ")[2].partition("\n\n")[0]
    assert recipe.splitlines()[-1] == "\t@test ! -e $(KIND)-not-tested || cat $(KIND)-not-tested"


def test_a_test_that_is_killed_ends_what_it_started_and_leaves_no_cluster(tmp_path: Path) -> None:
    script = Script(tmp_path)
    script.up = "echo $$ >pid; exec sleep 600"
    process = script.start()
    eventually(
        lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text().strip(), what="it makes a cluster"
    )
    process.kill()
    process.wait()
    eventually(lambda: script.log == ["down", "up", "down"], what="the cluster is deleted")
    up = int((tmp_path / "pid").read_text())
    eventually(lambda: not psutil.pid_exists(up) or psutil.Process(up).status() == psutil.STATUS_ZOMBIE)


def test_a_cluster_that_is_there_is_used_and_stays(tmp_path: Path) -> None:
    script = Script(tmp_path)
    script.exits["pytest"] = 1
    script.make_cluster(ready=True)
    assert script() == (1, ["pytest"])


@pytest.mark.parametrize(("ready", "kubectl"), [(False, 0), (True, 1)], ids=["never ready", "ended"])
def test_what_is_left_of_a_cluster_is_replaced(tmp_path: Path, *, ready: bool, kubectl: int) -> None:
    script = Script(tmp_path)
    script.exits["kubectl"] = kubectl
    script.make_cluster(ready=ready)
    assert script() == (0, ["down", "up", "pytest", "down"])


def test_images_have_the_names_of_the_published_ones() -> None:
    dockerfile = (ROOT / "operator/Dockerfile").read_text()
    named = set(re.findall(r"^(?:FROM |ARG \w+_IMAGE=)([^\s$]+:\S+)", dockerfile, re.MULTILINE))
    assert named == {BUILD_IMAGE, RUNTIME_IMAGE}
    objects = yaml.safe_load_all((ROOT / "tests/kind/elasticsearch.yaml").read_text())
    [stateful] = [item for item in objects if item["kind"] == "StatefulSet"]
    [container] = stateful["spec"]["template"]["spec"]["containers"]
    assert container["image"] == elasticsearch_image(()).name


def test_no_control_group_is_left_whoever_ends_a_docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    docker, groups = Docker(tmp_path / "docker"), tmp_path / "cgroup"
    monkeypatch.setattr("tests.kind.offline.docker._CONTROL_GROUPS", groups)
    mine = (groups / docker.name, groups / "memory" / docker.name, groups / "memory/of/another/session" / docker.name)
    for group in mine:
        (group / "container").mkdir(parents=True)
    (groups / "memory/searchaccess-of-another-folder").mkdir()
    docker.folder.mkdir()
    docker.end()
    assert [group for group in mine if group.exists()] == []
    assert (groups / "memory/searchaccess-of-another-folder").exists()


def test_a_build_that_was_killed_leaves_no_docker_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ended: list[Path] = []
    monkeypatch.setenv("SEARCHACCESS_STACK_CACHE", str(tmp_path))
    monkeypatch.setattr(Docker, "end", lambda docker: ended.append(docker.folder))
    end_abandoned_builder()
    assert ended == [], "there was no build yet"
    builder = tmp_path / "kind-builder"
    builder.mkdir()
    with (builder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        end_abandoned_builder()
        assert ended == [], "somebody builds"
    end_abandoned_builder()
    assert ended == [builder]
