"""Every error that a client library may raise becomes the intended one of ours, and shows nothing that it must not."""

import binascii
import json
import re
import ssl
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from types import ModuleType
from typing import Any

import aiohttp
import elastic_transport
import elasticsearch
import pytest
from aiohttp import client_exceptions
from aiohttp.client_reqrep import ConnectionKey, RequestInfo
from elasticsearch import exceptions as elasticsearch_exceptions
from elasticsearch import helpers
from kubernetes.aio import config as kubernetes_config
from kubernetes.aio.client import exceptions as kubernetes_exceptions
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from searchaccess.adapters.elasticsearch import errors as from_elasticsearch
from searchaccess.adapters.kubernetes import errors as from_kubernetes
from searchaccess.adapters.vault import errors as from_vault
from searchaccess.ports.errors import (
    Conflict,
    ExternalError,
    LoginMissing,
    LoginRefused,
    NotFound,
    NotSupported,
    PermissionDenied,
    Rejected,
    Throttled,
    TlsNotVerified,
    Unexpected,
    Unreachable,
)

SECRET = "hunter2"
LEAKY = URL(f"https://user:{SECRET}@host:9200/path?token={SECRET}")

Expected = dict[str, type[ExternalError]]

ELASTICSEARCH: Expected = {
    "ApiError": Unexpected,
    "AuthenticationException": LoginRefused,
    "AuthorizationException": PermissionDenied,
    "BadRequestError": Rejected,
    "BulkIndexError": Unexpected,
    "ConflictError": Conflict,
    "ConnectionError": Unreachable,
    "ConnectionTimeout": Unreachable,
    "NotFoundError": NotFound,
    "ScanError": Unexpected,
    "SerializationError": Unexpected,
    "SniffingError": Unreachable,
    "TlsError": TlsNotVerified,
    "TransportError": Unreachable,
    "UnsupportedProductError": NotSupported,
}
AIOHTTP: Expected = {
    "ClientConnectionError": Unreachable,
    "ClientConnectionResetError": Unreachable,
    "ClientConnectorCertificateError": TlsNotVerified,
    "ClientConnectorDNSError": Unreachable,
    "ClientConnectorError": Unreachable,
    "ClientConnectorSSLError": TlsNotVerified,
    "ClientError": Unreachable,
    "ClientHttpProxyError": Unreachable,
    "ClientOSError": Unreachable,
    "ClientPayloadError": Unreachable,
    "ClientProxyConnectionError": Unreachable,
    "ClientResponseError": Unreachable,
    "ClientSSLError": TlsNotVerified,
    "ConnectionTimeoutError": Unreachable,
    "ContentTypeError": Unreachable,
    "InvalidURL": Unreachable,
    "InvalidUrlClientError": Unreachable,
    "InvalidUrlRedirectClientError": Unreachable,
    "NonHttpUrlClientError": Unreachable,
    "NonHttpUrlRedirectClientError": Unreachable,
    "RedirectClientError": Unreachable,
    "ServerConnectionError": Unreachable,
    "ServerDisconnectedError": Unreachable,
    "ServerFingerprintMismatch": TlsNotVerified,
    "ServerTimeoutError": Unreachable,
    "SocketTimeoutError": Unreachable,
    "TooManyRedirects": Unreachable,
    "UnixClientConnectorError": Unreachable,
    "UploadAbortedError": Unreachable,
    "WSServerHandshakeError": Unreachable,
}
KUBERNETES: Expected = {
    "ApiAttributeError": Unexpected,
    "ApiException": Unexpected,
    "ApiKeyError": Unexpected,
    "ApiTypeError": Unexpected,
    "ApiValueError": Unexpected,
    "BadRequestException": Rejected,
    "ConfigException": LoginMissing,
    "ConflictException": Conflict,
    "ForbiddenException": PermissionDenied,
    "NotFoundException": NotFound,
    "OpenApiException": Unexpected,
    "ServiceException": Unreachable,
    "UnauthorizedException": LoginRefused,
    "UnprocessableEntityException": Rejected,
    **AIOHTTP,
}
NEVER_RAISED = {"WSMessageTypeError": "we use no web sockets"}

