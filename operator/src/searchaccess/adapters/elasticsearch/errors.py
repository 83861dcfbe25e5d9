"""Maps errors of the Elasticsearch client to ours. A test proves that none is missing."""

import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import aiohttp
import elastic_transport
import elasticsearch
from elasticsearch import helpers

from searchaccess.adapters.statuses import NO_REASON, error_of
from searchaccess.core.messages import some_of
from searchaccess.core.model.intake.reading import mapping, objects, shortened
from searchaccess.core.patterns.marks import without_marks
from searchaccess.ports.errors import (
    Conflict,
    ExternalError,
    NotFound,
    NotSupported,
    PermissionDenied,
    Rejected,
    TlsNotVerified,
    Unexpected,
    Unreachable,
)

_BY_STATUS: Final[dict[int, Callable[[str], ExternalError]]] = {
    405: NotSupported,
    406: NotSupported,
}
_PART: Final = 400
"""Characters that are shown of a reason: it may have the whole request in it, and its cause comes after that."""
_CAUSES: Final = 8
_ALL_PRIVILEGES: Final = re.compile(r"[.,]? a privilege must be either one of the predefined .*", re.DOTALL)
"""Elasticsearch's list of all known privileges in its message about an unknown one."""
_LISTS: Final = re.compile(r"\[((?:[\w:*/.-]+,\s?){5,}[\w:*/.-]+)\]")
"""Lists of names that are too long to be read."""

_BY_TYPE: Final[dict[type[BaseException], Callable[[str], ExternalError]]] = {
    elastic_transport.TlsError: TlsNotVerified,
    elastic_transport.ConnectionTimeout: Unreachable,
    elastic_transport.ConnectionError: Unreachable,
    elastic_transport.SniffingError: Unreachable,
    elastic_transport.SerializationError: Unexpected,
    elastic_transport.TransportError: Unreachable,
    helpers.BulkIndexError: Unexpected,
    helpers.ScanError: Unexpected,
}
"""In the order in which they are tried: special ones first."""

_ITEM_ERRORS: Final[dict[str, Callable[[str], ExternalError]]] = {
    "security_exception": PermissionDenied,
    "version_conflict_engine_exception": Conflict,
    "unavailable_shards_exception": Unreachable,
    "cluster_block_exception": Unreachable,
    "resource_not_found_exception": NotFound,
}


def by_status(status: int, message: str) -> ExternalError:
    """Return our error for an HTTP status of an answer that is no success."""
    return error_of(status, message, _BY_STATUS)


def _reason(body: Any) -> str:
    """Return the cause that Elasticsearch names; never headers or the request."""
    error = mapping(body).get("error")
    if isinstance(error, str):
        return shortened(error)
    causes = [*objects(mapping(error).get("root_cause")), mapping(error)]
    given = (causes[0].get("reason"), mapping(error).get("reason"), mapping(error).get("type"))
    parts = [_part(next((reason for reason in given if isinstance(reason, str) and reason), NO_REASON))]
    cause = mapping(error).get("caused_by")
    for _ in range(_CAUSES):
        reason = mapping(cause).get("reason")
        if isinstance(reason, str) and (shown := _part(reason)) not in parts:
            parts.append(shown)
        cause = mapping(cause).get("caused_by")
    return ": ".join(parts)


def _part(reason: str) -> str:
    return shortened(_LISTS.sub(_first_of, without_marks(_ALL_PRIVILEGES.sub("", reason))), _PART)


def _first_of(found: re.Match[str]) -> str:
    return f"[{some_of([name.strip() for name in found[1].split(',')])}]"


def map_error(error: BaseException) -> ExternalError:
    """Return our error for one that the Elasticsearch client raised."""
    if isinstance(error, elasticsearch.UnsupportedProductError):
        return NotSupported("the server is not Elasticsearch")
    if isinstance(error, elastic_transport.ApiError):
        return by_status(error.meta.status, f"Elasticsearch answered {error.meta.status}: {_reason(error.body)}")
    for kind, ours in _BY_TYPE.items():
        if isinstance(error, kind):
            return ours(_describe(error))
    return Unexpected(f"{type(error).__name__} from the Elasticsearch client")


def _describe(error: BaseException) -> str:
    if isinstance(error, elastic_transport.SerializationError):
        # Its message has the whole response.
        return "Elasticsearch: its response cannot be read"
    if isinstance(error.__cause__, aiohttp.ClientConnectorError):
        return f"Elasticsearch: {_not_connected(error.__cause__)}"
    message = str(getattr(error, "message", "") or type(error).__name__)
    return f"Elasticsearch: {message}"


def _not_connected(error: aiohttp.ClientConnectorError) -> str:
    """Return why there is no connection, without aiohttp's own words for its settings."""
    where = f"{error.host}:{error.port}"
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return f"the name {error.host} cannot be resolved"
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        why = getattr(error.certificate_error, "verify_message", "")
        return f"the certificate of {where} cannot be verified" + (f": {why}" if why else "")
    if isinstance(error, aiohttp.ClientSSLError):
        why = (getattr(error.os_error, "reason", "") or "it failed").replace("_", " ").lower()
        return f"no TLS connection to {where}: {why}"
    code = error.os_error.errno
    return f"no connection to {where}: {os.strerror(code).lower() if code else 'it failed'}"


def map_item(details: Mapping[str, Any]) -> ExternalError:
    """Return our error for one item of a bulk answer."""
    reason = _reason({"error": details})
    return _ITEM_ERRORS.get(str(details.get("type")), Rejected)(f"Elasticsearch refused it: {reason}")


@contextmanager
def mapped() -> Iterator[None]:
    """Turn errors of the Elasticsearch client into ours."""
    try:
        yield
    except (
        elastic_transport.ApiError,
        elastic_transport.TransportError,
        helpers.BulkIndexError,
        helpers.ScanError,
    ) as error:
        raise map_error(error) from None
