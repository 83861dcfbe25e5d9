"""A Docker of its own changes nothing of the machine, and ends with one process."""

import os
import subprocess
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from tests.kind.offline.build_bases import RUNTIME_IMAGE, ensure_bases
from tests.kind.offline.docker import Docker
from tests.stack.build import BuildDisplay, require_tool
from tests.support.waiting import eventually

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(300),
    pytest.mark.skipif("KIND_NODE_IMAGE" not in os.environ, reason="kind runs in the Docker that there is"),
]

WAITING = ("run", "--detach", "--interactive", "--privileged", RUNTIME_IMAGE, "/usr/bin/python3", "-c", "input()")
SYSCTLS = ("net/ipv4/ip_forward", "net/ipv4/conf/all/forwarding", "vm/overcommit_memory", "kernel/panic")


def machine() -> dict[str, object]:
    """What a Docker changes of a machine that has it installed, as whoever starts it sees it."""
    rules = [line for tool in _filters() for line in _output(tool).splitlines() if not line.startswith(("#", ":"))]
    return {
        "mounts": sorted(line.split(" ", 3)[3] for line in Path("/proc/self/mountinfo").read_text().splitlines()),
        "interfaces": sorted(path.name for path in Path("/sys/class/net").iterdir()),
        "rules": rules,
        "sysctls": [Path("/proc/sys", name).read_text() for name in SYSCTLS],
        "sockets": sorted(path.name for path in Path("/run").glob("docker*")),
    }


def _output(*command: str) -> str:
    program, *arguments = command
    done = subprocess.run([require_tool(program, "looks at the machine"), *arguments], capture_output=True, check=True)
    return done.stdout.decode()


def _filters() -> list[str]:
    return [tool for tool in ("iptables-save", "iptables-legacy-save") if Path("/usr/sbin", tool).exists()]


def disks_in(folder: Path) -> list[str]:
    """Files of a folder that are disks of the machine."""
    found: list[str] = []
    for file in Path("/sys/block").glob("loop*/loop/backing_file"):
        with suppress(OSError):  # It was detached meanwhile.
            found.append(file.read_text().strip())
    return [name for name in found if Path(name).is_relative_to(folder)]


def control_groups(docker: Docker) -> list[Path]:
    return [path for path in Path("/sys/fs/cgroup").rglob("searchaccess-*") if path.name == docker.name]


def test_it_changes_nothing_of_the_machine_and_ends_with_one_process(tmp_path: Path) -> None:
    before = machine()
    docker = Docker(tmp_path / "docker")
    try:
        docker.start()
        docker.load(ensure_bases(BuildDisplay()))
        docker.run(*WAITING)
        process = docker.process()
        assert process is not None
        everything = process.children(recursive=True)
        assert len(everything) > 3, "dockerd, containerd, a shim and the container"
        assert machine() == before
        process.kill()
        eventually(lambda: not any(_runs(one) for one in everything), within=30, what="all have ended")
        assert docker.process() is None
    finally:
        docker.end()
    assert machine() == before
    assert control_groups(docker) == []
    eventually(lambda: disks_in(tmp_path) == [], within=30, what="its disk is no device any more")


def _runs(process: psutil.Process) -> bool:
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
