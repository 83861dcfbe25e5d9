"""Files as they were at a revision, from a repository made for the test."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from searchaccess.adapters.gitfiles import files_at
from searchaccess.ports.errors import BadManifest

GIT = shutil.which("git") or "git"
ENDINGS = (".yaml", ".yml")


class Repository:
    def __init__(self, root: Path) -> None:
        self.root = root
        self.git("init", "--quiet", "--initial-branch=main")

    def git(self, *arguments: str) -> str:
        name = ("-c", "user.name=test", "-c", "user.email=test@example.com", "-c", "commit.gpgsign=false")
        kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
        done = subprocess.run(
            [GIT, "-C", str(self.root), *name, *arguments], check=True, capture_output=True, text=True, env=kept
        )
        return done.stdout.strip()

    def write(self, path: str, text: str) -> None:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def commit(self, *tags: str) -> None:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", "change")
        for tag in tags:
            self.git("tag", tag)


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    root = tmp_path / "repository"
    root.mkdir()
    made = Repository(root)
    made.write("manifests/a.yaml", "a: 1\n")
    made.write("manifests/deep/b.yml", "b: 1\n")
    made.write("manifests/c.txt", "c\n")
    made.write("other/d.yaml", "d: 1\n")
    made.commit("v1")
    return made


def test_files_are_those_of_the_revision_and_not_of_the_working_tree(repository: Repository) -> None:
    repository.write("manifests/a.yaml", "a: 2\n")
    repository.write("manifests/new.yaml", "new: 1\n")
    (repository.root / "manifests/deep/b.yml").unlink()
    found = files_at(repository.root / "manifests", "v1", ENDINGS)
    assert found == {"a.yaml": b"a: 1\n", "deep/b.yml": b"b: 1\n"}
    repository.commit()
    assert files_at(repository.root / "manifests", "HEAD~1", ENDINGS) == found
    assert files_at(repository.root / "manifests", "main", ENDINGS) == {"a.yaml": b"a: 2\n", "new.yaml": b"new: 1\n"}


def test_the_whole_repository_one_file_and_a_folder_that_was_not_there(repository: Repository) -> None:
    assert set(files_at(repository.root, "v1", ENDINGS)) == {"manifests/a.yaml", "manifests/deep/b.yml", "other/d.yaml"}
    assert list(files_at(repository.root / "manifests/a.yaml", "v1", ENDINGS).values()) == [b"a: 1\n"]
    (repository.root / "later").mkdir()
    assert files_at(repository.root / "later", "v1", ENDINGS) == {}


@pytest.mark.parametrize("name", ["manifests [1]*", "ünï", "-f", ":(top)x"])
def test_odd_names_are_names(repository: Repository, name: str) -> None:
    repository.write(f"{name}/x.yaml", "x: 1\n")
    repository.commit()
    assert files_at(repository.root / name, "HEAD", ENDINGS) == {"x.yaml": b"x: 1\n"}


def test_links_are_left_out_and_contents_are_not_converted(repository: Repository) -> None:
    repository.write(".gitattributes", "*.yaml export-ignore text eol=crlf ident\n")
    repository.write("manifests/id.yaml", "id: $Id$\n")
    (repository.root / "manifests/link.yaml").symlink_to("/etc/passwd")
    repository.commit()
    found = files_at(repository.root / "manifests", "HEAD", ENDINGS)
    assert "link.yaml" not in found
    assert found["id.yaml"] == b"id: $Id$\n"


@pytest.mark.parametrize(
    "revision", ["--output=/tmp/x", "-v1", "v1..main", "v1;touch x", "$(id)", "", "v1 ", "main:manifests", "v1\n"]
)
def test_what_is_no_revision_is_refused_before_git_sees_it(repository: Repository, revision: str) -> None:
    with pytest.raises(BadManifest, match="is not a revision"):
        files_at(repository.root, revision, ENDINGS)


def test_a_revision_that_is_missing_names_the_next_step(repository: Repository) -> None:
    with pytest.raises(BadManifest, match="has no revision origin/main: fetch it first"):
        files_at(repository.root, "origin/main", ENDINGS)


def test_a_folder_outside_of_a_repository_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    with pytest.raises(BadManifest, match="git rev-parse failed"):
        files_at(tmp_path, "main", ENDINGS)


def test_without_git_it_says_what_is_missing(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(BadManifest, match="git is not installed"):
        files_at(repository.root, "v1", ENDINGS)


def test_no_program_of_the_repository_runs(repository: Repository, tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    script = tmp_path / "script"
    script.write_text(f"#!/bin/sh\ntouch {ran}\n")
    script.chmod(0o755)
    repository.git("config", "core.fsmonitor", str(script))
    repository.git("config", "filter.x.smudge", str(script))
    repository.git("config", "diff.external", str(script))
    repository.write(".gitattributes", "*.yaml filter=x\n")
    repository.git("-c", "core.fsmonitor=false", "add", ".gitattributes")
    ran.unlink(missing_ok=True)
    assert files_at(repository.root, "v1", ENDINGS)
    assert not ran.exists()


def test_a_folder_outside_of_the_working_tree_that_its_repository_names_is_said(repository: Repository) -> None:
    (repository.root / "elsewhere").mkdir()
    repository.git("config", "core.worktree", str(repository.root / "elsewhere"))
    with pytest.raises(BadManifest, match="not in the working tree"):
        files_at(repository.root / "manifests", "v1", ENDINGS)
