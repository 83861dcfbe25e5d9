"""What describes a release is complete, and nothing of it can be changed without notice."""

import base64
import hashlib
import io
import json
import re
import shutil
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from release.__main__ import main
from tests.support.operatorprocess import ROOT

DIGEST = "a" * 64
COMMIT = "b" * 40
PINNED = {
    "org.opencontainers.image.base.name": f"registry/run:1@sha256:{DIGEST}",
    "dev.searchaccess.image.build.name": f"registry/build:1@sha256:{DIGEST}",
    "org.opencontainers.image.version": "0.1.0",
    "org.opencontainers.image.revision": COMMIT,
}
FILES = {
    "app/kopf-1.45.2.dist-info/METADATA": "Name: kopf\nVersion: 1.45.2\nLicense-Expression: MIT\n",
    "app/PyYAML-6.0.3.dist-info/METADATA": "Metadata-Version: 2.1\nName: PyYAML\nVersion: 6.0.3\n\nA text.\n",
    "app/kopf/METADATA": "Name: none\nVersion: 1\n",
    "var/lib/dpkg/status.d/libc6": "Package: libc6\nVersion: 2.36-9\nArchitecture: amd64\n",
    "var/lib/dpkg/status.d/libc6.md5sums": "0 usr/lib/libc.so\n",
}
KINDS: dict[str, Callable[[], Any]] = {
    "ecdsa": lambda: ec.generate_private_key(ec.SECP256R1()),
    "ed25519": ed25519.Ed25519PrivateKey.generate,
    "rsa": lambda: rsa.generate_private_key(65537, 2048),
}


