"""kind's node image: Debian with kind's own files, Kubernetes, and the images that the cluster runs already loaded."""

import json
import shutil
import subprocess
from pathlib import Path

from tests.kind.offline.build_elasticsearch import elasticsearch_image, write_elasticsearch_layer
from tests.kind.offline.debian import ensure_debian, trim
from tests.kind.offline.images import Image, as_archive, write_images, write_layer
from tests.kind.offline.programs import COREDNS, KIND, NETWORK_POLICY, NODE_FILES
from tests.kind.offline.roots import PATH, copy_packages, copy_tree
from tests.stack.build import BuildDisplay, BuildError, require_tool, run_tool
from tests.stack.build_elasticsearch import ensure_elasticsearch_home
from tests.stack.build_go import ensure_program
from tests.stack.build_kubernetes import ensure_built_binaries, ensure_node_binaries, kubernetes_version
from tests.stack.cache import BuildInputs, ensure_entry, files_under
from tests.stack.releases import RELEASES

NODE_IMAGE = f"kindest/node:v{kubernetes_version()}-packages"
_HERE = Path(__file__).parent
_FILES = _HERE / "node"
_SHELL_PACKAGES = (
    *(
        "base-files",
        "coreutils",
        "dash",
        "iptables",
        "netbase",
        "libacl1",
        "libattr1",
        "libc6",
        "libgcc-s1",
        "libstdc++6",
    ),
    *("libgmp10", "libip4tc2", "libip6tc2", "libmnl0", "libnetfilter-conntrack3", "libnfnetlink0", "libnftnl11"),
    *("libpcre2-8-0", "libselinux1", "libxtables12", "zlib1g", "nftables", "libnftables1", "libedit2", "libbsd0"),
    *("libmd0", "libtinfo6", "libjansson4", "conntrack", "kmod"),
)
_ON_THE_NODE = ("kubeadm", "kubelet", "crictl")
_CONTROL_PLANE = ("etcd", "kube-apiserver", "kube-controller-manager")
_IN_PODS = ("kube-proxy", "kube-scheduler", "pause", "pod-network")
_PROGRAMS = "usr/local/bin"
_OWN_IMAGES = ("searchaccess.dev/pod-network:packages", "searchaccess.dev/network-policy:packages")
"""Images of programs that kubeadm does not name."""


def ensure_node(display: BuildDisplay) -> Path:
    """The folder with the node image, in the cache, made on first use."""
    debian = ensure_debian(display)
    kind = ensure_program(KIND, display)
    coredns, network_policy = ensure_program(COREDNS, display), ensure_program(NETWORK_POLICY, display)
    kubernetes, node = ensure_built_binaries(display), ensure_node_binaries(display)
    elasticsearch = ensure_elasticsearch_home(RELEASES[0], display)
    parts = (debian.parent, kind.parent, coredns.parent, network_policy.parent, kubernetes, node, elasticsearch)
    modules = ("build_node", "build_elasticsearch", "images", "roots")
    own = (*(_HERE / f"{name}.py" for name in modules), *files_under(_FILES), *files_under(_HERE / "elasticsearch"))
    inputs = BuildInputs("kind-node", kubernetes_version(), own, facts=tuple(part.name for part in parts))

    def build(target: Path) -> None:
        root, inner, images = target / "root", target / "inner", target / "images"
        inner.mkdir()
        images.mkdir()
        with display.step("Making kind's node image"):
            copy_tree(debian, root)
            _lay_out(root, kind.with_name(NODE_FILES), (kubernetes / "kubectl", *map(node.joinpath, _ON_THE_NODE)))
            run_tool(["chroot", str(root), "bash", "/kind/setup.sh"], cwd=target)
            trim(root)
        with display.step("Making the images that the cluster runs"):
            programs = (
                *map(kubernetes.joinpath, _CONTROL_PLANE),
                *map(node.joinpath, _IN_PODS),
                coredns,
                network_policy,
            )
            _write_inner_images(debian, inner, programs, node / "kubeadm")
        with display.step("Loading them into the node image"):
            _preload(root, inner)
            write_layer(root, images, "node.tar")
            runs = {"Env": ["container=docker"], "Entrypoint": ["/usr/local/bin/entrypoint", "/sbin/init"]}
            write_images(images, [Image(NODE_IMAGE, ("node.tar",), {**runs, "StopSignal": "SIGRTMIN+3"})])
        shutil.rmtree(root)
        shutil.rmtree(inner)

    return ensure_entry(inputs, build) / "images"


def _lay_out(root: Path, kind_files: Path, programs: tuple[Path, ...]) -> None:
    """Put kind's own files, ours and the programs into the node's root folder."""
    run_tool(["cp", "-r", "--no-preserve=mode", f"{kind_files}/.", str(root)], cwd=root)
    shutil.copytree(_FILES, root / "kind", dirs_exist_ok=True)
    (root / "kind/version").write_text(f"v{kubernetes_version()}")
    for program in programs:
        shutil.copy2(program, root / "usr/bin" / program.name)
    entrypoint = root / "usr/local/bin/entrypoint"
    script = entrypoint.read_text()
    mark = "# validate state\n"
    if script.count(mark) != 1:
        raise BuildError("kind's entrypoint has changed: node/own-sysctls.sh has no place in it.")
    entrypoint.write_text(script.replace(mark, f"source /kind/own-sysctls.sh\n{mark}"))


def _write_inner_images(debian: Path, folder: Path, programs: tuple[Path, ...], kubeadm: Path) -> None:
    shell, tools = folder / "shell", folder / "tools"
    copy_packages(debian, shell, _SHELL_PACKAGES)
    (tools / _PROGRAMS).mkdir(parents=True)
    for program in programs:
        shutil.copy2(program, tools / _PROGRAMS / program.name)
    write_layer(shell, folder, "shell.tar.gz")
    write_layer(tools, folder, "tools.tar.gz")
    write_elasticsearch_layer(folder, "elasticsearch.tar.gz")
    shutil.rmtree(shell)
    shutil.rmtree(tools)
    command = [str(kubeadm), "config", "images", "list", f"--kubernetes-version=v{kubernetes_version()}"]
    listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    names = [*listed, *_OWN_IMAGES]
    layers = ("shell.tar.gz", "tools.tar.gz")
    images = [Image(name, layers, {"Env": [PATH], "Entrypoint": [f"/{_PROGRAMS}/{_program(name)}"]}) for name in names]
    write_images(folder, [*images, elasticsearch_image(("shell.tar.gz", "elasticsearch.tar.gz"))])


def _program(image: str) -> str:
    return image.rsplit("/", 1)[-1].partition(":")[0]


def _preload(root: Path, images: Path) -> None:
    """Have the node's containerd take the images, in namespaces that end with it."""
    unshare = require_tool("unshare", "makes kind's node image")
    command = [unshare, "--mount", "--pid", "--net", "--fork", "--kill-child", "--propagation=private"]
    names = [image["RepoTags"][0] for image in json.loads((images / "manifest.json").read_text())]
    with as_archive(images) as archive:
        script = str(_FILES / "preload.sh")
        done = subprocess.run(
            [*command, "bash", script, str(root)], stdin=archive, capture_output=True, text=True, check=False
        )
    missing = [name for name in names if name not in done.stdout.split()]
    if done.returncode or missing:
        raise BuildError(f"containerd did not take {missing or 'the images'}:\n{done.stdout}{done.stderr}")
