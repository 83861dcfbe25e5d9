"""What the API server takes and refuses of both kinds, as sentences."""

from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from searchaccess.api.constants import API_VERSION

CERTIFICATE = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
CLOUD_ID = "prod:ZXVyb3BlLXdlc3QxLmdjcC5jbG91ZC5lcy5pbyRhYmMkZGVm"
ECK = {"namespace": "logging", "name": "quickstart"}
KEY = {"namespace": "searchaccess-system", "name": "authority"}
WORKLOAD = {"project": "acme-shop", "location": "europe-west1", "name": "orders"}
REALM_SECRET = {"namespace": "searchaccess-system", "name": "realm"}
READER = {"indices": ["orders-*"], "can": ["read"]}

_SPECS: dict[str, dict[str, Any]] = {
    "SearchAccess": {
        "cluster": "prod",
        "subject": {"serviceAccount": "orders@acme-shop.iam.gserviceaccount.com"},
        "grants": [READER],
    },
    "SearchCluster": {
        "urls": ["https://elasticsearch.example.com:9200"],
        "login": {"secretRef": {"namespace": "searchaccess-system", "name": "elasticsearch-login"}},
        "identity": {"jwtRealm": {"name": "google", "audience": "https://es.example.com"}},
    },
}


@dataclass(frozen=True)
class Case:
    """One manifest; `says` is a part of the API server's refusal, empty: it is taken."""

    sentence: str
    manifest: dict[str, Any]
    says: str = ""

    @property
    def name(self) -> str:
        return str(self.manifest["metadata"]["name"])


class _Cases(list[Case]):
    def add(self, kind: str, sentence: str, changes: dict[str, Any], says: str = "", name: str = "") -> None:
        """Add a valid manifest with some fields of its spec replaced; None takes a field away."""
        spec = {key: value for key, value in (deepcopy(_SPECS[kind]) | changes).items() if value is not None}
        metadata = {"name": name or f"{kind.lower()}-{len(self)}"}
        self.append(Case(sentence, {"apiVersion": API_VERSION, "kind": kind, "metadata": metadata, "spec": spec}, says))

    def grant(self, sentence: str, changes: dict[str, Any], says: str = "") -> None:
        """Add a SearchAccess with one grant: a reader, changed."""
        self.add("SearchAccess", sentence, {"grants": [READER | changes]}, says)

    def access(self, sentence: str, changes: dict[str, Any], says: str = "") -> None:
        self.add("SearchAccess", sentence, changes, says)

    def cluster(self, sentence: str, changes: dict[str, Any], says: str = "", name: str = "") -> None:
        self.add("SearchCluster", sentence, changes, says, name)


def _realm(**changes: str) -> dict[str, Any]:
    return {"identity": {"jwtRealm": {"name": "google", "audience": "https://es.example.com"} | changes}}


def _login(namespace: str, name: str) -> dict[str, Any]:
    return {"login": {"secretRef": {"namespace": namespace, "name": name}}}


def _numbered(count: int, length: int = 0, prefix: str = "i") -> list[str]:
    return [f"{prefix}{number}".ljust(length, "x") for number in range(count)]


_WHERE = {"where": {"term": {"region": "eu"}}}
_FIELDS = {"fields": {"exclude": ["customer.ssn"]}}
_BAD_NAME = 'an index name cannot contain \\ / " < > | : # a comma or white space: name one index'
_BAD_PRIVILEGE = "write the name of an index privilege such as read or view_index_metadata"
_BAD_ACCOUNT = "write the service account's e-mail address in lower case, such as orders@acme-shop.iam"
_BAD_START = "an index name cannot start with - _ or +: write the name itself"
_BAD_REGEX = "a regular expression stands between two slashes: write /orders-[0-9]+/"
_UPPER = "index names are lower case: write it in lower case"
_DOTS = "an index cannot be named . or ..: write its name"
_PLAIN_URL = "use https://: over plain http everybody on the way can read the token"
_BAD_URL = "write https://host:port, without user, password or query"
_PROBE = "write a duration between 500ms and 1h, such as 2s"
_SWEEP = "write a duration between 5s and 24h, such as 5m"
_REALM_NAME = "write the realm's name alone: google for xpack.security.authc.realms.jwt.google"
_NOTHING = "declare at least one grant, such as {indices: [orders-*], can: [read]}, or clusterCan"