STATUS_OF = {
    "AuthenticationException": 401,
    "AuthorizationException": 403,
    "BadRequestError": 400,
    "ConflictError": 409,
    "NotFoundError": 404,
    "UnsupportedProductError": 200,
    "BadRequestException": 400,
    "ConflictException": 409,
    "ForbiddenException": 403,
    "NotFoundException": 404,
    "ServiceException": 500,
    "UnauthorizedException": 401,
    "UnprocessableEntityException": 422,
}


def _errors_in(*modules: ModuleType) -> Iterator[type[Exception]]:
    found = {
        value
        for module in modules
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, Exception) and not issubclass(value, Warning)
    }
    yield from sorted(found, key=lambda kind: (kind.__module__, kind.__name__))


def _meta(status: int) -> elastic_transport.ApiResponseMeta:
    node = elastic_transport.NodeConfig("https", "host", 9200, headers={"authorization": SECRET})
    headers = elastic_transport.HttpHeaders({"authorization": SECRET})
    return elastic_transport.ApiResponseMeta(status, "1.1", headers, 0.1, node)


def _elasticsearch_error(kind: type[Exception], status: int | None = None) -> Exception:
    if issubclass(kind, elastic_transport.ApiError):
        body = {"error": {"type": "x", "reason": "what is wrong"}, "request": SECRET}
        return kind("message", _meta(status or STATUS_OF.get(kind.__name__, 418)), body)
    if issubclass(kind, elastic_transport.SerializationError):
        return kind(f"Unable to deserialize as JSON: {SECRET}")
    if issubclass(kind, elastic_transport.TransportError):
        return kind("no answer", (ValueError(SECRET),))
    if issubclass(kind, helpers.BulkIndexError):
        return kind("1 document", [{"index": {"data": SECRET}}])
    return kind(SECRET, "message")


def _info() -> RequestInfo:
    headers = CIMultiDictProxy(CIMultiDict({"Authorization": SECRET}))
    return RequestInfo(LEAKY, "GET", headers, LEAKY)


def _key() -> ConnectionKey:
    return ConnectionKey("host", 9200, is_ssl=True, ssl=True, proxy=None, proxy_auth=None, proxy_headers_hash=None)


def _kubernetes_error(kind: type[Exception], status: int | None = None) -> Exception:
    if issubclass(kind, kubernetes_exceptions.ApiException):
        body = json.dumps({"kind": "Status", "message": "what is wrong", "token": SECRET})
        error = kind(status=status or STATUS_OF.get(kind.__name__, 418), reason="Reason", body=body)
        error.headers = {"Authorization": SECRET}
        return error
    making: dict[type[Exception], tuple[Any, ...]] = {
        aiohttp.ClientResponseError: (_info(), ()),
        client_exceptions.UnixClientConnectorError: ("/socket", _key(), OSError(1, SECRET)),
        aiohttp.ClientConnectorCertificateError: (_key(), ssl.SSLError(1, SECRET)),
        aiohttp.ClientConnectorError: (_key(), OSError(1, SECRET)),
        aiohttp.ServerFingerprintMismatch: (b"a", b"b", "host", 9200),
        aiohttp.InvalidURL: (LEAKY,),
    }
    arguments = next((found for base, found in making.items() if issubclass(kind, base)), (SECRET,))
    return kind(*arguments)


@dataclass(frozen=True, slots=True)
class Side:
    """An adapter's errors, and what may come from below."""

    map_error: Callable[[BaseException], ExternalError]
    mapped: Callable[[], AbstractContextManager[None]]
    make: Callable[..., Exception]
    expected: Expected
    modules: tuple[ModuleType, ...]


SEARCH = Side(
    from_elasticsearch.map_error,
    from_elasticsearch.mapped,
    _elasticsearch_error,
    ELASTICSEARCH,
    (elasticsearch_exceptions, elasticsearch, helpers, elastic_transport),
)
OBJECTS = Side(
    from_kubernetes.map_error,
    from_kubernetes.mapped,
    _kubernetes_error,
    KUBERNETES,
    (kubernetes_exceptions, kubernetes_config, client_exceptions),
)
VAULT = Side(
    partial(from_vault.map_error, "Vault, a secret"),
    partial(from_vault.mapped, "Vault, a secret"),
    _kubernetes_error,
    AIOHTTP,
    (client_exceptions,),
)
ALL = [
    pytest.param(side, kind, id=f"{kind.__module__}.{kind.__name__}")
    for side in (SEARCH, OBJECTS, VAULT)
    for kind in _errors_in(*side.modules)
    if kind.__name__ not in NEVER_RAISED
]


