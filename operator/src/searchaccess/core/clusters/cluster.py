"""What the operator found out about an Elasticsearch cluster, and what that allows."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from searchaccess.api.clusters.audit import Audit
from searchaccess.api.clusters.gateway import AUDIENCE_PATTERN, BODY_PATTERN, LABEL_PATTERN, PERSON_PATTERN, Gateway
from searchaccess.api.clusters.namespaces import AllowedNamespaces
from searchaccess.api.clusters.orphans import Orphans
from searchaccess.api.clusters.ownership import TakeOver
from searchaccess.api.conditions.reasons import Reason
from searchaccess.api.constants import (
    ANNOTATION_ACCEPT_UUID,
    ANNOTATION_ADOPT,
    ANNOTATION_RECONCILE,
    ANNOTATION_ROTATE,
    FINALIZER,
)
from searchaccess.api.googlecloud import LOCATION_PATTERN
from searchaccess.api.searchcluster import SearchClusterSpec, Unmatched
from searchaccess.core.clusters.realm import Mismatch, RealmFindings, WantedRealm, explain, place_of
from searchaccess.core.clusters.sources import NO_CERTIFICATE, holds_certificates
from searchaccess.core.model.intake.metadata import NAME_LIMIT, bounded_text, last_applied, metadata_of
from searchaccess.core.model.intake.validation import MESSAGE_LIMIT, validated
from searchaccess.core.policy.callers import Limit
from searchaccess.core.policy.decision import Gate

PROBLEM: Final = "problem"
"""Field of an object that is not from the API server: why it must not be reconciled. A CRD has no such field."""
OLDEST: Final = (8, 15)
"""First version with the bulk role API."""

_NO_UUID: Final = frozenset({"", "_na_"})
"""What Elasticsearch answers before the cluster has formed."""

_HTTPS: Final = r"https://[^/@?#\s]+(/[^@?#\s]*)?"
_HOST: Final = re.compile(r"https?://[^/@?#\s]+(/[^@?#\s]*)?")

_FIELD_SECURITY: Final = frozenset({"platinum", "enterprise", "trial"})
"""Licenses with document- and field-level security and the JWT realm. https://www.elastic.co/subscriptions"""
EXPIRED: Final = "expired"
"""Stands for the type of a license that is not active."""
_REMOTE_CLUSTERS: Final = frozenset({"enterprise", "trial"})
"""Licenses with rights on remote clusters that have an API key."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """A SearchCluster, as the loop uses it."""

    uid: str
    name: str
    generation: int
    resource_version: str
    created_at: str
    spec: SearchClusterSpec | None
    """None: it cannot be read, see ``invalid`` and ``fault``."""
    invalid: str
    deleted_at: str
    finalizers: tuple[str, ...]
    adopt: str
    accept_uuid: str
    reconcile_requested: str
    fault: str = ""
    """The unexpected internal error when this version was read; empty: none."""
    rotate_requested: str = ""
    """The newest request to replace the gateway's login."""

    @property
    def has_finalizer(self) -> bool:
        """Whether our finalizer is in place."""
        return FINALIZER in self.finalizers

    @property
    def wanted_realm(self) -> WantedRealm | None:
        """The declared realm; None: a gateway verifies callers' tokens instead, or the spec cannot be read."""
        realm = self.spec.identity.jwt_realm if self.spec else None
        if realm is None:
            return None
        return WantedRealm(realm.name, realm.audience, realm.issuer, realm.principal, realm.client_authentication)

    @property
    def gateway(self) -> Gateway | None:
        """The declared gateway; None: a realm verifies callers' tokens instead, or the spec cannot be read."""
        return self.spec.identity.gateway if self.spec else None

    @property
    def audit(self) -> Audit | None:
        """Where the audit events are; None: none are declared."""
        return self.spec.audit if self.spec else None

    @property
    def allowed_namespaces(self) -> AllowedNamespaces | None:
        """Namespaces whose SearchAccesses may refer to it; None: all."""
        return self.spec.allowed_namespaces if self.spec else None

    @property
    def wants_policies(self) -> bool:
        """Whether it refuses SearchAccesses to which no SearchAccessPolicy applies."""
        policies = self.spec.policies if self.spec else None
        return policies is not None and policies.unmatched is Unmatched.DENY

    @property
    def orphans(self) -> Orphans:
        """What it declares about rights that stay when their SearchAccess is deleted."""
        return (self.spec.orphans if self.spec else None) or Orphans()

    @property
    def taken_over(self) -> Sequence[TakeOver]:
        """The former installations of the operator that it declares."""
        return (self.spec.take_over if self.spec else None) or ()

    @property
    def adopting_namespaces(self) -> AllowedNamespaces | None:
        """Namespaces whose SearchAccesses may have the role of their own principal adopted; None: none."""
        return self.spec.adoption.namespaces if self.spec and self.spec.adoption else None

    @property
    def eck(self) -> str:
        """``namespace/name`` of ECK's Elasticsearch resource; empty: ECK does not manage it."""
        eck = self.spec.eck if self.spec else None
        return f"{eck.namespace}/{eck.name}" if eck else ""


