"""A server that answers every request with the same bytes, whatever they are."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.stack.trust.certificates import write_server_certificate

PRODUCT = "X-Elastic-Product: Elasticsearch\r\n"


def answer(status: str, body: str = "{}", *, headers: str = PRODUCT, kind: str = "application/json") -> bytes:
    """Return an HTTP answer."""
    return (
        f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body.encode())}\r\n"
        f"{headers}Connection: close\r\n\r\n{body}"
    ).encode()


def _text(path: Path) -> str:
    return path.read_text()


@asynccontextmanager
async def odd_server(folder: Path, reply: bytes, *, tls: bool = True) -> AsyncIterator[tuple[str, str]]:
    """Serve, over TLS or without it; yield the address and the certificate authority."""
    certificate = write_server_certificate(folder)
    authority = _text(certificate.ca_file)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.certificate_file, certificate.key_file)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(reply)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context if tls else None)
    async with server:
        port = server.sockets[0].getsockname()[1]
        yield f"{'https' if tls else 'http'}://127.0.0.1:{port}", authority