def rejected() -> list[Case]:
    """Every CEL rule and every limit of the schema, broken."""
    cases = _Cases()
    _reject_accesses(cases)
    _reject_grants(cases)
    _reject_clusters(cases)
    return cases


def _workload(**changes: str | None) -> dict[str, Any]:
    return {key: value for key, value in {**WORKLOAD, **changes}.items() if value is not None}


def _reject_subjects(cases: _Cases) -> None:
    one = "exactly one of cloudRunService, cloudRunJob, cloudRunWorkerPool and serviceAccount"
    cases.access("an empty subject", {"subject": {}}, one)
    cases.access("two subjects", {"subject": {"cloudRunService": WORKLOAD, "cloudRunJob": WORKLOAD}}, one)
    wrong = {
        "project": (("123456789012", "Acme", "acme", ""), "write the project's ID (not its number or title)", 100),
        "location": (("europe-west1-b", "europe", "EU", ""), "write the region's name, such as europe-west1", 63),
        "name": (("Orders", "services/orders", "orders-", ""), "write the name alone, as in the Cloud Run console", 63),
    }
    for kind in ("cloudRunService", "cloudRunJob", "cloudRunWorkerPool"):
        for field, (texts, says, most) in wrong.items():
            cases.access(
                f"a {kind} without a {field}", {"subject": {kind: _workload(**{field: None})}}, "Required value"
            )
            long = {"subject": {kind: _workload(**{field: "a" * (most + 1)})}}
            cases.access(f"a {kind} with too long a {field}", long, f"may not be more than {most}")
            for text in texts:
                subject = {"subject": {kind: _workload(**{field: text})}}
                cases.access(f"a {kind} with the {field} {text!r}", subject, says)


def _reject_accesses(cases: _Cases) -> None:
    for field in ("cluster", "subject"):
        cases.access(f"{field} must be there", {field: None}, f"spec.{field}: Required value")
    cases.access("an empty cluster name", {"cluster": ""}, "should be at least 1 chars long")
    cases.access("a cluster name of 64 characters", {"cluster": "a" * 64}, "may not be more than 63")
    _reject_subjects(cases)
    for account in (
        "", "orders", "Orders@acme-shop.iam.gserviceaccount.com", "jane@example.com", "*@a.iam.gserviceaccount.com",
        "a@gserviceaccount.com", "a@b.iam.gserviceaccount.com.evil.com", "a@b.iam.gserviceaccountXcom",
        "a@b.iam.gserviceaccount.com\n", "-a@b.iam.gserviceaccount.com", "a b@c.iam.gserviceaccount.com",
    ):  # fmt: skip
        cases.access(f"the subject {account!r}", {"subject": {"serviceAccount": account}}, _BAD_ACCOUNT)
    long = f"{'a' * 230}@b.iam.gserviceaccount.com"
    cases.access("a subject of 257 characters", {"subject": {"serviceAccount": long}}, "may not be more than 254")
    cases.access("neither grants nor clusterCan", {"grants": None}, _NOTHING)
    cases.access("empty grants", {"grants": []}, _NOTHING)
    cases.access("51 grants", {"grants": [READER | {"indices": [name]} for name in _numbered(51)]}, "at most 50 items")
    cases.access("a cluster privilege that changes security", {"clusterCan": ["manage_security"]}, "Unsupported value")
    cases.access("a cluster privilege twice", {"clusterCan": ["monitor", "monitor"]}, "Duplicate value")
    cases.access("seven cluster privileges", {"clusterCan": ["monitor"] * 7}, "at most 6 items")
    cases.access("an unknown mode", {"mode": "Report"}, 'supported values: "Enforce", "Observe"')
    cases.access("suspend as a word", {"suspend": "yes"}, "must be of type boolean")
    cases.access("an unknown deletionPolicy", {"deletionPolicy": "Keep"}, 'values: "Delete", "Orphan", "Disable"')


