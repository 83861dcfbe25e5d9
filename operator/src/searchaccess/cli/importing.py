"""Reads what is imported, from files or from a cluster, and writes manifests and the report."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from searchaccess.cli.printing import blocks, fits, plain, table, warn
from searchaccess.core.answers.importing.formats.detect import UnknownDocumentError, material_in, together
from searchaccess.core.answers.importing.material import (
    Material,
    as_of_files,
    keys_in,
    mappings_in,
    roles_in,
    users_in,
)
from searchaccess.core.answers.importing.subjects import BadSubjectMapError, SubjectMap, subject_map
from searchaccess.core.messages import number_of, some_of
from searchaccess.ports.errors import BadManifest, ExternalError, PermissionDenied

if TYPE_CHECKING:
    from rich.console import RenderableType

    from searchaccess.adapters.elasticsearch.client import ElasticsearchClient
    from searchaccess.core.answers.importing.importing import Imported, Made

_FILES: Final = frozenset({".yaml", ".yml", ".json", ".tfstate"})
_RIGHT: Final = "the login needs the cluster privilege read_security (searchaccess login --tier Observe)"
_NOT_READ: Final = "{what} cannot be read, so they are not imported: {why}"


def subjects_in(path: Path | None) -> SubjectMap:
    """Read a subject map.

    Raises:
        BadManifest: it cannot be used; the message says where and why.
    """
    if path is None:
        return SubjectMap()
    documents = list(_documents(path))
    try:
        return subject_map(documents[0] if len(documents) == 1 else documents or None)
    except BadSubjectMapError as error:
        raise BadManifest(f"{path}: {error}") from None


def material_from(paths: Sequence[Path]) -> Material:
    """Read what files have, as a part of what there is. In a folder, files that are nothing of ours are left out.

    Raises:
        BadManifest: a file cannot be read, or one that is named is not known.
    """
    return as_of_files(together(_material(paths)))


def _material(paths: Sequence[Path]) -> Iterator[Material]:
    for path in paths:
        inside = path.is_dir()
        files = sorted(one for one in path.rglob("*") if one.suffix in _FILES and one.is_file()) if inside else [path]
        for file in files:
            for document in _documents(file):
                try:
                    yield material_in(document)
                except UnknownDocumentError as error:
                    if not inside:
                        raise BadManifest(f"{file}: {error}") from None
                    warn(f"{file} is left out: {error}")


def _documents(path: Path) -> Iterator[Any]:
    import yaml

    from searchaccess.adapters.yamlfiles import UNREADABLE, PlainLoader, line_of

    try:
        documents = list(yaml.load_all(path.read_text(encoding="utf-8"), Loader=PlainLoader))
    except UNREADABLE as error:
        raise BadManifest(
            f"{path}{line_of(error)}: it cannot be read as YAML or JSON ({type(error).__name__})"
        ) from None
    yield from (document for document in documents if document is not None)


async def material_of(client: "ElasticsearchClient") -> tuple[Material, list[str]]:
    """Read what a cluster has; nothing is written.

    Returns:
        What may be read, and lines about what may not.

    Raises:
        ExternalError: roles or role mappings cannot be read.
    """
    gaps = list[str]()
    try:
        found = roles_in(await client.roles(None)) + mappings_in(await client.mappings(None))
    except PermissionDenied as error:
        raise PermissionDenied(f"{error.message}; {_RIGHT}") from None
    try:
        found += users_in(await client.users(""))
    except ExternalError as error:
        gaps.append(_NOT_READ.format(what="native users", why=error.message))
    keys = await client.keys_of_users("")
    if keys is None:
        gaps.append(_NOT_READ.format(what="API keys", why=f"there are more than 1,000 of them, or {_RIGHT}"))
    return found + replace(keys_in(keys or ()), partial=bool(gaps)), gaps


def write_all(found: "Imported", folder: Path) -> list[Path]:
    """Write each new SearchAccess into a file of its own. A file that is there is never changed.

    Returns:
        The files that were written.

    Raises:
        BadManifest: one of the files is there with other content, or cannot be written; before that, none is written.
    """
    texts = {folder / f"{one.manifest['metadata']['name']}.yaml": _text(one) for one in found.new}
    try:
        there = {path: path.read_text(encoding="utf-8") for path in texts if path.exists()}
        if other := sorted(str(path) for path, text in there.items() if text != texts[path]):
            raise BadManifest(f"{other[0]} is there with other content: remove it, or choose another --directory")
        folder.mkdir(parents=True, exist_ok=True)
        for path in texts.keys() - there.keys():
            with path.open("x", encoding="utf-8") as file:
                file.write(texts[path])
    except (OSError, ValueError) as error:
        raise BadManifest(f"{folder} cannot be written ({type(error).__name__})") from None
    return sorted(texts.keys() - there.keys())


def _text(one: "Made") -> str:
    import yaml

    text = f"# Imported from {one.source}, which {one.subject} has by {', '.join(one.by)}."
    return f"{_line(text)}\n{yaml.safe_dump(one.manifest, sort_keys=False, allow_unicode=True, width=100)}"


def _line(text: str) -> str:
    return " ".join(plain(text).split())


def report(found: "Imported", written: Sequence[Path], folder: Path | None) -> "list[RenderableType]":
    """Return what people see: what is imported, what is left and why, and what to do next."""
    parts: list[RenderableType] = []
    if found.made:
        rows = [(f"{one.ref}{' (declared)' if one.declared_by else ''}", one.subject, one.source) for one in found.made]
        heads = ("SEARCHACCESS", "SUBJECT", "FROM")
        narrow = blocks((name, f"{subject}\nfrom {source}") for name, subject, source in rows)
        parts += [*([table(heads, rows)] if fits(heads, rows) else narrow), ""]
    parts += list(_leftovers(found))
    parts += [f"Note: {note}." for note in found.notes]
    kept = (
        f"; {number_of(found.ours, 'object')} {'belongs' if found.ours == 1 else 'belong'} to an operator already"
        if found.ours
        else ""
    )
    left = f"{number_of(len(found.leftovers), 'part')} {'is' if len(found.leftovers) == 1 else 'are'} left"
    new = f"{number_of(len(found.new), 'new SearchAccess')}, {len(found.made) - len(found.new)} declared already"
    parts.append(f"{new}; {left}{kept}.")
    return [*parts, *_next_steps(found, written, folder)]


def _leftovers(found: "Imported") -> Iterator[str]:
    """Yield what is left, reason by reason, each with the next step once; what says the same is one line."""
    for why in sorted({one.why for one in found.leftovers}):
        yield f"{why}: {why.next_step}"
        places: dict[str, list[str]] = {}
        for one in found.leftovers:
            if one.why is why:
                whom = f"for {one.subject}" if one.subject else ""
                place = " ".join(filter(None, (one.source, one.part, whom)))
                places.setdefault(one.message, []).append(place)
        for message, listed in places.items():
            yield f"  {_line(', '.join(listed))}: {_line(message)}"
        yield ""


def _next_steps(found: "Imported", written: Sequence[Path], folder: Path | None) -> Iterator[str]:
    if not found.made:
        return
    yield ""
    yield "Next:"
    if folder is None:
        yield "  1. Write the manifests: add --directory FOLDER, or -o yaml."
    else:
        yield f"  1. Review {len(written)} new files in {plain(folder)}, and commit them."
    yield "  2. Apply them. They only observe (mode: Observe), so nothing changes."
    yield "  3. Remove mode: Observe, one by one. The old roles stay until you remove them."
    if found.replaced:
        some = some_of([_line(one) for one in found.replaced])
        yield f"  4. When all are Ready, nobody needs {some} any more: remove them, and their role mappings."
    yield "See docs/import.md."