@pytest.mark.parametrize(("side", "kind"), ALL)
def test_each_error_becomes_the_intended_one(side: Side, kind: type[Exception]) -> None:
    name = kind.__name__.removeprefix("_")
    assert name in side.expected, f"{kind} is new: decide what it is to become"
    ours = side.map_error(side.make(kind))
    assert type(ours) is side.expected[name]


@pytest.mark.parametrize(("side", "kind"), ALL)
def test_no_error_escapes_as_it_is(side: Side, kind: type[Exception]) -> None:
    with pytest.raises(ExternalError) as caught, side.mapped():
        raise side.make(kind)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


@pytest.mark.parametrize(("side", "kind"), ALL)
def test_no_message_shows_a_password_a_header_or_a_query(side: Side, kind: type[Exception]) -> None:
    ours = side.map_error(side.make(kind))
    assert ours.message
    assert SECRET not in ours.message
    assert SECRET not in str(ours)
    assert "token=" not in ours.message


@pytest.mark.parametrize(
    ("cause", "said"),
    [
        (aiohttp.ClientConnectorDNSError(_key(), OSError(-2, SECRET)), "the name host cannot be resolved"),
        (aiohttp.ClientConnectorError(_key(), OSError(113, SECRET)), "no connection to host:9200: no route to host"),
        (aiohttp.ClientConnectorError(_key(), OSError(SECRET)), "no connection to host:9200: it failed"),
        (aiohttp.ClientConnectorSSLError(_key(), ssl.SSLError(1, SECRET)), "no TLS connection to host:9200: it failed"),
        (
            aiohttp.ClientConnectorCertificateError(_key(), ssl.SSLCertVerificationError(1, SECRET)),
            "the certificate of host:9200 cannot be verified",
        ),
    ],
)
def test_an_elasticsearch_without_a_connection_is_said_in_our_words(cause: Exception, said: str) -> None:
    error = elastic_transport.ConnectionError(str(cause))
    error.__cause__ = cause
    assert SEARCH.map_error(error).message == f"Elasticsearch: {said}"


def test_the_table_names_nothing_that_is_gone() -> None:
    for side in (SEARCH, OBJECTS, VAULT):
        assert {kind.__name__.removeprefix("_") for kind in _errors_in(*side.modules)} - set(NEVER_RAISED) == set(
            side.expected
        )


BY_STATUS: list[tuple[int, type[ExternalError], type[ExternalError]]] = [
    (300, Unexpected, Unexpected),
    (400, Rejected, Rejected),
    (401, LoginRefused, LoginRefused),
    (402, Unexpected, Unexpected),
    (403, PermissionDenied, PermissionDenied),
    (404, NotFound, NotFound),
    (405, NotSupported, Unexpected),
    (406, NotSupported, Unexpected),
    (408, Unreachable, Unreachable),
    (409, Conflict, Conflict),
    (410, Unexpected, Conflict),
    (413, Rejected, Rejected),
    (415, Unexpected, Rejected),
    (418, Unexpected, Unexpected),
    (422, Rejected, Rejected),
    (429, Throttled, Throttled),
    (500, Unreachable, Unreachable),
    (502, Unreachable, Unreachable),
    (503, Unreachable, Unreachable),
    (504, Unreachable, Unreachable),
    (599, Unreachable, Unreachable),
]


@pytest.mark.parametrize(("status", "search", "objects"), BY_STATUS, ids=[str(row[0]) for row in BY_STATUS])
def test_each_status_becomes_the_intended_error(
    status: int, search: type[ExternalError], objects: type[ExternalError]
) -> None:
    ours = SEARCH.map_error(_elasticsearch_error(elasticsearch.ApiError, status))
    assert type(ours) is search
    assert str(status) in ours.message
    assert "what is wrong" in ours.message
    ours = OBJECTS.map_error(_kubernetes_error(kubernetes_exceptions.ApiException, status))
    assert type(ours) is objects
    assert str(status) in ours.message
    assert "what is wrong" in ours.message