def _reject_grants(cases: _Cases) -> None:
    cases.access("a grant without indices", {"grants": [{"can": ["read"]}]}, "spec.grants[0].indices: Required value")
    cases.grant("a grant on no index", {"indices": []}, "should have at least 1 items")
    cases.grant("a grant on 51 indices", {"indices": _numbered(51)}, "at most 50 items")
    cases.grant("an index twice", {"indices": ["orders", "orders"]}, 'Duplicate value: "orders"')
    cases.grant("an empty index name", {"indices": [""]}, "should be at least 1 chars long")
    cases.grant("an index name of 256 characters", {"indices": ["a" * 256]}, "may not be more than 255")
    for pattern in ("Orders-*", "ordErs", "größe-Ä"):
        cases.grant(f"upper case in {pattern}", {"indices": [pattern]}, _UPPER)
    for char in '\\/"<>|,#: \t\n\x01':
        cases.grant(f"an index name with {char!r}", {"indices": [f"orders{char}archive"]}, _BAD_NAME)
    for char in "-_+":
        cases.grant(f"an index name that starts with {char}", {"indices": [f"{char}orders"]}, _BAD_START)
    for name in (".", ".."):
        cases.grant(f"an index named {name}", {"indices": [name]}, _DOTS)
    for regex in ("/", "//", "/orders-[0-9]+"):
        cases.grant(f"{regex} as a regular expression", {"indices": [regex]}, _BAD_REGEX)
    cases.grant("a grant that does not say what may be done", {"can": []}, "say what may be done: add can: [read]")
    cases.grant("an unknown action", {"can": ["search"]}, 'supported values: "read", "append", "write"')
    cases.grant("an action twice", {"can": ["read", "read"]}, 'Duplicate value: "read"')
    cases.grant("seven actions", {"can": ["read"] * 7}, "at most 6 items")
    for privilege in ("Read", "read write", "cluster:monitor/main", "indices:data/Read", "*", "read1"):
        cases.grant(f"the privilege {privilege}", {"privileges": [privilege]}, _BAD_PRIVILEGE)
    cases.grant("an empty privilege", {"privileges": [""]}, "should be at least 1 chars long")
    cases.grant("a privilege of 101 characters", {"privileges": ["a" * 101]}, "may not be more than 100")
    cases.grant("a privilege twice", {"privileges": ["read", "read"]}, 'Duplicate value: "read"')
    letters = [f"a{'b' * number}" for number in range(31)]
    cases.grant("31 privileges", {"privileges": letters}, "at most 30 items")
    cases.grant("fields without reading", _FIELDS | {"can": ["append"]}, "fields limits what can be read: add read")
    cases.grant("where without reading", _WHERE | {"can": ["write"]}, "where limits what can be read, not what can be")
    cases.grant("fields that include nothing", {"fields": {"include": []}}, "should have at least 1 items")
    for side in ("include", "exclude"):
        cases.grant(f"201 fields to {side}", {"fields": {side: _numbered(201)}}, "at most 200 items")
        cases.grant(f"an empty field to {side}", {"fields": {side: [""]}}, "should be at least 1 chars long")
        cases.grant(f"a field of 256 characters to {side}", {"fields": {side: ["a" * 256]}}, "not be more than 255")
    cases.grant("where without a query", {"where": {}}, "should have at least 1 properties")
    cases.grant("where with two queries", {"where": {"term": {"a": 1}, "match_all": {}}}, "must have at most 1 item")
    cases.grant("where as a text", {"where": '{"term": {}}'}, "must be of type object")


