"""Requests that two readers may take for different ones."""

from tests.contract.gateway.attacks.row import CLOSED, GOOD, VICTIM, Row, raw, row

_RUN_AS = f"es-security-runas-user: searchaccess.prod.{VICTIM}"
_SECOND = f"GET /smuggled HTTP/1.1\r\nHost: x\r\nAuthorization: Basic eDp4\r\n{_RUN_AS}\r\n\r\n".encode()
_ONE = b"1\r\n{\r\n0\r\n\r\n"
_AMBIGUOUS = "its length is ambiguous"
_NOT = "not HTTP/1.1"


def _post(
    name: str, *headers: str, body: bytes = b"", status: int = 400, why: str = _AMBIGUOUS, arrives: int = 0
) -> Row:
    return row(name, raw("/orders/_doc", *headers, method="POST", body=body), status, why, arrives)


def _line(name: str, line: str, status: int = 400, why: str = _NOT, arrives: int = 0) -> Row:
    request = f"{line}\r\nHost: es.example.com\r\nAuthorization: Bearer {GOOD.decode()}\r\n\r\n".encode("latin-1")
    return row(name, request, status, why, arrives)


def _chunked(name: str, body: bytes, status: int = 400, why: str = "no chunk", arrives: int = 0) -> Row:
    return _post(name, "Transfer-Encoding: chunked", body=body, status=status, why=why, arrives=arrives)


