"""A Docker in namespaces of its own: nothing of the machine changes outside them, and all ends with one process.

Its mounts, processes and runtime files are its own, and for a cluster its network too, which reaches no other. What
stays on disk is its data folder alone.
"""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.kind.offline.images import as_archive
from tests.stack.build import BuildError, require_tool

_PACKAGES = Path(__file__).with_name("apt.txt").read_text().strip()
_PURPOSE = (
    "makes a kind cluster where no image registry can be reached;"
    f" on Debian: apt-get install --no-install-recommends {_PACKAGES}"
)
_RUNTIME = Path(__file__).with_name("runc.py")
_CONTROL_GROUPS = Path("/sys/fs/cgroup")
_READY_SECONDS = 90.0
_END_SECONDS = 30.0
_INSIDE = """
mount -t tmpfs -o mode=755 tmpfs /run
ip link set lo up
exec "$@"
"""
# Where the machine's file system discards what is deleted, the tens of thousands of files of a cluster take minutes to
# delete, and one file a moment. Loop devices detach by themselves when these namespaces end.
_ON_A_DISK_OF_ITS_OWN = """
disk=$1 data=$2
shift 2
rm -f "$disk"
mkdir -p "$data"
truncate --size=64G "$disk"
mkfs.ext4 -q -F -m 0 -O ^has_journal -E lazy_itable_init=1,nodiscard "$disk"
mount -o loop,noinit_itable "$disk" "$data" || echo "No loop device: its data are files of the machine."
"""
# With the machine's network there is none for containers but that: it is for builds.
_NO_NETWORK_OF_ITS_OWN = ("--bridge=none", "--iptables=false", "--ip-forward=false", "--ip-masq=false")


def check_machine() -> None:
    """Check that this machine can run one, and make images.

    Raises:
        BuildError: it cannot; the message says what to install.
    """
    if os.geteuid() != 0:
        raise BuildError("Without a Docker that reaches image registries, a kind cluster takes root.")
    for tool in ("dockerd", "docker", "containerd", "runc", "debootstrap", "unshare", "nsenter"):
        require_tool(tool, _PURPOSE)