def _reject_connections(cases: _Cases) -> None:
    cases.cluster("no address at all", {"urls": None}, "say where the cluster is: urls, cloudId or eck")
    cases.cluster("no login", {"login": None}, "say how the operator logs in: login.secretRef or login.googleIdentity")
    two = "cloudId is the address already: remove urls and eck, or cloudId"
    cases.cluster("an address and a Cloud ID", {"cloudId": CLOUD_ID}, two)
    cases.cluster("a Cloud ID and ECK", {"urls": None, "cloudId": CLOUD_ID, "eck": ECK}, two)
    for bad in ("", "prod", "prod:", "prod:a b", "a:b:Yw=="):
        cases.cluster(f"the Cloud ID {bad!r}", {"urls": None, "cloudId": bad}, "write the Cloud ID as the deployment's")
    long = {"urls": None, "cloudId": "prod:".ljust(1001, "a")}
    cases.cluster("a Cloud ID of 1001 characters", long, "may not be more than 1000")
    for field, most in (("namespace", 63), ("name", 36)):
        rest = {key: value for key, value in ECK.items() if key != field}
        cases.cluster(f"ECK without a {field}", {"eck": rest}, f"spec.eck.{field}: Required value")
        cases.cluster(f"ECK with an empty {field}", {"eck": ECK | {field: ""}}, "should be at least 1 chars long")
        cases.cluster(f"ECK with too long a {field}", {"eck": ECK | {field: "a" * (most + 1)}}, f"more than {most}")
    one = "exactly one of inline, secretRef and configMapRef"
    cases.cluster("an empty ca", {"ca": {}}, one)
    cases.cluster("certificates in two places", {"ca": {"inline": CERTIFICATE, "secretRef": KEY}}, one)
    for place in ("secretRef", "configMapRef"):
        for field in ("namespace", "name"):
            rest = {key: value for key, value in KEY.items() if key != field}
            cases.cluster(f"certificates in a {place} without a {field}", {"ca": {place: rest}}, "Required value")
        for field, most in (("namespace", 63), ("name", 253), ("key", 253)):
            for text, says in (("", "should be at least 1 chars long"), ("a" * (most + 1), f"more than {most}")):
                case = f"certificates in a {place} with a {field} of {len(text)} characters"
                cases.cluster(case, {"ca": {place: KEY | {field: text}}}, says)


def _reject_logins(cases: _Cases) -> None:
    one = "exactly one of secretRef and googleIdentity"
    cases.cluster("a login by no way", {"login": {}}, one)
    cases.cluster("a login by two ways", {"login": _login("a", "b")["login"] | {"googleIdentity": {}}}, one)
    for field, most in (("namespace", 63), ("name", 253)):
        for text, says in ((None, "Required value"), ("", "at least 1 chars"), ("a" * (most + 1), f"more than {most}")):
            given: dict[str, str | None] = {**REALM_SECRET, field: text}
            reference = {key: value for key, value in given.items() if value is not None}
            own = {"login": {"googleIdentity": {"clientSecretRef": reference}}}
            cases.cluster(f"a client secret with a {field} of {len(text or '')} characters", own, says)
    for text, says in (("", "at least 1 chars"), ("a" * 501, "may not be more than 500")):
        identity = {"login": {"googleIdentity": {"audience": text}}}
        cases.cluster(f"an audience of {len(text)} characters for the login", identity, says)
    cases.cluster("a Secret without a namespace", {"login": {"secretRef": {"name": "a"}}}, "namespace: Required value")
    cases.cluster("a Secret without a name", {"login": {"secretRef": {"namespace": "a"}}}, "name: Required value")
    cases.cluster("an empty namespace of the Secret", _login("", "a"), "should be at least 1 chars long")
    cases.cluster("an empty name of the Secret", _login("a", ""), "should be at least 1 chars long")
    cases.cluster("a namespace of 64 characters", _login("a" * 64, "a"), "may not be more than 63")
    cases.cluster("a Secret's name of 254 characters", _login("a", "a" * 254), "may not be more than 253")


def _reject_identities(cases: _Cases) -> None:
    cases.cluster("an unknown claim as principal", _realm(principal="azp"), 'supported values: "email", "sub"')
    for field, text in (("refreshEvery", "29s"), ("refreshEvery", "25h"), ("gracePeriod", "721h")):
        identity = _realm()["identity"] | {"cloudRun": {field: text}}
        says = (
            "write a duration between 30s and 24h"
            if field == "refreshEvery"
            else "write a duration between 0s and 720h"
        )
        cases.cluster(f"{field} of {text}", {"identity": identity}, says)
    for field in ("refreshEvery", "gracePeriod"):
        for text, says in (("soon", "write a duration between"), ("1s" * 11, "may not be more than 20")):
            identity = _realm()["identity"] | {"cloudRun": {field: text}}
            cases.cluster(f"{field} of {text}", {"identity": identity}, says)