SMUGGLING: list[Row] = [
    _post("length and chunks", "Content-Length: 5", "Transfer-Encoding: chunked", body=_ONE + _SECOND),
    _post("chunks and length", "Transfer-Encoding: chunked", "Content-Length: 5", body=_ONE + _SECOND),
    _post("chunks, misspelt", "Transfer-Encoding: xchunked", body=_ONE, status=501, why="unknown"),
    _post("chunks and identity", "Transfer-Encoding: chunked, identity", body=_ONE, status=501, why="unknown"),
    _post("identity and chunks", "Transfer-Encoding: identity, chunked", body=_ONE, status=501, why="unknown"),
    _post("chunks twice", "Transfer-Encoding: chunked", "Transfer-Encoding: chunked", body=_ONE, status=501),
    _post("chunks, zipped", "Transfer-Encoding: gzip, chunked", body=_ONE, status=501, why="unknown"),
    _post("chunks after a tab", "Transfer-Encoding:\tchunked", body=_ONE, status=200, why="a space", arrives=1),
    _post("chunks in capitals", "Transfer-Encoding: CHUNKED", body=_ONE, status=200, why="the same", arrives=1),
    _post("chunks before a space", "Transfer-Encoding : chunked", body=_ONE, why=_NOT),
    _post(
        "chunks on a second line", "Transfer-Encoding:\r\n chunked", body=_ONE, status=200, why="one line", arrives=1
    ),
    _post("chunks after a vertical tab", "Transfer-Encoding: \x0bchunked", body=_ONE, why=_NOT),
    _post("chunks quoted", 'Transfer-Encoding: "chunked"', body=_ONE, status=501, why="unknown"),
    _post("two lengths", "Content-Length: 1", "Content-Length: 2", body=b"{}"),
    _post("one length twice", "Content-Length: 2", "Content-Length: 2", body=b"{}"),
    _post("one length twice in a line", "Content-Length: 2, 2", body=b"{}"),
    _post("length with a sign", "Content-Length: +2", body=b"{}"),
    _post("length negative", "Content-Length: -1", body=b"{}"),
    _post("length in hexadecimals", "Content-Length: 0x2", body=b"{}"),
    _post("length with an exponent", "Content-Length: 2e0", body=b"{}"),
    _post("length with a fraction", "Content-Length: 2.0", body=b"{}"),
    _post("length of no digits", "Content-Length:", body=b"{}"),
    _post("length with a parameter", "Content-Length: 2;x", body=b"{}"),
    _post("length beyond all numbers", "Content-Length: 99999999999999999999", body=b"{}"),
    _post("length with zeros", "Content-Length: 002", body=b"{}", status=200, why="two", arrives=1),
    _post("length zero, then a request", "Content-Length: 0", body=_SECOND, status=200, why="another one", arrives=1),
    _post("no length, then a request", body=_SECOND, status=200, why="another one", arrives=1),
    row(
        "a body that is a request",
        raw("/orders/_doc", f"Content-Length: {len(_SECOND)}", method="POST", body=_SECOND),
        200,
        "a body",
        arrives=1,
    ),
    row("GET with a body", raw("/_search", "Content-Length: 2", body=b"{}"), 200, "Elasticsearch takes it", arrives=1),
    _chunked("chunk with an extension", b"1;a=b\r\n{\r\n0\r\n\r\n", 200, "allowed; not passed on", 1),
    _chunked("chunk of no size", b"\r\n{\r\n0\r\n\r\n"),
    _chunked("chunk with a sign", b"+1\r\n{\r\n0\r\n\r\n"),
    _chunked("chunk negative", b"-1\r\n{\r\n0\r\n\r\n"),
    _chunked("chunk with 0x", b"0x1\r\n{\r\n0\r\n\r\n"),
    _chunked("chunk beyond all numbers", b"fffffffffffffffff\r\n{\r\n0\r\n\r\n"),
    _chunked("chunk shorter than it says", b"5\r\n{\r\n0\r\n\r\n" + _SECOND),
    _chunked("chunk longer than it says", b"1\r\n{}{}\r\n0\r\n\r\n", 200, "the rest of the line is dropped", 1),
    _chunked("chunk with a space", b"1 \r\n{\r\n0\r\n\r\n", 200, "taken for none", 1),
    _chunked("chunk with a line feed alone", b"1\n{\n0\n\n" + _SECOND),
    _chunked("chunks, then a request", _ONE + _SECOND, 200, "another one", 1),
    _chunked(
        "headers after the chunks",
        b"1\r\n{\r\n0\r\n" + f"{_RUN_AS}\r\nAuthorization: Basic eDp4\r\n\r\n".encode(),
        200,
        "dropped",
        1,
    ),
    _chunked("last chunk missing", b"1\r\n{\r\n", CLOSED, "it waits for the rest"),
    row("second without a token", raw("/") + raw("/", token=None), 200, "each needs its own", arrives=1),
    row("second as somebody", raw("/") + raw("/", _RUN_AS), 200, "two of the caller's", arrives=2),
    row("after the last", raw("/", "Connection: close") + raw("/"), 200, "the connection ends", arrives=1),
    row("a second token for a first", raw("/", token=None) + raw("/"), 401, "each needs its own", arrives=1),
    _line("HTTP/0.9", "GET /", 426, "not offered"),
    _line("HTTP/1.0", "GET / HTTP/1.0", 426, "not offered"),
    _line("HTTP/1.2", "GET / HTTP/1.2", 426, "there is none"),
    _line("HTTP/2.0 in a line", "GET / HTTP/2.0", 426, "not like this"),
    _line("http in lower case", "GET / http/1.1"),
    _line("no HTTP", "GET / ICAP/1.0"),
    _line("two spaces", "GET  / HTTP/1.1", 200, "one for Envoy, which writes one", 1),
    _line("a tab", "GET\t/ HTTP/1.1", 200, "a space for Envoy, which writes one", 1),
    _line("a space in the target", "GET /a /b HTTP/1.1"),
    _line("a line after a space", " GET / HTTP/1.1"),
    _line("an empty line before", "\r\nGET / HTTP/1.1", 200, "allowed (RFC 9112)", 1),
    _line("a zero byte in the target", "GET /a\0b HTTP/1.1"),
    _line("a line feed in the target", "GET /a\nb: HTTP/1.1", 426, "the end of a line without a version"),
    _line("a method in lower case", "get / HTTP/1.1", why="unknown"),
    _line("an unknown method", "BREW / HTTP/1.1", why="unknown"),
    _line("PATCH", "PATCH /orders/_doc/1 HTTP/1.1", 403, "not needed"),
    _line("TRACE", "TRACE / HTTP/1.1", 403, "would show headers"),
    _line("OPTIONS", "OPTIONS / HTTP/1.1", 403, "Elasticsearch answers it to everybody"),
    _line("OPTIONS of all", "OPTIONS * HTTP/1.1", 404, "no path"),
    _line("CONNECT", "CONNECT es.example.com:443 HTTP/1.1", 403, "no tunnel"),
    _line(
        "address of another host", "GET http://evil.example.com/orders/_doc/1 HTTP/1.1", 200, "only its path counts", 1
    ),
    _line(
        "address with a login", "GET http://a:b@es.example.com/orders/_doc/1 HTTP/1.1", 200, "only its path counts", 1
    ),
    _line("address of the security API", "GET http://x/_security/user HTTP/1.1", 403, "only its path counts"),
    _line("two hosts", "GET / HTTP/1.1\r\nHost: evil.example.com", 200, "replaced by one", 1),
    row("no host", b"GET / HTTP/1.1\r\nAuthorization: Bearer " + GOOD + b"\r\n\r\n", 400, _NOT),
    row("HTTP/2 preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, "HTTP/2 only as agreed for TLS"),
]