@dataclass(frozen=True, slots=True)
class Docker:
    """A Docker in a folder: its data, its socket, its log and which process it is.

    Attributes:
        folder: where it keeps them; its path has to be short, as that of every socket.
        networked: whether it shares the machine's network, as builds need that download packages.
    """

    folder: Path
    networked: bool = False

    @property
    def socket(self) -> Path:
        """Where it answers."""
        return self.folder / "docker.sock"

    @property
    def name(self) -> str:
        """Of its control groups; no other folder's has it."""
        return f"searchaccess-{hashlib.sha256(str(self.folder.resolve()).encode()).hexdigest()[:12]}"

    @property
    def environment(self) -> dict[str, str]:
        """What programs need to reach it."""
        return {"DOCKER_HOST": f"unix://{self.socket}"}

    @property
    def log(self) -> Path:
        """What it says."""
        return self.folder / "dockerd.log"

    def start(self) -> None:
        """Start it unless it runs; wait until it answers.

        Raises:
            BuildError: something is missing, or it did not start.
        """
        if self.process() is not None:
            return
        check_machine()
        self.folder.mkdir(parents=True, exist_ok=True)
        self.socket.unlink(missing_ok=True)
        with self.log.open("wb") as log:
            started = subprocess.Popen(
                self._command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        found = {"pid": started.pid, "created": psutil.Process(started.pid).create_time()}
        self._process_file.write_text(json.dumps(found))
        deadline = time.monotonic() + _READY_SECONDS
        while not self._answers():
            if started.poll() is not None or time.monotonic() > deadline:
                self.end()
                raise BuildError(f"dockerd did not start:\n{self.log.read_text(errors='replace')[-3000:]}")
            time.sleep(0.2)

    def end(self) -> None:
        """End it and all that runs in it, if it runs."""
        if process := self.process():
            # `unshare` passes no other signal on; the first process of its namespaces ends all that are in them.
            process.send_signal(signal.SIGKILL)
            with suppress(psutil.TimeoutExpired):
                process.wait(_END_SECONDS)
        self._process_file.unlink(missing_ok=True)
        self.socket.unlink(missing_ok=True)
        # Anywhere: who ends it may be in another group than who started it.
        for folder in [Path(top, self.name) for top, names, _ in os.walk(_CONTROL_GROUPS) if self.name in names]:
            _remove_control_groups(folder)

    def remove(self) -> None:
        """End it and remove its data."""
        self.end()
        shutil.rmtree(self.folder, ignore_errors=True)

    def process(self) -> psutil.Process | None:
        """The process that all the others end with; None: it does not run."""
        try:
            found = json.loads(self._process_file.read_text())
            process = psutil.Process(found["pid"])
        except (FileNotFoundError, psutil.NoSuchProcess):
            return None
        same = process.create_time() == found["created"] and process.status() != psutil.STATUS_ZOMBIE
        return process if same else None

    def network(self) -> Path:
        """Its network namespace, for `nsenter --net`."""
        process = self.process()
        if process is None:
            raise BuildError(f"The Docker in {self.folder} does not run.")
        [inner] = process.children()
        return Path(f"/proc/{inner.pid}/ns/net")

    def load(self, images: Path) -> None:
        """Load images, unless they are there.

        Args:
            images: a folder of them, as `write_images` leaves it.
        """
        listed = json.loads((images / "manifest.json").read_text())
        if all(self._has(image["RepoTags"][0], images / image["Config"]) for image in listed):
            return
        with as_archive(images) as archive:
            self.run("load", "--quiet", stdin=archive.fileno())

    def run(self, *arguments: str, stdin: int | None = None, environment: Mapping[str, str] | None = None) -> str:
        """Run a command of Docker's client; return its output.

        Raises:
            BuildError: it failed; the message has what it said.
        """
        found = {**os.environ, **self.environment, **(environment or {})}
        done = subprocess.run(
            [require_tool("docker", _PURPOSE), *arguments],
            stdin=stdin,
            capture_output=True,
            text=True,
            check=False,
            env=found,
        )
        if done.returncode:
            raise BuildError(f"`docker {' '.join(arguments[:3])} …` failed:\n{(done.stdout + done.stderr)[-4000:]}")
        return done.stdout

    def _answers(self) -> bool:
        try:
            self.run("version", "--format", "{{.Server.Version}}")
        except BuildError:
            return False
        return True

    def _has(self, name: str, config: Path) -> bool:
        wanted = hashlib.sha256(config.read_bytes()).hexdigest()
        try:
            return self.run("image", "inspect", "--format", "{{.Id}}", name).strip() == f"sha256:{wanted}"
        except BuildError:
            return False

    @property
    def _process_file(self) -> Path:
        return self.folder / "dockerd.json"

    @property
    def _control_group(self) -> str:
        """Where its containers are counted: below this process's own group."""
        lines = Path("/proc/self/cgroup").read_text().splitlines()
        own = next((line.split(":", 2)[2] for line in lines if line.split(":")[1] == "memory"), "/")
        return f"{own.rstrip('/')}/{self.name}"

    def _command(self) -> list[str]:
        data = self.folder / "data"
        script = [_ON_A_DISK_OF_ITS_OWN + _INSIDE, "bash", str(self.folder / "data.img"), str(data)]
        if self.networked:  # It keeps its data for the next build.
            script = [_INSIDE, "bash"]
        namespaces = ["--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--propagation=private"]
        return [
            *("unshare", *namespaces, *(() if self.networked else ("--net",))),
            *("bash", "-euc", *script, "dockerd"),
            f"--data-root={data}",
            "--exec-root=/run/docker",
            "--pidfile=/run/docker.pid",
            f"--host=unix://{self.socket}",
            "--storage-driver=overlay2",
            f"--add-runtime=soft={_RUNTIME}",
            "--default-runtime=soft",
            "--default-ulimit=nofile=20000:20000",
            f"--cgroup-parent={self._control_group}",
            *(_NO_NETWORK_OF_ITS_OWN if self.networked else ()),
        ]


def _remove_control_groups(folder: Path) -> None:
    """Remove empty groups, the innermost first; the kernel needs a moment to see that their processes ended."""
    deadline = time.monotonic() + _END_SECONDS
    for group, _, _ in os.walk(folder, topdown=False):
        while True:
            try:
                Path(group).rmdir()
                break
            except OSError:
                if time.monotonic() > deadline:
                    return
                time.sleep(0.05)
