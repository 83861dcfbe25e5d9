"""What the API server takes and refuses of a gateway, as sentences."""

from typing import Any

from tests.integration.kinds.cases.common import Cases
from tests.integration.kinds.cases.reference import CERTIFICATE, KEY, reject_certificates

ONE_VERIFIER = "set exactly one of jwtRealm and gateway"
IAP = {"audience": "/projects/1/global/backendServices/2"}


def _gateway(**changes: Any) -> dict[str, Any]:
    gateway = {"audience": "https://es.example.com", "url": "https://es.example.com", "namespace": "search"} | changes
    return {"identity": {"gateway": {key: value for key, value in gateway.items() if value is not None}}}


def reject_gateways(cases: Cases) -> None:
    both = {"identity": _gateway()["identity"] | {"jwtRealm": {"name": "google", "audience": "https://es.example.com"}}}
    cases.cluster("a realm and a gateway", both, ONE_VERIFIER)
    for field in ("audience", "url", "namespace"):
        cases.cluster(f"a gateway without {field}", _gateway(**{field: None}), f"gateway.{field}: Required value")
    reject_certificates(cases, " of a gateway", lambda ca: _gateway(ca=ca))
    reject_certificates(cases, " of keys", lambda ca: _gateway(jwks={"url": "https://es", "ca": ca}))
    cases.cluster("keys nowhere", _gateway(jwks={}), "url: Required value")
    cases.cluster("IAP without audience", _gateway(iap={}), "audience: Required value")
    for field in ("audience", "issuer"):
        cases.cluster(f"an empty {field} of a gateway", _gateway(**{field: ""}), "should be at least 1 chars long")
        cases.cluster(f"a long {field} of a gateway", _gateway(**{field: "a" * 501}), "may not be more than 500")
    long = f"https://{'a' * 493}"
    cases.cluster("a long address of a gateway", _gateway(url=long), "may not be more than 500")
    cases.cluster("a long address of keys", _gateway(jwks={"url": long}), "may not be more than 500")
    cases.cluster("a long name of a gateway", _gateway(name="a" * 41), "may not be more than 40")
    cases.cluster("a long namespace of a gateway", _gateway(namespace="a" * 64), "may not be more than 63")
    cases.cluster("a long size", _gateway(limits={"maxBody": "1000000Mi"}), "may not be more than 8")
    for field in ("requestsPerSecond", "burst"):
        cases.cluster(f"{field} of 0", _gateway(limits={field: 0}), "greater than or equal to 1")
        cases.cluster(f"a high {field}", _gateway(limits={field: 100_001}), "less than or equal to 100000")
    cases.cluster("a long audience of IAP", _gateway(iap={"audience": "a" * 301}), "may not be more than 300")
    many = IAP | {"allowPeople": [f"a{number}@b.c" for number in range(21)]}
    cases.cluster("21 people", _gateway(iap=many), "must have at most 20 item")
    cases.cluster("a long person", _gateway(iap=IAP | {"allowPeople": ["a" * 321]}), "may not be more than 320")
    for url in ("", "http://es", "https://", "https://u:p@es", "https://es?x=y", "es:9200"):
        cases.cluster(f"a gateway at {url!r}", _gateway(url=url), "write https://host, without user or query")
        cases.cluster(f"keys at {url!r}", _gateway(jwks={"url": url}), "write https://host, without user or query")
    for name in ("", "a/b", "A", "a.b", "-a"):
        cases.cluster(f"a gateway named {name!r}", _gateway(name=name), "write a DNS label")
        cases.cluster(f"a gateway in {name!r}", _gateway(namespace=name), "write a DNS label")
    for text in ("59m", "8761h", "soon"):
        rotation = _gateway(rotateEvery=text)
        cases.cluster(f"a login rotated every {text}", rotation, "write a duration between 1h and 8760h, such as 720h")
    cases.cluster("a long time between rotations", _gateway(rotateEvery="1h" * 11), "may not be more than 20")
    cases.cluster("another issuer without its keys", _gateway(issuer="https://a.example"), "set jwks.url")
    for number in (0, 101):
        cases.cluster(f"a gateway of {number} replicas", _gateway(replicas=number), "should be")
    for size in ("", "0", "1", "1Ti", "1.5Gi", "0Mi", "-1Mi"):
        cases.cluster(f"bodies of {size!r}", _gateway(limits={"maxBody": size}), "write a size such as 512Ki")
    cases.cluster("an audience of IAP", _gateway(iap={"audience": "https://es"}), "write the audience of its signed")
    for person in ("", "a", "*@*", "*@*.com", "*", "a@b@c", "/.*/@a.com", "a b@c.com"):
        iap = IAP | {"allowPeople": [person]}
        cases.cluster(f"people as {person!r}", _gateway(iap=iap), "the domain has no wildcards")
    cases.cluster(
        "a mapping each", _gateway() | {"mapping": "PerPrincipal"}, "a gateway's callers need no role mapping"
    )
    identity: dict[str, Any] = {"login": {"googleIdentity": {}}}
    cases.cluster("an identity without realm", _gateway() | identity, "login.googleIdentity needs identity.jwtRealm")


def accept_gateways(cases: Cases) -> None:
    cases.cluster("a gateway", _gateway())
    cases.cluster("a gateway with its mapping as the API server writes it", _gateway() | {"mapping": "RoleTemplate"})
    limits = {"requestsPerSecond": 100_000, "burst": 1, "maxBody": "999999Gi"}
    people = {"audience": "/projects/1/locations/eu/services/a", "allowPeople": ["*@example.com", "a.b+c@d.example"]}
    whole = _gateway(
        issuer="https://a.example", jwks={"url": "https://a.example/keys", "ca": {"inline": CERTIFICATE}},
        ca={"secretRef": KEY}, name="a" * 40, replicas=100, limits=limits, iap=people, rotateEvery="1h",
    )  # fmt: skip
    cases.cluster("a gateway with all that it can have", whole)