@pytest.mark.parametrize("status", range(100, 600))
def test_every_status_is_some_error_of_ours(status: int) -> None:
    assert isinstance(from_elasticsearch.by_status(status, "x"), ExternalError)
    assert isinstance(from_kubernetes.by_status(status, "x"), ExternalError)
    assert isinstance(from_vault.by_status("x", status, b""), ExternalError)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (TimeoutError(), Unreachable),
        (ConnectionResetError(), Unreachable),
        (OSError("no route"), Unreachable),
        (ssl.SSLCertVerificationError("self-signed"), TlsNotVerified),
        (json.JSONDecodeError("x", SECRET, 0), Unexpected),
        (binascii.Error(SECRET), Unexpected),
        (UnicodeDecodeError("utf-8", b"x", 0, 1, SECRET), Unexpected),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else value.__name__,
)
def test_pythons_own_errors_under_the_kubernetes_client(error: Exception, expected: type[ExternalError]) -> None:
    with pytest.raises(ExternalError) as caught, from_kubernetes.mapped():
        raise error
    assert type(caught.value) is expected
    assert SECRET not in caught.value.message


def test_a_failed_test_of_a_json_patch_is_a_conflict() -> None:
    body = json.dumps({"message": "the server rejected our request due to an error in our request", "details": {}})
    error = kubernetes_exceptions.ApiException(status=422, body=body)
    assert type(from_kubernetes.map_error(error)) is Conflict


@pytest.mark.parametrize("body", [None, "", "<html>", "[]", b"\xff", '{"message": 1}'], ids=repr)
def test_bodies_of_any_shape_make_a_message(body: Any) -> None:
    assert type(from_kubernetes.map_error(kubernetes_exceptions.ApiException(status=500, body=body))) is Unreachable
    bodies: list[Any] = [body, {"error": body}, {"error": {"root_cause": []}}, {"error": {"caused_by": {"reason": 1}}}]
    for strange in bodies:
        assert type(from_elasticsearch.map_error(elasticsearch.ApiError("x", _meta(500), strange))) is Unreachable


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("security_exception", PermissionDenied),
        ("version_conflict_engine_exception", Conflict),
        ("unavailable_shards_exception", Unreachable),
        ("cluster_block_exception", Unreachable),
        ("action_request_validation_exception", Rejected),
        ("never_heard_of", Rejected),
        (None, Rejected),
    ],
)
def test_an_item_of_a_bulk_answer_becomes_the_intended_error(kind: str | None, expected: type[ExternalError]) -> None:
    details = {"type": kind, "reason": "outer", "caused_by": {"reason": "inner", "caused_by": {"reason": "innermost"}}}
    ours = from_elasticsearch.map_item(details)
    assert type(ours) is expected
    assert ours.message.endswith("outer: inner: innermost")


@pytest.mark.parametrize("kind", [pytest.param(kind, id=kind.__name__) for kind in _errors_in(*OBJECTS.modules)])
def test_no_message_about_the_api_server_names_a_class(kind: type[Exception]) -> None:
    if kind.__name__ in NEVER_RAISED:
        return
    message = OBJECTS.map_error(OBJECTS.make(kind)).message
    assert message.startswith("the API server")
    assert kind.__name__ not in message
    assert not re.search(r"[a-z][A-Z][a-z]|Error|Exception", message), message


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (aiohttp.ClientConnectorError(_key(), ConnectionRefusedError(111, SECRET)), "host:9200: connection refused"),
        (aiohttp.ClientConnectorDNSError(_key(), OSError(-2, SECRET)), "the name host cannot be resolved"),
        (TimeoutError(), "no response in time"),
        (ConnectionResetError(104, SECRET), "connection reset by peer"),
    ],
    ids=["refused", "no such name", "late", "reset"],
)
def test_what_keeps_us_from_the_api_server_is_named(error: Exception, says: str) -> None:
    assert says in OBJECTS.map_error(error).message
