"""What the API server takes and refuses of a SearchCluster, as sentences."""

from collections.abc import Callable
from typing import Any

from tests.integration.kinds.cases.common import Cases, numbered
from tests.integration.kinds.cases.gateway import ONE_VERIFIER, accept_gateways, reject_gateways
from tests.integration.kinds.cases.reference import CERTIFICATE, KEY, reject_certificates, reject_reference

CLOUD_ID = "prod:ZXVyb3BlLXdlc3QxLmdjcC5jbG91ZC5lcy5pbyRhYmMkZGVm"
ECK = {"namespace": "logging", "name": "quickstart"}
REALM_SECRET = {"namespace": "searchaccess-system", "name": "realm"}

_PLAIN_URL = "use https://: over plain http, everybody on the network path can read the token"
_BAD_URL = "write https://host:port, without user, password or query"
_PROBE = "write a duration between 500ms and 1h, such as 2s"
_AUDIT_EVERY = "write a duration between 10m and 24h, such as 1h"
_AUDIT_INDEX = "write one index, data stream or pattern of this cluster, such as logs-elasticsearch.audit-*"
_SWEEP = "write a duration between 5s and 24h, such as 5m"
_REALM_NAME = "write the realm's name alone: google for xpack.security.authc.realms.jwt.google"


def _realm(**changes: str) -> dict[str, Any]:
    return {"identity": {"jwtRealm": {"name": "google", "audience": "https://es.example.com"} | changes}}


def _login(namespace: str, name: str) -> dict[str, Any]:
    return {"login": {"secretRef": {"namespace": namespace, "name": name}}}


def _reject_connections(cases: Cases) -> None:
    cases.cluster("no address at all", {"urls": None}, "set the address of the cluster: urls, cloudId or eck")
    cases.cluster("no login", {"login": None}, "set login.secretRef or login.googleIdentity")
    two = "cloudId already sets the address: remove urls and eck, or cloudId"
    cases.cluster("an address and a Cloud ID", {"cloudId": CLOUD_ID}, two)
    cases.cluster("a Cloud ID and ECK", {"urls": None, "cloudId": CLOUD_ID, "eck": ECK}, two)
    for bad in ("", "prod", "prod:", "prod:a b", "a:b:Yw=="):
        cases.cluster(
            f"the Cloud ID {bad!r}", {"urls": None, "cloudId": bad}, "copy the Cloud ID from the deployment's"
        )
    long = {"urls": None, "cloudId": "prod:".ljust(1001, "a")}
    cases.cluster("a Cloud ID of 1001 characters", long, "may not be more than 1000")
    for field, most in (("namespace", 63), ("name", 36)):
        rest = {key: value for key, value in ECK.items() if key != field}
        cases.cluster(f"ECK without a {field}", {"eck": rest}, f"spec.eck.{field}: Required value")
        cases.cluster(f"ECK with an empty {field}", {"eck": ECK | {field: ""}}, "should be at least 1 chars long")
        cases.cluster(f"ECK with too long a {field}", {"eck": ECK | {field: "a" * (most + 1)}}, f"more than {most}")
    reject_certificates(cases, "", lambda ca: {"ca": ca})


def _reject_logins(cases: Cases) -> None:
    one = "exactly one of secretRef and googleIdentity"
    cases.cluster("a login by no way", {"login": {}}, one)
    cases.cluster("a login by two ways", {"login": _login("a", "b")["login"] | {"googleIdentity": {}}}, one)
    reject_reference(
        cases, "a client secret", lambda secret: {"login": {"googleIdentity": {"clientSecretRef": secret}}}
    )
    reject_reference(cases, "a login", lambda secret: {"login": {"secretRef": secret}})
    for text, says in (("", "at least 1 chars"), ("a" * 501, "may not be more than 500")):
        identity = {"login": {"googleIdentity": {"audience": text}}}
        cases.cluster(f"an audience of {len(text)} characters for the login", identity, says)


def _namespaces(**changes: Any) -> dict[str, Any]:
    return {"allowedNamespaces": changes}


def _adopting(**changes: Any) -> dict[str, Any]:
    return {"adoption": {"namespaces": changes}}


def _labels(**changes: Any) -> dict[str, Any]:
    requirement = {"key": "team", "operator": "In", "values": ["shop"]} | changes
    return {"matchExpressions": [{key: value for key, value in requirement.items() if value is not None}]}


