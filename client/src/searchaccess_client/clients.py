"""Elasticsearch's own clients, logged in as the workload."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import elasticsearch
from elastic_transport import AsyncTransport, NodeConfig, Transport

from searchaccess_client.transports import AsyncIdentityTransport, Caller, IdentityTransport

Hosts = str | Sequence[str | Mapping[str, str | int] | NodeConfig]

_OTHER_LOGINS = ("api_key", "basic_auth", "bearer_auth", "http_auth")


class Elasticsearch(elasticsearch.Elasticsearch):
    """``elasticsearch.Elasticsearch`` that sends the workload's Google identity token with every request.

    Each request also has ``X-Opaque-Id: service/revision`` (for a job ``job/execution``, for a worker pool
    ``pool/revision``), unless the caller gives an ``opaque_id``. Tokens are renewed minutes before they expire. After a
    401, a request is sent once more with another token. Calls raise ``IdentityTokenMissing``, a ``TransportError``, if
    Google provides no token.

    Args:
        hosts: addresses of Elasticsearch; https only, and certificates are always verified.
        audience: one of the JWT realm's ``allowed_audiences``.
        client_secret: for a realm with ``client_authentication.type: shared_secret``.
        _transport: used by ``options()`` of the base class to create another client with the same connections.
        options: all others of the base class, such as ``ca_certs`` or ``cloud_id``.

    Raises:
        ValueError: the audience is missing, TLS would not be verified, or another login is given.
    """

    def __init__(
        self,
        hosts: Hosts | None = None,
        *,
        audience: str = "",
        client_secret: str | None = None,
        _transport: Transport | None = None,
        **options: Any,
    ) -> None:
        if _transport is None:
            options["transport_class"] = partial(IdentityTransport, _caller(audience, client_secret, options))
        super().__init__(hosts, _transport=_transport, **options)


class AsyncElasticsearch(elasticsearch.AsyncElasticsearch):
    """The same for asyncio.

    Args:
        hosts: as above.
        audience: as above.
        client_secret: as above.
        _transport: as above.
        options: all others of ``elasticsearch.AsyncElasticsearch``.

    Raises:
        ValueError: as above.
    """

    def __init__(
        self,
        hosts: Hosts | None = None,
        *,
        audience: str = "",
        client_secret: str | None = None,
        _transport: AsyncTransport | None = None,
        **options: Any,
    ) -> None:
        if _transport is None:
            options["transport_class"] = partial(AsyncIdentityTransport, _caller(audience, client_secret, options))
        super().__init__(hosts, _transport=_transport, **options)


def _caller(audience: str, client_secret: str | None, options: Mapping[str, Any]) -> Caller:
    if not audience:
        raise ValueError("audience is required: one of the JWT realm's allowed_audiences")
    if others := [name for name in _OTHER_LOGINS if options.get(name)]:
        raise ValueError(f"{', '.join(others)}: this client logs in only with the workload's identity token")
    return Caller(audience, client_secret)