def _reject_clusters(cases: _Cases) -> None:
    _reject_connections(cases)
    cases.cluster("a name of 64 characters", {}, "give it a name of at most 63 characters", name="a" * 64)
    cases.cluster("identity must be there", {"identity": None}, "spec.identity: Required value")
    cases.cluster("no address", {"urls": []}, "should have at least 1 items")
    cases.cluster("eleven addresses", {"urls": [f"https://es{n}:9200" for n in range(11)]}, "at most 10 items")
    cases.cluster("an address of 501 characters", {"urls": ["https://".ljust(501, "a")]}, "may not be more than 500")
    for url in ("http://es:9200", "es:9200", "HTTPS://es:9200"):
        cases.cluster(f"the address {url}", {"urls": [url]}, _PLAIN_URL)
    for url in ("https://", "https://:9200", "https://u:p@es:9200", "https://es?x=y", "https://es#x", "https://e s"):
        cases.cluster(f"the address {url}", {"urls": [url]}, _BAD_URL)
    cases.cluster("a file name as ca", {"ca": {"inline": "/etc/ca.crt"}}, "write certificates in PEM form")
    key = f"{CERTIFICATE}-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----\n"
    cases.cluster("a private key in ca", {"ca": {"inline": key}}, "a private key does not belong here")
    big = {"ca": {"inline": CERTIFICATE.ljust(65537, "\n")}}
    cases.cluster("a ca of more than 64 KiB", big, "may not be more than 65536")
    _reject_logins(cases)
    cases.cluster("no way to check identity", {"identity": {}}, "spec.identity.jwtRealm: Required value")
    cases.cluster("a realm without a name", {"identity": {"jwtRealm": {"audience": "a"}}}, "name: Required value")
    cases.cluster("a realm without audience", {"identity": {"jwtRealm": {"name": "a"}}}, "audience: Required value")
    for name in ("", "xpack.security.authc.realms.jwt.google", "goo gle"):
        cases.cluster(f"the realm {name!r}", _realm(name=name), _REALM_NAME)
    cases.cluster("a realm of 101 characters", _realm(name="a" * 101), "may not be more than 100")
    cases.cluster("an unknown client authentication", _realm(clientAuthentication="shared_secret"), "Unsupported value")
    _reject_identities(cases)
    for field in ("audience", "issuer"):
        cases.cluster(f"an empty {field}", _realm(**{field: ""}), "should be at least 1 chars long")
        cases.cluster(f"{field} of 501 characters", _realm(**{field: "a" * 501}), "may not be more than 500")
    cases.cluster("an unknown mapping", {"mapping": "Template"}, 'supported values: "RoleTemplate", "PerPrincipal"')
    for duration in ("", "2", "1d", "-2s", "2 s", "499ms", "0s", "61m", "1h1ms", "9999999h", "s"):
        cases.cluster(f"probeEvery {duration!r}", {"drift": {"probeEvery": duration}}, _PROBE)
    for duration in ("", "5", "7d", "4s", "4999ms", "24h1s", "9999999h"):
        cases.cluster(f"sweepEvery {duration!r}", {"drift": {"sweepEvery": duration}}, _SWEEP)
    for field in ("probeEvery", "sweepEvery"):
        cases.cluster(f"{field} of 21 characters", {"drift": {field: f"{'1s' * 10}1"}}, "may not be more than 20")