def _reject_namespaces(cases: Cases, what: str, namespaces: Callable[..., dict[str, Any]]) -> None:
    cases.cluster(f"{what}: allowed namespaces that name none", namespaces(), "set names, selector or both")
    cases.cluster(f"{what}: no namespace", namespaces(names=[]), "should have at least 1 items")
    cases.cluster(f"{what}: 201 namespaces", namespaces(names=numbered(201)), "must have at most 200 items")
    cases.cluster(f"{what}: a namespace twice", namespaces(names=["shop", "shop"]), "Duplicate value")
    for text, says in (("", "should be at least 1 chars long"), ("a" * 64, "may not be more than 63")):
        cases.cluster(f"{what}: a namespace of {len(text)} characters", namespaces(names=[text]), says)
    empty: tuple[dict[str, Any], ...] = ({}, {"matchLabels": {}}, {"matchExpressions": []})
    for selector in empty:
        cases.cluster(
            f"{what}: the selector {selector}", namespaces(selector=selector), "an empty selector would allow every"
        )
    labels = dict.fromkeys(numbered(21), "x")
    cases.cluster(f"{what}: 21 labels", namespaces(selector={"matchLabels": labels}), "must have at most 20 items")
    long = {"matchLabels": {"team": "a" * 64}}
    cases.cluster(f"{what}: a label of 64 characters", namespaces(selector=long), "may not be more than 63")
    many = {"matchExpressions": [{"key": name, "operator": "Exists"} for name in numbered(21)]}
    cases.cluster(f"{what}: 21 requirements", namespaces(selector=many), "must have at most 20 items")
    for field in ("key", "operator"):
        cases.cluster(
            f"{what}: a requirement without {field}",
            namespaces(selector=_labels(**{field: None})),
            f"{field}: Required value",
        )
    for text, says in (("", "should be at least 1 chars long"), ("a" * 318, "may not be more than 317")):
        cases.cluster(f"{what}: a label's key of {len(text)} characters", namespaces(selector=_labels(key=text)), says)
    cases.cluster(f"{what}: an unknown operator", namespaces(selector=_labels(operator="Equals")), "Unsupported value")
    needs = "In and NotIn need values; Exists and DoesNotExist take none"
    for changes in ({"values": None}, {"operator": "NotIn", "values": []}, {"operator": "Exists"},
                    {"operator": "DoesNotExist"}):  # fmt: skip
        cases.cluster(f"{what}: the requirement {changes}", namespaces(selector=_labels(**changes)), needs)
    cases.cluster(f"{what}: 51 values", namespaces(selector=_labels(values=numbered(51))), "must have at most 50 items")
    cases.cluster(
        f"{what}: a value of 64 characters", namespaces(selector=_labels(values=["a" * 64])), "may not be more than 63"
    )


def _adopt(*objects: dict[str, Any]) -> dict[str, Any]:
    return {"adoption": {"objects": list(objects)}}


def _reject_ownership(cases: Cases) -> None:
    hash_, one = "0123456789abcdef", {"name": "searchaccess.default.a@b", "hash": "0123456789abcdef"}
    for text in ("", hash_[1:], hash_.upper(), "x" * 16):
        cases.cluster(
            f"the hash {text!r}", _adopt(one | {"hash": text}), "copy the hash from the message of the conflict"
        )
    cases.cluster("a hash of 17 characters", _adopt(one | {"hash": hash_ + "0"}), "may not be more than 16")
    for field in ("name", "hash"):
        rest = {key: value for key, value in one.items() if key != field}
        cases.cluster(f"an adoption without a {field}", _adopt(rest), f"{field}: Required value")
    cases.cluster("an adoption of no name", _adopt(one | {"name": ""}), "at least 1 chars long")
    cases.cluster("an adoption of a long name", _adopt(one | {"name": "a" * 508}), "may not be more than 507")
    cases.cluster("two adoptions of one name", _adopt(one, one), "Duplicate value")
    many = [one | {"name": name} for name in numbered(101)]
    cases.cluster("101 adoptions", _adopt(*many), "must have at most 100 items")
    former = {"controller": "5a0c3b1e-7d0f-4a52-9f0e-0a4f6d1f8c11"}
    cases.cluster("a takeover of nobody", {"takeOver": [{"instance": "blue"}]}, "controller: Required value")
    for text in ("", "-a", "a b", "a/b"):
        cases.cluster(f"the controller {text!r}", {"takeOver": [{"controller": text}]}, "copy the id of the controller")
    for text in ("", "Blue", "a.b"):
        instance = {"takeOver": [former | {"instance": text}]}
        cases.cluster(f"the instance {text!r}", instance, "copy the name of the instance")
    for wish in ("revoke", "Delete", ""):
        cases.cluster(f"credentials {wish!r}", {"takeOver": [former | {"credentials": wish}]}, "supported values")
    long = {"takeOver": [former | {"controller": "a" * 129}]}
    cases.cluster("a controller of 129 characters", long, "may not be more than 128")
    long = {"takeOver": [former | {"instance": "a" * 101}]}
    cases.cluster("an instance of 101 characters", long, "may not be more than 100")
    cases.cluster("eleven takeovers", {"takeOver": [former] * 11}, "must have at most 10 items")