def _problems(spec: SearchClusterSpec) -> str:
    """Return what is wrong although the model accepts it: repeats those CEL rules of the CRD that matter for safety."""
    for url in spec.urls or ():
        if not _HOST.fullmatch(url):
            return "spec.urls: write https://host:port, without user, password or query; a login belongs in a Secret"
    # In the rules of a role mapping * and / have a meaning: any realm would match.
    realm = spec.identity.jwt_realm
    if realm and not re.fullmatch(r"[A-Za-z0-9_-]+", realm.name):
        return "spec.identity.jwtRealm.name: write the realm's name alone, such as google"
    if spec.identity.gateway and (problem := _gateway_problem(spec.identity.gateway)):
        return f"spec.identity.gateway.{problem}"
    if spec.ca and spec.ca.inline is not None and not holds_certificates(spec.ca.inline):
        return f"spec.ca.inline {NO_CERTIFICATE}"
    for position, store in enumerate(spec.secret_stores):
        # It becomes part of the address to which the operator's own token is sent.
        location = store.google_secret_manager.location if store.google_secret_manager else None
        if location is not None and not re.fullmatch(LOCATION_PATTERN, location):
            where = f"spec.secretStores[{position}].googleSecretManager.location"
            return f"{where}: write the region's name, such as europe-west1 (not a zone)"
    return ""


def _gateway_problem(gateway: Gateway) -> str:
    """Return what is wrong with a gateway that the model accepts, after its path; empty: nothing.

    Over plain HTTP, anybody on the network path could answer with their own keys. Names become parts of paths of the
    API server. A pattern for people becomes part of a regular expression.
    """
    forms = [
        ("url", gateway.url, _HTTPS, "write https://host, without user or query"),
        ("namespace", gateway.namespace, LABEL_PATTERN, "write a DNS label such as searchaccess-gateway"),
        ("name", gateway.name, LABEL_PATTERN, "write a DNS label such as searchaccess-gateway"),
        ("limits.maxBody", gateway.limits.max_body, BODY_PATTERN, "write a size such as 512Ki, 100Mi or 1Gi"),
    ]
    authorities = {"ca": gateway.ca}
    if gateway.jwks:
        forms.append(("jwks.url", gateway.jwks.url, _HTTPS, "write https://host, without user or query"))
        authorities["jwks.ca"] = gateway.jwks.ca
    if gateway.iap:
        says = "write the audience of its signed header, such as /projects/123/global/backendServices/456"
        forms.append(("iap.audience", gateway.iap.audience, AUDIENCE_PATTERN, says))
        says = "write an e-mail address such as *@example.com; the domain has no wildcards"
        people = enumerate(gateway.iap.allow_people)
        forms += [(f"iap.allowPeople[{position}]", person, PERSON_PATTERN, says) for position, person in people]
    wrong = [f"{place}: {says}" for place, value, pattern, says in forms if not _fully(pattern, value)]
    wrong += [
        f"{place}.inline {NO_CERTIFICATE}"
        for place, ca in authorities.items()
        if ca and ca.inline is not None and not holds_certificates(ca.inline)
    ]
    return next(iter(wrong), "")


def _fully(pattern: str, value: str) -> bool:
    """Return whether a whole text has a form: at the end, ``$`` would take a newline too."""
    return re.fullmatch(pattern.removeprefix("^").removesuffix("$"), value) is not None


def cluster_from_object(raw: Mapping[str, Any]) -> Cluster:
    """Read a SearchCluster as Kubernetes gives it. Never raises for a bad spec."""
    outline = cluster_outline(raw)
    if PROBLEM in raw:
        return replace(outline, invalid=bounded_text(str(raw[PROBLEM]), MESSAGE_LIMIT))
    spec, invalid = validated(SearchClusterSpec, raw.get("spec"), last_applied(raw))
    if spec is None:
        return replace(outline, invalid=invalid)
    invalid = bounded_text(_problems(spec), MESSAGE_LIMIT)
    return replace(outline, spec=None if invalid else spec, invalid=invalid)


def cluster_outline(raw: Any, fault: str = "") -> Cluster:
    """Read the parts of a SearchCluster that do not depend on its spec. Never raises.

    Args:
        raw: the object, as Kubernetes gives it.
        fault: the unexpected error when it was read.
    """
    meta = metadata_of(raw)
    return Cluster(
        uid=meta.uid,
        name=meta.name,
        generation=meta.generation,
        resource_version=meta.resource_version,
        created_at=meta.created_at,
        spec=None,
        invalid="",
        deleted_at=meta.deleted_at,
        finalizers=meta.finalizers,
        adopt=meta.annotation(ANNOTATION_ADOPT, NAME_LIMIT),
        accept_uuid=meta.annotation(ANNOTATION_ACCEPT_UUID),
        reconcile_requested=meta.annotation(ANNOTATION_RECONCILE),
        fault=fault,
        rotate_requested=meta.annotation(ANNOTATION_ROTATE),
    )