def packed(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def an_archive(labels: dict[str, str]) -> bytes:
    """Return what `docker save` writes."""
    config = json.dumps({"config": {"Labels": labels}}).encode()
    layer = packed({name: text.encode() for name, text in FILES.items()})
    manifest = json.dumps([{"Config": "config.json", "RepoTags": ["x:1"], "Layers": ["layer.tar"]}]).encode()
    return packed({"manifest.json": manifest, "config.json": config, "layer.tar": layer})


def write_keys(folder: Path, kind: str = "ecdsa", password: str = "") -> Any:
    private = KINDS[kind]()
    encryption = BestAvailableEncryption(password.encode()) if password else NoEncryption()
    folder.joinpath("key").write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption))
    public = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    folder.joinpath("key.pub").write_bytes(public)
    return private


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with a release that is not signed yet; the keys are beside it."""
    write_keys(tmp_path)
    made = tmp_path / "release"
    made.mkdir()
    made.joinpath("image.tar").write_bytes(an_archive(PINNED))
    made.joinpath("searchaccess-operator-0.1.0.tgz").write_bytes(b"chart")
    tmp_path.joinpath("runtime.txt").write_text("kopf==1.45.2\n")
    return made


def sign(folder: Path, *more: str) -> int:
    lock, key = folder.parent / "runtime.txt", folder.parent / "key"
    options = ["--key", str(key), "--lock", str(lock), "--builder", "https://ci", "--revision", COMMIT]
    return main(["sign", str(folder), *options, *more])


def verify(folder: Path, *more: str) -> int:
    return main(["verify", str(folder), "--key", str(folder.parent / "key.pub"), *more])


def statement(folder: Path) -> dict[str, Any]:
    envelope = json.loads((folder / "provenance.intoto.json").read_text())
    found: dict[str, Any] = json.loads(base64.b64decode(envelope["payload"]))
    return found


def image_id() -> str:
    return hashlib.sha256(json.dumps({"config": {"Labels": PINNED}}).encode()).hexdigest()


def test_what_is_signed_is_verified(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert sign(folder) == 0
    assert verify(folder) == 0
    assert verify(folder, "--image", f"sha256:{image_id()}") == 0
    assert "verified: image.tar sbom.cdx.json searchaccess-operator-0.1.0.tgz\n" in capsys.readouterr().out
    assert sign(folder) == 0, "it can be signed again"
    assert verify(folder) == 0


def test_the_sbom_has_all_packages(folder: Path) -> None:
    sign(folder)
    bom = json.loads((folder / "sbom.cdx.json").read_text())
    assert (bom["bomFormat"], bom["specVersion"]) == ("CycloneDX", "1.6")
    assert bom["metadata"]["component"]["hashes"] == [{"alg": "SHA-256", "content": image_id()}]
    assert bom["metadata"]["component"]["version"] == "0.1.0"
    packages = {part["purl"]: part.get("licenses") for part in bom["components"]}
    assert packages == {
        "pkg:deb/debian/libc6@2.36-9": None,
        "pkg:pypi/kopf@1.45.2": [{"expression": "MIT"}],
        "pkg:pypi/pyyaml@6.0.3": None,
    }


def test_the_provenance_says_what_it_was_made_of(folder: Path) -> None:
    sign(folder, "--pushed", f"registry/operator@sha256:{DIGEST}")
    found = statement(folder)
    assert found["predicateType"] == "https://slsa.dev/provenance/v1"
    assert {subject["name"]: subject["digest"]["sha256"] for subject in found["subject"]} == {
        "image.tar": hashlib.sha256((folder / "image.tar").read_bytes()).hexdigest(),
        "sbom.cdx.json": hashlib.sha256((folder / "sbom.cdx.json").read_bytes()).hexdigest(),
        "searchaccess-operator-0.1.0.tgz": hashlib.sha256(b"chart").hexdigest(),
        "image": image_id(),
        "registry/operator": DIGEST,
    }
    source, run, build, lock = found["predicate"]["buildDefinition"]["resolvedDependencies"]
    assert source["digest"] == {"gitCommit": COMMIT}
    assert run == {"uri": "docker://registry/run:1", "digest": {"sha256": DIGEST}}
    assert build == {"uri": "docker://registry/build:1", "digest": {"sha256": DIGEST}}
    assert lock["digest"] == {"sha256": hashlib.sha256(b"kopf==1.45.2\n").hexdigest()}
    assert found["predicate"]["runDetails"]["builder"] == {"id": "https://ci"}
    assert verify(folder, "--image", f"sha256:{DIGEST}") == 0


def test_other_tools_can_verify_the_signature(folder: Path) -> None:
    private = write_keys(folder.parent)
    sign(folder)
    envelope = json.loads((folder / "provenance.intoto.json").read_text())
    kind, payload = envelope["payloadType"], base64.b64decode(envelope["payload"])
    signed = b"DSSEv1 %d %b %d %b" % (len(kind), kind.encode(), len(payload), payload)
    signature = base64.b64decode(envelope["signatures"][0]["sig"])
    private.public_key().verify(signature, signed, ec.ECDSA(hashes.SHA256()))


def _append(name: str) -> Callable[[Path], object]:
    def change(folder: Path) -> None:
        path = folder / name
        path.write_bytes(path.read_bytes() + b" ")

    return change


def _claim_more(folder: Path) -> None:
    path = folder / "provenance.intoto.json"
    envelope = json.loads(path.read_text())
    other = statement(folder) | {"subject": []}
    path.write_text(json.dumps(envelope | {"payload": base64.b64encode(json.dumps(other).encode()).decode()}))


def _sign_something_else(folder: Path) -> None:
    from release.signing import sign as sign_it  # noqa: PLC0415 - the test's own is another one

    folder.joinpath("provenance.intoto.json").write_text(sign_it({"_type": "note"}, folder.parent / "key"))


TAMPERING: dict[str, tuple[Callable[[Path], object], str]] = {
    "the image": (_append("image.tar"), "image.tar is not the one that was signed"),
    "the SBOM": (_append("sbom.cdx.json"), "sbom.cdx.json is not the one that was signed"),
    "the chart": (_append("searchaccess-operator-0.1.0.tgz"), "0.1.0.tgz is not the one that was signed"),
    "one file more": (lambda folder: (folder / "more.tgz").touch(), "more.tgz was not signed"),
    "no SBOM": (lambda folder: (folder / "sbom.cdx.json").unlink(), "sbom.cdx.json is missing"),
    "no image": (lambda folder: (folder / "image.tar").unlink(), "image.tar is missing"),
    "no chart": (lambda folder: next(folder.glob("*.tgz")).unlink(), "searchaccess-operator-0.1.0.tgz is missing"),
    "no provenance": (lambda folder: (folder / "provenance.intoto.json").unlink(), "there is no provenance"),
    "what is claimed": (_claim_more, "the signature is not of this key"),
    "the signature": (lambda folder: (folder / "provenance.intoto.json").write_text("{}"), "no signed statement"),
    "another statement": (_sign_something_else, "what was signed is no provenance"),
    "another key": (lambda folder: write_keys(folder.parent), "the signature is not of this key"),
    "no key": (lambda folder: (folder.parent / "key.pub").write_text("?"), "no usable public key"),
}


@pytest.mark.parametrize(("change", "message"), TAMPERING.values(), ids=TAMPERING)
def test_tampering_is_noticed(
    folder: Path, capsys: pytest.CaptureFixture[str], change: Callable[[Path], object], message: str
) -> None:
    sign(folder)
    change(folder)
    assert verify(folder) == 1
    assert message in capsys.readouterr().err


def test_another_image_is_not_the_released_one(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sign(folder)
    assert verify(folder, "--image", f"sha256:{DIGEST}") == 1
    chart = hashlib.sha256(b"chart").hexdigest()
    assert verify(folder, "--image", f"sha256:{chart}") == 1, "a file that was signed is no image"
    assert "is not the image that was signed" in capsys.readouterr().err


def test_a_release_whose_image_was_pushed_is_whole_too(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sign(folder, "--pushed", f"operator@sha256:{DIGEST}")
    assert verify(folder, "--image", f"sha256:{DIGEST}") == 0
    next(folder.glob("*.tgz")).unlink()
    assert verify(folder) == 1
    assert "searchaccess-operator-0.1.0.tgz is missing" in capsys.readouterr().err


def test_image_and_chart_are_of_one_commit(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for other in ("c" * 40, f"{COMMIT}-dirty", ""):
        assert sign(folder, "--revision", other) == 1
        said = f"it was built from {COMMIT}, and the rest of the release is of {other or 'no known revision'}"
        assert said in capsys.readouterr().err
    assert sign(folder, "--revision", "c" * 40, "--unpinned") == 0


def test_a_file_that_git_does_not_know_marks_the_revision(tmp_path: Path) -> None:
    shutil.copy(ROOT / "Makefile", tmp_path)
    git = ["git", "-c", "user.name=x", "-c", "user.email=x@example.com"]
    for command in (["init", "-q"], ["add", "."], ["commit", "-qm", "x"]):
        subprocess.run([*git, *command], cwd=tmp_path, check=True)

    def revision() -> str:
        command = ["make", "--dry-run", "image"]
        shown = subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True).stdout
        return shown.partition('REVISION="')[2].partition('"')[0]

    clean = revision()
    assert re.fullmatch("[0-9a-f]{40}", clean)
    (tmp_path / "more.py").touch()
    assert revision() == f"{clean}-dirty"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("password", ["", "secret"])
def test_any_usual_key_does(folder: Path, monkeypatch: pytest.MonkeyPatch, kind: str, password: str) -> None:
    write_keys(folder.parent, kind, password)
    monkeypatch.setenv("RELEASE_KEY_PASSWORD", password)
    assert sign(folder) == 0
    assert verify(folder) == 0


def test_what_cannot_be_signed_is_said(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        sign(folder, "--pushed", "registry/operator:1")
    assert "write NAME@sha256:DIGEST" in capsys.readouterr().err
    write_keys(folder.parent, password="secret")
    assert sign(folder) == 1
    assert "no usable private key" in capsys.readouterr().err
    folder.joinpath("image.tar").write_bytes(b"?")
    assert sign(folder) == 1
    assert "is no archive of one image" in capsys.readouterr().err
    assert not (folder / "provenance.intoto.json").exists()


@pytest.mark.parametrize(
    ("label", "value", "message"),
    [
        ("org.opencontainers.image.base.name", "registry/run:1", "from registry/run:1, which is not named by digest"),
        (
            "dev.searchaccess.image.build.name",
            "registry/build:1",
            "from registry/build:1, which is not named by digest",
        ),
        ("org.opencontainers.image.revision", f"{COMMIT}-dirty", f"from {COMMIT}-dirty, which is no commit"),
        ("org.opencontainers.image.revision", "", "from an unknown revision, which is no commit"),
    ],
)
def test_a_release_is_built_from_what_cannot_change(
    folder: Path, capsys: pytest.CaptureFixture[str], label: str, value: str, message: str
) -> None:
    folder.joinpath("image.tar").write_bytes(an_archive(PINNED | {label: value}))
    assert sign(folder) == 1
    assert message in capsys.readouterr().err
    assert sign(folder, "--unpinned") == 0
    assert verify(folder) == 0