def _reject_identities(cases: Cases) -> None:
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


def _revoke(*selectors: dict[str, Any]) -> dict[str, Any]:
    return {"orphans": {"revoke": list(selectors)}}


def _reject_orphans(cases: Cases) -> None:
    one = "set exactly one of namespace (with or without name) and role"
    for selector in ({}, {"name": "a"}, {"namespace": "shop", "role": "r"}, {"name": "a", "role": "r"}):
        cases.cluster(f"the released rights {selector}", _revoke(selector), one)
    cases.cluster("101 released rights", _revoke(*({"namespace": name} for name in numbered(101))), "at most 100 items")
    for field, most in (("namespace", 63), ("name", 253), ("role", 1024)):
        more = {"namespace": "shop"} if field == "name" else {}
        cases.cluster(f"released rights of no {field}", _revoke(more | {field: ""}), "should be at least 1 chars long")
        long = _revoke(more | {field: "a" * (most + 1)})
        cases.cluster(f"released rights of too long a {field}", long, f"may not be more than {most}")


def _reject_audit(cases: Cases) -> None:
    cases.cluster("audit events nowhere", {"audit": {}}, "spec.audit.index: Required value")
    for index in ("*", "-audit", "a,b", "eu:audit", "<audit-{now}>", "Audit", "a b", "audit/_doc", ".", ".."):
        cases.cluster(f"audit events in {index!r}", {"audit": {"index": index}}, _AUDIT_INDEX)
    cases.cluster("audit events in no index", {"audit": {"index": ""}}, "should be at least 1 chars long")
    cases.cluster("an index of 256 characters", {"audit": {"index": "a" * 256}}, "may not be more than 255")
    for every in ("9m59s", "25h", "1d", "soon"):
        cases.cluster(f"audit every {every!r}", {"audit": {"index": "audit", "every": every}}, _AUDIT_EVERY)
    long = {"audit": {"index": "audit", "every": f"{'1h' * 10}1"}}
    cases.cluster("audit every of 21 characters", long, "may not be more than 20")


def reject_clusters(cases: Cases) -> None:
    """Add every CEL rule and every limit of the schema, broken."""
    _reject_connections(cases)
    _reject_audit(cases)
    cases.cluster("a name of 64 characters", {}, "use at most 63 characters", name="a" * 64)
    cases.cluster("identity must be there", {"identity": None}, "spec.identity: Required value")
    cases.cluster("no address", {"urls": []}, "should have at least 1 items")
    cases.cluster("eleven addresses", {"urls": [f"https://es{n}:9200" for n in range(11)]}, "at most 10 items")
    cases.cluster("an address of 501 characters", {"urls": ["https://".ljust(501, "a")]}, "may not be more than 500")
    cases.cluster("plain http", {"urls": ["https://es:9200", "http://es:9200"]}, _PLAIN_URL)
    other = {"urls": ["http://es:9200"], "allowExposure": ["PublicAddress", "InsecureSkipVerify"]}
    cases.cluster("plain http where something else is allowed", other, _PLAIN_URL)
    both = {"ca": {"inline": CERTIFICATE}, "allowExposure": ["InsecureSkipVerify"]}
    cases.cluster("certificates that are not verified", both, "no certificate is verified: remove ca")
    cases.cluster("an unknown exposure", {"allowExposure": ["Everything"]}, "Unsupported value")
    cases.cluster("an exposure twice", {"allowExposure": ["PlainHttp"] * 2}, "Duplicate value")
    cases.cluster("four exposures", {"allowExposure": ["PlainHttp"] * 4}, "at most 3 items")
    for url in (
        "es:9200",
        "HTTPS://es:9200",
        "ftp://es",
        "http://",
        "https://",
        "https://:9200",
        "https://u:p@es:9200",
        "https://es?x=y",
        "https://es#x",
        "https://e s",
    ):
        cases.cluster(f"the address {url}", {"urls": [url]}, _BAD_URL)
    _reject_logins(cases)
    cases.cluster("no way to check identity", {"identity": {}}, ONE_VERIFIER)
    cases.cluster("a realm without a name", {"identity": {"jwtRealm": {"audience": "a"}}}, "name: Required value")
    cases.cluster("a realm without audience", {"identity": {"jwtRealm": {"name": "a"}}}, "audience: Required value")
    for name in ("", "xpack.security.authc.realms.jwt.google", "goo gle"):
        cases.cluster(f"the realm {name!r}", _realm(name=name), _REALM_NAME)
    cases.cluster("a realm of 101 characters", _realm(name="a" * 101), "may not be more than 100")
    cases.cluster("an unknown client authentication", _realm(clientAuthentication="shared_secret"), "Unsupported value")
    _reject_identities(cases)
    reject_gateways(cases)
    _reject_namespaces(cases, "allowed", _namespaces)
    _reject_namespaces(cases, "adopting", _adopting)
    _reject_orphans(cases)
    _reject_ownership(cases)
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


