"""What the operator learned about an Elasticsearch cluster, and what that allows."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic import ValidationError

from searchaccess.api.constants import ANNOTATION_ACCEPT_UUID, ANNOTATION_ADOPT, ANNOTATION_RECONCILE, FINALIZER
from searchaccess.api.namespaces import AllowedNamespaces
from searchaccess.api.reasons import Reason
from searchaccess.api.searchcluster import SearchClusterSpec
from searchaccess.core.clusters.realm import Mismatch, WantedRealm, explain
from searchaccess.core.policy.decision import Gate

OLDEST: Final = (8, 15)
"""First version with the bulk role API."""

_NO_UUID: Final = frozenset({"", "_na_"})
"""What Elasticsearch answers before the cluster has formed."""

_HOST: Final = re.compile(r"https?://[^/@?#\s]+(/[^@?#\s]*)?")

_FIELD_SECURITY: Final = frozenset({"platinum", "enterprise", "trial"})
"""Licences with document- and field-level security and the JWT realm. https://www.elastic.co/subscriptions"""


@dataclass(frozen=True, slots=True)
class Cluster:
    """A SearchCluster, as the loop sees it."""

    uid: str
    name: str
    generation: int
    resource_version: str
    created_at: str
    spec: SearchClusterSpec | None
    """None: it cannot be read, see ``invalid``."""
    invalid: str
    deleted_at: str
    finalizers: tuple[str, ...]
    adopt: str
    accept_uuid: str
    reconcile_requested: str

    @property
    def has_finalizer(self) -> bool:
        """Whether our finalizer is in place."""
        return FINALIZER in self.finalizers

    @property
    def wanted_realm(self) -> WantedRealm | None:
        """What it says about the realm."""
        if self.spec is None:
            return None
        realm = self.spec.identity.jwt_realm
        return WantedRealm(realm.name, realm.audience, realm.issuer, realm.principal, realm.client_authentication)

    @property
    def allowed_namespaces(self) -> AllowedNamespaces | None:
        """Namespaces whose SearchAccesses may refer to it; None: all."""
        return self.spec.allowed_namespaces if self.spec else None

    @property
    def eck(self) -> str:
        """``namespace/name`` of ECK's Elasticsearch resource; empty: it is not by ECK."""
        eck = self.spec.eck if self.spec else None
        return f"{eck.namespace}/{eck.name}" if eck else ""


def _problems(spec: SearchClusterSpec) -> str:
    """Say what is wrong although the model takes it: the CRD's CEL rules once more, where they are about safety."""
    for url in spec.urls or ():
        if not _HOST.fullmatch(url):
            return "spec.urls: write https://host:port, without user, password or query; a login belongs into a Secret"
    # In the rules of a role mapping * and / have a meaning: any realm would do.
    if not re.fullmatch(r"[A-Za-z0-9_-]+", spec.identity.jwt_realm.name):
        return "spec.identity.jwtRealm.name: write the realm's name alone, such as google"
    return ""


def cluster_from_object(raw: Mapping[str, Any]) -> Cluster:
    """Read a SearchCluster as Kubernetes gives it. Never raises for a bad spec."""
    meta = raw["metadata"]
    annotations = meta.get("annotations") or {}
    spec, invalid = None, ""
    try:
        spec = SearchClusterSpec.model_validate(raw.get("spec") or {})
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        invalid = f"{'.'.join(str(part) for part in ('spec', *first['loc']))}: {first['msg']}"
    if spec and (invalid := _problems(spec)):
        spec = None
    return Cluster(
        uid=meta["uid"],
        name=meta["name"],
        generation=int(meta.get("generation", 0)),
        resource_version=str(meta.get("resourceVersion", "")),
        created_at=str(meta.get("creationTimestamp", "")),
        spec=spec,
        invalid=invalid,
        deleted_at=str(meta.get("deletionTimestamp") or ""),
        finalizers=tuple(meta.get("finalizers") or ()),
        adopt=str(annotations.get(ANNOTATION_ADOPT, "")),
        accept_uuid=str(annotations.get(ANNOTATION_ACCEPT_UUID, "")),
        reconcile_requested=str(annotations.get(ANNOTATION_RECONCILE, "")),
    )


@dataclass(frozen=True, slots=True)
class ClusterFacts:
    """What a check of the cluster found."""

    version: str
    uuid: str
    license: str
    """Type of the active licence; ``expired`` when it is not active."""
    mismatches: tuple[Mismatch, ...] | None
    """What is wrong with the realm; None: the settings could not be read."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What may be done with the cluster."""

    closed: tuple[Reason, str] | None
    """Nothing may be read or written, and why."""
    gate: Gate


def version_of(text: str) -> tuple[int, int]:
    """Give major and minor of a version such as ``8.19.0``; (0, 0) when it cannot be read."""
    parts = text.split("-", maxsplit=1)[0].split(".")
    if len(parts) < 2 or not (parts[0].isdecimal() and parts[1].isdecimal()):  # noqa: PLR2004 - major and minor
        return 0, 0
    return int(parts[0]), int(parts[1])


def judge(facts: ClusterFacts, pinned_uuid: str, accepted_uuid: str, eck: str = "") -> Verdict:
    """Decide what the state of a cluster allows.

    Args:
        facts: what the check found.
        pinned_uuid: the uuid of the cluster that was met first; empty: none yet.
        accepted_uuid: the uuid to which a person agreed; empty: none.
        eck: ``namespace/name`` of ECK's Elasticsearch resource; empty: it is not by ECK.
    """
    if facts.uuid in _NO_UUID:
        message = "the cluster has no uuid yet: it has not formed, or has no master"
        return Verdict((Reason.CLUSTER_UNREACHABLE, message), Gate(grants=False))
    if pinned_uuid and facts.uuid not in {pinned_uuid, accepted_uuid}:
        message = (
            f"another cluster answers: uuid {facts.uuid}, not {pinned_uuid}; nothing is written. If this is meant: "
            f"annotate with {ANNOTATION_ACCEPT_UUID}: {facts.uuid}"
        )
        return Verdict((Reason.CLUSTER_REPLACED, message), Gate(grants=False))
    if version_of(facts.version) < OLDEST:
        message = f"Elasticsearch {facts.version} lacks the bulk role API; 8.15 or newer is needed"
        return Verdict((Reason.VERSION_UNSUPPORTED, message), Gate(grants=False))
    licensed = facts.license in _FIELD_SECURITY
    if not licensed:
        message = f"the JWT realm needs a Platinum, Enterprise or trial licence; this cluster has {facts.license}"
        gate = Gate(
            grants=False,
            reason=Reason.LICENSE_INSUFFICIENT,
            message=message,
            field_security=False,
            license=facts.license,
        )
        return Verdict(None, gate)
    if facts.mismatches:
        message = explain(facts.mismatches, eck)
        return Verdict(None, Gate(grants=False, reason=Reason.REALM_MISMATCH, message=message, license=facts.license))
    return Verdict(None, Gate(license=facts.license))
