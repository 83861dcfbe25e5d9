"""Reads logs from files of JSON, one object a line: of Elasticsearch, the gateway, and exports of Cloud Logging."""

import gzip
import json
import re
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import IO, Any, BinaryIO, Final, TypeVar, cast

import msgspec

from searchaccess.core.answers.audit.events import AuditEvent, GatewayEvent, from_document
from searchaccess.core.answers.audit.tally import MOST_TRACES, Tally
from searchaccess.core.model.intake.reading import within
from searchaccess.ports.errors import InvalidLog

Event = TypeVar("Event")
_LONGEST: Final = 1 << 20
"""Bytes of a line; a longer one is skipped."""
_AT_ONCE: Final = 1 << 15
"""Bytes that are read at once: so many stay in the cache of a processor."""
_SHOWN: Final = 200
_TRACE: Final = re.compile(r"projects/[^/]+/traces/([0-9a-f]{32})")
Progress = Callable[[int, int], None]
"""Takes the bytes that were read, and those that there are."""


def find(given: Iterable[Path]) -> list[Path]:
    """Find the files of a log.

    Args:
        given: files, and folders, whose files with ``.json``, ``.jsonl``, ``.ndjson`` or ``.log`` in their names are
            taken, also rotated and compressed ones (``audit.json.1``, ``audit-2026-11-29.json.gz``).

    Returns:
        The files, sorted.

    Raises:
        InvalidLog: a file does not exist, or a folder has none.
    """
    found: list[Path] = []
    for path in given:
        try:
            is_there = path.exists()
        except OSError as error:
            raise InvalidLog(f"{str(path)[:_SHOWN]} cannot be read: {error.strerror}") from None
        if is_there and path.is_dir():
            names = _logs_in(path)
            if not names:
                raise InvalidLog(f"{path} has no log files: write a file, or a folder with *.json, *.log or *.json.gz")
            found += names
        elif is_there:
            found.append(path)
        else:
            raise InvalidLog(f"{path} does not exist")
    return found


def _logs_in(folder: Path) -> list[Path]:
    try:
        return [file for file in sorted(folder.iterdir()) if file.is_file() and _is_log(file.name)]
    except OSError as error:
        raise InvalidLog(f"{folder} cannot be read: {error.strerror}") from None


def _is_log(name: str) -> bool:
    return bool(re.search(r"\.(json|jsonl|ndjson|log)([.-]|$)", name))


def read_audit(files: Iterable[Path], tally: Tally, progress: Progress) -> None:
    """Count the events of Elasticsearch's audit log.

    Args:
        files: as ``find`` returns them.
        tally: counts them; lines that are no events are counted there, too.
        progress: is called now and then.

    Raises:
        InvalidLog: a file cannot be read.
    """
    decoder = msgspec.json.Decoder(AuditEvent)
    add, decode = tally.add, decoder.decode
    for line in _lines(files, tally, progress):
        try:
            event = decode(line)
        except (msgspec.DecodeError, RecursionError):
            other = _document(line)
            if other is None:
                tally.unread += 1
                continue
            event = from_document(other)
        if not event.kind or not event.written:
            # A shipper nests or renames the fields, or puts the line into another document.
            other = _document(line)
            if other is None:
                tally.unread += 1
                continue
            event = from_document(other)
        add(event)


def _document(line: bytes) -> dict[str, Any] | None:
    try:
        read = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(read, dict):
        return None
    inner = read.get("jsonPayload", read.get("_source", read))
    return inner if isinstance(inner, dict) and within(inner) else None


def read_gateway(files: Iterable[Path], tally: Tally, progress: Progress) -> None:
    """Count the requests of the gateway's log; lines of Envoy itself are skipped.

    Args:
        files: as ``find`` returns them.
        tally: counts them.
        progress: is called now and then.

    Raises:
        InvalidLog: a file cannot be read.
    """
    decoder = msgspec.json.Decoder(GatewayEvent)
    for line in _lines(files, tally, progress):
        if not line.startswith(b"{"):
            continue
        try:
            tally.add_request(decoder.decode(line))
        except (msgspec.DecodeError, ValueError, RecursionError):
            tally.unread += 1


def read_requests(files: Iterable[Path], tally: Tally, progress: Progress) -> int:
    """Read which revision handled each trace, from Cloud Run's request log.

    Args:
        files: JSON of Cloud Logging's LogEntry, one a line
            (https://cloud.google.com/logging/docs/reference/v2/rest/v2/LogEntry).
        tally: gets the revisions.
        progress: is called now and then.

    Returns:
        How many traces are known; beyond 500,000 no more are kept.

    Raises:
        InvalidLog: a file cannot be read.
    """
    for line in _lines(files, tally, progress):
        try:
            entry = json.loads(line)
            trace = _TRACE.fullmatch(entry["trace"])
            labels = entry["resource"]["labels"]
            found = labels["service_name"], labels["revision_name"]
        except (ValueError, KeyError, TypeError, RecursionError):
            continue
        if trace and len(tally.revisions) < MOST_TRACES:
            tally.revisions[trace[1]] = found
    return len(tally.revisions)


def _lines(files: Iterable[Path], tally: Tally, progress: Progress) -> Iterator[bytes]:
    """Yield the lines that are not empty."""
    return chain.from_iterable(_parts(list(files), tally, progress))


def _parts(files: list[Path], tally: Tally, progress: Progress) -> Iterator[list[bytes]]:
    """Yield lines in lists, as splitting what was read at once is what costs least."""
    total, done = sum(_size(file) for file in files), 0
    for file in files:
        try:
            with file.open("rb") as raw, _unpacked(file, raw) as content:
                # A pipe, such as `<(kubectl logs …)` of a shell, has no position.
                has_position = raw.seekable()
                for lines in _split(content, tally):
                    if has_position:
                        progress(done + raw.tell(), total)
                    yield [line for line in lines if line and not line.isspace()]
        except (OSError, EOFError, zlib.error) as error:
            raise InvalidLog(f"{file} cannot be read: {_why(error)}") from None
        done += _size(file)
        progress(done, total)


def _split(content: IO[bytes], tally: Tally) -> Iterator[list[bytes]]:
    """Yield lines without their ends; those that are too long are counted as unread."""
    rest, is_too_long = b"", False
    while part := content.read(_AT_ONCE):
        *lines, rest = (rest + part).split(b"\n")
        # Only the first began earlier; its beginning may have been left out already.
        if lines and (is_too_long or len(lines[0]) > _LONGEST):
            tally.unread += not is_too_long
            del lines[0]
            is_too_long = False
        if is_too_long or len(rest) > _LONGEST:
            tally.unread += not is_too_long
            rest, is_too_long = b"", True
        yield lines
    if not is_too_long:
        yield [rest]


@contextmanager
def _unpacked(file: Path, raw: BinaryIO) -> Iterator[IO[bytes]]:
    if file.suffix == ".gz":
        with gzip.GzipFile(fileobj=raw) as unpacked:
            yield cast("IO[bytes]", unpacked)
    else:
        yield raw


def _why(error: Exception) -> str:
    if isinstance(error, gzip.BadGzipFile | zlib.error):
        return "it is not a gzip file, or it is damaged"
    return getattr(error, "strerror", "") or "it is cut off"


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:
        return 0