def accept_clusters(cases: Cases) -> None:
    """Add what must be taken: the usual, and everything at its limit."""
    for index in ("audit", "logs-elasticsearch.audit-*", ".ds-audit_1", "a" * 255):
        cases.cluster(f"audit events in {index[:40]}", {"audit": {"index": index, "every": "10m"}})
    cases.cluster("audit once a day", {"audit": {"index": "audit", "every": "24h"}})
    for url in ("https://es", "https://es:9200", "https://10.0.0.1:9200/path", "https://[::1]:9200"):
        cases.cluster(f"the address {url}", {"urls": [url]})
    every = {"urls": ["http://es", "https://es"], "allowExposure": ["PublicAddress", "PlainHttp", "InsecureSkipVerify"]}
    cases.cluster("every exposure allowed", every)
    cases.cluster("two certificates as ca", {"ca": {"inline": CERTIFICATE * 2}})
    for place in ("secretRef", "configMapRef"):
        cases.cluster(f"certificates in a {place}", {"ca": {place: KEY}})
    cases.cluster("certificates under another key", {"ca": {"secretRef": KEY | {"key": "a" * 253}}})
    cases.cluster("rights that may stay", {"orphans": {"allowed": True}})
    named = ({"namespace": "a" * 63}, {"namespace": "shop", "name": "a" * 253}, {"role": "a" * 1024})
    cases.cluster("released rights, by each way", _revoke(*named))
    cases.cluster("100 released rights", _revoke(*({"namespace": name} for name in numbered(100))))
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
    cases.cluster("200 namespaces by name", _namespaces(names=numbered(200, 63)))
    names = [{"key": name.ljust(317, "x"), "operator": "NotIn", "values": numbered(50, 63)} for name in numbered(19)]
    selector = {
        "matchLabels": dict.fromkeys(numbered(20), "x" * 63),
        "matchExpressions": [*names, {"key": "team", "operator": "Exists"}],
    }
    cases.cluster("namespaces by many labels", _namespaces(selector=selector))
    cases.cluster("namespaces by name and label", _namespaces(names=["shop"], selector={"matchLabels": {"team": ""}}))
    cases.cluster("a namespace that may adopt", _adopting(names=["shop"]))
    cases.cluster("100 adoptions", _adopt(*({"name": name, "hash": "0" * 16} for name in numbered(100, 507))))
    cases.cluster("ten takeovers", {"takeOver": [{"controller": "a" * 128, "instance": "-".ljust(100, "0")}] * 10})
    accept_gateways(cases)
    cases.cluster("one role mapping for each principal", {"mapping": "PerPrincipal"})
    for least, most in (("500ms", "5s"), ("1h", "24h"), ("1.5s", "1h30m"), ("3600s", "1440m")):
        drift = {"probeEvery": least, "sweepEvery": most}
        cases.cluster(f"probeEvery {least} and sweepEvery {most}", {"drift": drift})
    cases.cluster("another issuer", _realm(issuer="https://issuer.example.com", name="Goo_gle-1"))
    cases.cluster("a name of 63 characters", {}, name="a" * 63)
    urls = [f"https://es{number}".ljust(500, "a") for number in range(10)]
    cases.cluster("ten addresses of 500 characters and a ca of 64 KiB",
                  {"urls": urls, "ca": {"inline": CERTIFICATE.ljust(65536, "\n")}})  # fmt: skip
