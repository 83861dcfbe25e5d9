"""Ways to write paths of the security API, and other paths that something may read differently."""

from tests.contract.gateway.attacks.row import Row, raw, row

_SET = "sets the password of the caller's own user"


def _path(name: str, target: str, status: int, why: str, method: str = "GET") -> Row:
    return row(f"path {name}", raw(target, method=method), status, why, arrives=int(status == 200))


def _refused(name: str, target: str, method: str = "POST", why: str = _SET) -> Row:
    return _path(name, target, 403, why, method)


PATHS: list[Row] = [
    _refused("of the password", "/_security/user/_password"),
    _refused("of the password by PUT", "/_security/user/_password", "PUT"),
    _refused("of the password with a slash", "/_security/user/_password/"),
    _refused("of the password with two slashes", "/_security/user/_password//"),
    _refused("of the password with a query", "/_security/user/_password?refresh=false"),
    _refused(
        "of the password by name",
        "/_security/user/searchaccess.prod.orders@acme-shop.iam.gserviceaccount.com/_password",
    ),
    _refused("of the password by encoded name", "/_security/user/searchaccess.prod.orders%40acme-shop/_password"),
    _refused("of the password, formerly", "/_xpack/security/user/_password"),
    _refused("of the password, formerly, with a slash", "/_xpack/security/user/_password/"),
    _refused("of the password with a parameter", "/_security;x=1/user/_password"),
    _refused("of the password after an empty part", "//_security/user/_password"),
    _refused("of the password after a dot", "/./_security/user/_password"),
    _refused("of the password after two dots", "/x/../_security/user/_password"),
    _refused("of the password after encoded dots", "/x/%2e%2E/_security/user/_password"),
    _refused("of the password after a dot, encoded once", "/x/.%2e/_security/user/_password"),
    _refused("of users", "/_security/user", "GET", "others' users"),
    _refused("of roles", "/_security/role", "GET", "others' roles"),
    _refused("of API keys", "/_security/api_key", "POST", "a login without a token"),
    _refused("of tokens", "/_security/oauth2/token", "POST", "a login without a token"),
    _refused("of the security API", "/_security", "GET", "all of it"),
    _refused("of the security API with a slash", "/_security/", "GET", "all of it"),
    _refused("of the caller, with a slash", "/_security/_authenticate/", "GET", "to the letter"),
    _refused("of the caller, and more", "/_security/_authenticate/../user", "GET", "dots"),
    _path("of the caller", "/_security/_authenticate", 200, "about itself"),
    _path("of the caller's privileges", "/_security/user/_privileges?x=/_security/user", 200, "about itself"),
    _path("with an encoded underscore", "/%5Fsecurity/user/_password", 200, "no API: an index of that name", "POST"),
    _path("with an encoded letter", "/_s%65curity/user/_password", 200, "no API", "POST"),
    _path("in capitals", "/_SECURITY/user/_password", 200, "no API", "POST"),
    _path("with an encoded slash", "/_security%2Fuser%2F_password", 200, "no API: one part", "POST"),
    _path("with a back slash", "/_security\\user\\_password", 200, "no API: one part", "POST"),
    _path("with a longer name", "/_securityx/user", 200, "no API"),
    _path("with an index before", "/orders/_security/user/_password", 200, "no API", "POST"),
    _path("with a query before", "/?/_security/user/_password", 200, "the query is no path", "POST"),
    _path("with a fragment", "/#/_security/user", 400, "no part of a request"),
    _path("with a fragment after", "/_security#/x", 400, "no part of a request"),
    _path("with date maths", "/%3Corders-%7Bnow%2Fd%7D%3E/_search", 200, "an encoded slash stays one"),
    _path("with a dot in a name", "/orders/_doc/..a", 200, "a name"),
    _path("with three dots", "/orders/_doc/...", 200, "a name"),
    _refused("with dots as an id", "/orders/_doc/%2E%2E", "DELETE", "would delete the index if it were resolved"),
    _refused("with a dot as an id", "/orders/_doc/.", "GET", "a dot alone"),
    _refused("with an empty part", "/orders//_search", "GET", "an empty part"),
    _path("with an encoded null", "/orders/_doc/%00", 200, "passed as it is"),
    _path("with bytes beyond ASCII", "/orders/_doc/\xe4", 400, "not HTTP"),
]