def accepted() -> list[Case]:
    """What must be taken: the usual, and everything at its limit."""
    cases = _Cases()
    for account in (
        "orders@acme-shop.iam.gserviceaccount.com", "123456-compute@developer.gserviceaccount.com",
        "acme-shop@appspot.gserviceaccount.com", "a@acme.com.shop.iam.gserviceaccount.com",
        f"{'a' * 226}@b.iam.gserviceaccount.com",
    ):  # fmt: skip
        cases.access(f"the subject {account}", {"subject": {"serviceAccount": account}})
    for pattern in (
        "orders", "orders-*", "*", "orders-2026.11.23", ".kibana", "größe", "log?", "a" * 255, "<orders-{now/d}>"[1:7],
        "/Orders-[0-9]+/", "/a/", "/a:b#c/",
    ):  # fmt: skip
        cases.grant(f"the index {pattern}", {"indices": [pattern]})
    for privilege in ("read", "view_index_metadata", "indices:data/read/search*", "indices:data/write/bulk[s]"):
        cases.grant(f"the privilege {privilege} alone", {"can": [], "privileges": [privilege]})
    cases.grant("every action", {"can": ["read", "append", "write", "delete", "monitor", "manage"]})
    cases.grant("fields and where for a reader", _FIELDS | _WHERE)
    cases.grant("fields and where with raw privileges", _FIELDS | _WHERE | {"can": [], "privileges": ["read"]})
    deep = {
        "bool": {"filter": [{"term": {"a": 1}}, {"range": {"b": {"gte": 1.5}}}], "must_not": {"exists": {"field": "c"}}}
    }
    cases.grant("where with a nested query", {"where": deep})
    cases.access("cluster privileges without grants", {"grants": None, "clusterCan": ["monitor"]})
    cases.access(
        "the same restriction on two grants on the same indices", {"grants": [READER | _WHERE, READER | _WHERE]}
    )
    cases.access("a restriction on one of two grants on the same indices",
                 {"grants": [READER | _WHERE, READER | {"can": ["delete"]}]})  # fmt: skip
    cases.access("everything set", {
        "clusterCan": ["monitor"], "mode": "Observe", "suspend": True, "deletionPolicy": "Disable", "cluster": "a" * 63,
    })  # fmt: skip
    wide = READER | {"privileges": [f"a{'b' * number}" for number in range(30)]}
    halves = [
        wide | (_WHERE if number % 2 else {}) | {"indices": _numbered(50, 255, f"orders-{number}-")}
        for number in range(50)
    ]
    cases.access("50 grants on 50 indices of 255 characters, half of them restricted", {"grants": halves})
    full = {"include": _numbered(200, 255), "exclude": _numbered(200, 255)}
    cases.grant("200 fields of 255 characters in and out", {"fields": full})

    for url in ("https://es", "https://es:9200", "https://10.0.0.1:9200/path", "https://[::1]:9200"):
        cases.cluster(f"the address {url}", {"urls": [url]})
    cases.cluster("two certificates as ca", {"ca": {"inline": CERTIFICATE * 2}})
    for place in ("secretRef", "configMapRef"):
        cases.cluster(f"certificates in a {place}", {"ca": {place: KEY}})
    cases.cluster("certificates under another key", {"ca": {"secretRef": KEY | {"key": "a" * 253}}})
    cases.cluster("a Cloud ID", {"urls": None, "cloudId": CLOUD_ID})
    cases.cluster("a Cloud ID without a name", {"urls": None, "cloudId": f":{'a' * 999}"})
    cases.cluster("the operator's own identity", {"login": {"googleIdentity": {}}})
    cases.cluster(
        "principals by sub, followed closely",
        {"identity": _realm(principal="sub")["identity"] | {"cloudRun": {"refreshEvery": "30s", "gracePeriod": "0s"}}},
    )
    cases.cluster(
        "a realm with a shared client secret",
        _realm(clientAuthentication="SharedSecret") | {"login": {"googleIdentity": {"clientSecretRef": REALM_SECRET}}},
    )
    cases.cluster("the same for an audience", {"login": {"googleIdentity": {"audience": "a" * 500}}})
    cases.cluster("ECK alone", {"urls": None, "login": None, "eck": ECK})
    cases.cluster("ECK with another address and login", {"eck": {"namespace": "a" * 63, "name": "a" * 36}})
    cases.cluster("one role mapping for each principal", {"mapping": "PerPrincipal"})
    for least, most in (("500ms", "5s"), ("1h", "24h"), ("1.5s", "1h30m"), ("3600s", "1440m")):
        drift = {"probeEvery": least, "sweepEvery": most}
        cases.cluster(f"probeEvery {least} and sweepEvery {most}", {"drift": drift})
    cases.cluster("another issuer", _realm(issuer="https://issuer.example.com", name="Goo_gle-1"))
    cases.cluster("a name of 63 characters", {}, name="a" * 63)
    urls = [f"https://es{number}".ljust(500, "a") for number in range(10)]
    cases.cluster("ten addresses of 500 characters and a ca of 64 KiB",
                  {"urls": urls, "ca": {"inline": CERTIFICATE.ljust(65536, "\n")}})  # fmt: skip
    return cases
