"""Tokens in other places, and headers that control Elasticsearch or what is before it."""

from tests.contract.gateway.attacks.row import CALLER, GOOD, VICTIM, Row, raw, row

_RUN_AS = f"es-security-runas-user: searchaccess.prod.{VICTIM}"
_REMOVED = "removed"
_BEARER = "Authorization: Bearer " + GOOD.decode()


def _elsewhere(name: str, *headers: str, target: str = "/orders/_doc/1", why: str = "only Authorization counts") -> Row:
    return row(f"token {name}", raw(target, *headers, token=None), 401, why)


def _header(name: str, header: str, status: int = 200, why: str = _REMOVED) -> Row:
    return row(f"header {name}", raw("/orders/_doc/1", header), status, why, arrives=int(status == 200))


PLACES: list[Row] = [
    _elsewhere("in the query", target=f"/orders/_doc/1?access_token={GOOD.decode()}"),
    _elsewhere("in a cookie", f"Cookie: token={GOOD.decode()}"),
    _elsewhere("for a proxy", f"Proxy-Authorization: Bearer {GOOD.decode()}"),
    _elsewhere("forwarded", f"X-Forwarded-Authorization: Bearer {GOOD.decode()}"),
    _elsewhere("of a load balancer", f"X-Goog-Iap-Jwt-Assertion: {GOOD.decode()}", why="no proxy is declared"),
    _elsewhere("of Cloud Run", f"X-Serverless-Authorization: Bearer {GOOD.decode()}"),
    _elsewhere("as secondary authorization", f"es-secondary-authorization: Bearer {GOOD.decode()}"),
    _elsewhere("as a password", "Authorization: Basic eDp4"),
    _elsewhere("as an API key", "Authorization: ApiKey eDp4"),
    _elsewhere("with another scheme", f"Authorization: Token {GOOD.decode()}"),
    _elsewhere("with the scheme in lower case", f"Authorization: bearer {GOOD.decode()}", why="spelt Bearer"),
    _elsewhere("with a tab", f"Authorization: Bearer\t{GOOD.decode()}"),
    row(
        "token after something else",
        raw("/", f"Authorization: Basic eDp4, Bearer {GOOD.decode()}", token=None),
        200,
        "Envoy finds it; all of the header is replaced",
        arrives=1,
    ),
    row("token twice", raw("/", _BEARER), 401, "two values are one that is no token"),
    row("token after a password", raw("/", "Authorization: Basic eDp4"), 200, "Envoy finds it; both are replaced", 1),
    row("token before a password", raw("/", _BEARER, "Authorization: Basic eDp4", token=None), 401, "the same"),
    row(
        "token continued on a second line",
        raw("/", f"Authorization: Bearer\r\n {GOOD.decode()}", token=None),
        200,
        "one line for Envoy, which writes it as one",
        arrives=1,
    ),
]

HEADERS: list[Row] = [
    _header("to run as somebody", _RUN_AS),
    _header("to run as somebody, twice", f"{_RUN_AS}\r\n{_RUN_AS}"),
    _header("to run as somebody, in capitals", _RUN_AS.upper()),
    _header("to run as nobody", "es-security-runas-user:"),
    _header("to run as the caller", f"es-security-runas-user: searchaccess.prod.{CALLER}"),
    _header("with a space before the colon", _RUN_AS.replace(":", " :"), 400, "not HTTP"),
    _header("with a space before the name", " " + _RUN_AS, 400, "lines are not continued any more"),
    _header("with a tab before the name", "\t" + _RUN_AS, 400, "lines are not continued any more"),
    _header("with underscores", _RUN_AS.replace("-", "_", 3), 400, "some servers take them for hyphens"),
    _header("with one underscore", "x_y: 1", 400, "some servers take them for hyphens"),
    _header("with a second authorization", "es-secondary-authorization: Basic eDp4"),
    _header("with the secret of a client", "es-client-authentication: SharedSecret x"),
    _header("of Elasticsearch, unknown", "es-something-new: x"),
    _header("of the origin", "X-Elastic-Product-Origin: kibana"),
    _header("of Elastic Cloud", "X-Found-Cluster: other"),
    _header("of another path", "X-Envoy-Original-Path: /_security/user"),
    _header("of retries", "x-envoy-retry-on: 5xx\r\nx-envoy-max-retries: 99"),
    _header("of timeouts", "x-envoy-upstream-rq-timeout-ms: 1"),
    _header("of mirroring", "x-envoy-decorator-operation: x\r\nx-envoy-force-trace: 1"),
    _header("of another client", "X-Forwarded-For: 127.0.0.1\r\nX-Envoy-External-Address: 127.0.0.1"),
    _header("of another scheme", "X-Forwarded-Proto: http"),
    _header("of another host", "X-Forwarded-Host: evil.example.com\r\nForwarded: host=evil.example.com"),
    _header("of another address", "X-Original-URL: /_security/user\r\nX-Rewrite-URL: /_security/user"),
    _header("of another method", "X-HTTP-Method-Override: DELETE\r\nX-HTTP-Method: DELETE"),
    _header("of a session", "Cookie: sid=1"),
    _header(
        "that are to be dropped", "Connection: authorization, es-security-runas-user", 401, "Envoy drops the token"
    ),
    _header("that are to be kept", "Connection: keep-alive, x-opaque-id\r\nX-Opaque-Id: 1", why="harmless"),
    _header("of a hop", "TE: trailers\r\nKeep-Alive: timeout=9", why="Envoy's own"),
    _header("of a person's address", f"X-Goog-Authenticated-User-Email: accounts.google.com:{VICTIM}"),
    _header("to become a web socket", "Connection: Upgrade\r\nUpgrade: websocket", 403, "not offered"),
    _header(
        "to become HTTP/2", "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AA", why="ignored"
    ),
    _header("with a zero byte", "x-a: 1\0" + _RUN_AS, 400, "not HTTP"),
    _header("with a bare line feed", "x-a: 1\n" + _RUN_AS, 200, "the end of a line; then removed like any other"),
    _header("with a bare carriage return", "x-a: 1\r" + _RUN_AS, why="dropped from the value of x-a"),
    _header("without a name", ": x", 400, "not HTTP"),
    _header("without a colon", "x-a", 400, "not HTTP"),
    _header("with a colon alone before", ":path: /_security/user", 400, "not HTTP"),
    _header("in large numbers", "\r\n".join(f"x-{n}: 1" for n in range(80)), 431, "at most 64"),
    _header("of 30 kB", "x-a: " + "x" * 30_000, 431, "at most 24 kB"),
]