@dataclass(frozen=True, slots=True)
class License:
    """The license of a cluster."""

    kind: str
    """Its type; ``expired`` when it is not active."""
    ends: float | None = None
    """When it expires, in seconds since the epoch; None: never, or it did."""


@dataclass(frozen=True, slots=True)
class ClusterFacts:
    """What a check of the cluster found."""

    version: str
    uuid: str
    license: str
    """Type of the active license; ``expired`` when it is not active."""
    mismatches: tuple[Mismatch, ...] | None
    """What is wrong with the realm; None: the settings could not be read."""
    doubts: tuple[Mismatch, ...] = ()
    """What may be wrong with the realm, but its settings do not determine."""
    limits: tuple[Limit, ...] = ()
    """Settings of the realm that accept some callers and reject all others."""
    license_ends: float | None = None
    """When the license expires, in seconds since the epoch; None: never, or it did."""
    claimed: frozenset[str] | None = None
    """Which of a user's groups and DN the realm takes from claims; None: the settings could not be read."""


def facts_of(version: str, uuid: str, held: License, found: RealmFindings | None) -> ClusterFacts:
    """Return what a check found.

    Args:
        version: of Elasticsearch.
        uuid: of the cluster.
        held: its license.
        found: what its realm's settings say; None: they could not be read.
    """
    if found is None:
        return ClusterFacts(version, uuid, held.kind, None, license_ends=held.ends)
    return ClusterFacts(
        version,
        uuid,
        held.kind,
        found.mismatches,
        found.doubts,
        found.limits,
        license_ends=held.ends,
        claimed=found.claimed,
    )


NO_REALM: Final = RealmFindings()
"""Nothing is wrong with a realm that is not needed: a gateway verifies callers' tokens."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What may be done with the cluster."""

    closed: tuple[Reason, str] | None
    """Nothing may be read or written, and why."""
    gate: Gate


def version_of(text: str) -> tuple[int, int]:
    """Return major and minor of a version such as ``8.19.0``; (0, 0) when it cannot be read."""
    parts = text.split("-", maxsplit=1)[0].split(".")
    if len(parts) < 2 or not (parts[0].isdecimal() and parts[1].isdecimal()):  # noqa: PLR2004 - major and minor
        return 0, 0
    return int(parts[0]), int(parts[1])


def license_problem(kind: str, *, gateway: bool = False) -> str:
    """Return the message about a license that lacks what every SearchAccess needs."""
    if gateway:
        return f"a gateway needs any active license, such as Basic; this cluster has {kind}"
    return f"the JWT realm needs a Platinum, Enterprise or trial license; this cluster has {kind}"


def is_licensed(kind: str, *, gateway: bool) -> bool:
    """Return whether a license has what every SearchAccess needs: with a gateway, any that is active does."""
    return kind in _FIELD_SECURITY or (gateway and kind != EXPIRED)


def judge(
    facts: ClusterFacts, pinned_uuid: str, accepted_uuid: str, eck: str = "", *, gateway: bool = False
) -> Verdict:
    """Decide what the state of a cluster allows.

    Args:
        facts: what the check found.
        pinned_uuid: the uuid of the cluster at first contact; empty: none yet.
        accepted_uuid: the uuid to which a person agreed; empty: none.
        eck: ``namespace/name`` of ECK's Elasticsearch resource; empty: ECK does not manage it.
        gateway: whether a gateway verifies callers' tokens, so that no realm is needed.
    """
    if facts.uuid in _NO_UUID:
        message = "the cluster has no UUID yet: it has not formed, or has no master"
        return Verdict((Reason.CLUSTER_UNREACHABLE, message), Gate(grants=False))
    if pinned_uuid and facts.uuid not in {pinned_uuid, accepted_uuid}:
        message = (
            f"another cluster answers: UUID {facts.uuid}, not {pinned_uuid}; nothing is written. If this is intended, "
            f"annotate the SearchCluster with {ANNOTATION_ACCEPT_UUID}: {facts.uuid}"
        )
        return Verdict((Reason.CLUSTER_REPLACED, message), Gate(grants=False))
    version = version_of(facts.version)
    if version < OLDEST:
        message = f"Elasticsearch {facts.version} lacks the bulk role API; 8.15 or newer is needed"
        return Verdict((Reason.VERSION_UNSUPPORTED, message), Gate(grants=False))
    if not is_licensed(facts.license, gateway=gateway):
        gate = Gate(
            grants=False,
            reason=Reason.LICENSE_INSUFFICIENT,
            message=license_problem(facts.license, gateway=gateway),
            field_security=False,
            remote_clusters=False,
            license=facts.license,
            version=version,
        )
        return Verdict(None, gate)
    gate = Gate(
        gateway=gateway,
        field_security=facts.license in _FIELD_SECURITY,
        remote_clusters=facts.license in _REMOTE_CLUSTERS,
        license=facts.license,
        version=version,
        limits=facts.limits,
        place=place_of(eck),
    )
    if facts.mismatches:
        message = explain(facts.mismatches, eck)
        gate = replace(gate, grants=False, reason=Reason.REALM_MISMATCH, message=message)
    return Verdict(None, gate)
