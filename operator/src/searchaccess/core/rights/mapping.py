"""Role mappings: one with a role template for the whole cluster, or one for each principal."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from searchaccess.api.searchcluster import PrincipalClaim
from searchaccess.core.model.canonical import MappingBody, canonical_json, digest, mapping_from_json
from searchaccess.core.model.intake.reading import mapping
from searchaccess.core.ownership.adoption import Agreed, Refusal, Request, Seen, judge, seen_as
from searchaccess.core.rights.diff import Difference, diff_mapping
from searchaccess.core.rights.ownership import Operator

SERVICE_ACCOUNTS: Final = "*@*.gserviceaccount.com"
"""Only service accounts get a role; people's e-mail addresses do not match."""


@dataclass(frozen=True, slots=True)
class RoleMapping:
    """A role mapping, with its owner in the metadata."""

    name: str
    body: MappingBody
    metadata: dict[str, Any]

    def to_json(self) -> dict[str, Any]:
        """Return the mapping as the role mapping API takes it."""
        return self.body.to_json() | {"metadata": self.metadata}


def mapping_of(name: str, raw: Mapping[str, Any]) -> RoleMapping:
    """Read a role mapping as the API gives it."""
    return RoleMapping(name, mapping_from_json(raw), dict(mapping(raw.get("metadata"))))


def _sealed(operator: Operator, name: str, body: MappingBody) -> RoleMapping:
    spec_hash = digest(canonical_json(body.to_json()))
    return RoleMapping(name, body, operator.stamp() | {"spec_hash": spec_hash})


SUB: Final = "metadata.jwt_claim_sub"
"""Where a user has the claim ``sub`` of its token, whatever claim its name is from."""


def build_template_mapping(operator: Operator, realm: str, claim: PrincipalClaim) -> RoleMapping:
    """Return the one mapping that makes each caller's role name from its principal.

    People have a ``sub`` like service accounts; no role is named after theirs.
    https://www.elastic.co/guide/en/elasticsearch/reference/8.19/security-api-put-role-mapping.html (role templates)

    Args:
        operator: this operator.
        realm: name of the realm.
        claim: by which claim of their tokens callers are known.
    """
    by_sub = claim is PrincipalClaim.SUB
    who = {SUB: "*"} if by_sub else {"username": SERVICE_ACCOUNTS}
    rules = {"all": [{"field": {"realm.name": realm}}, {"field": who}]}
    principal = f"{{{{{SUB}}}}}" if by_sub else "{{username}}"
    template = {"format": "string", "template": {"source": operator.role_name(principal)}}
    body = MappingBody(enabled=True, rules=canonical_json(rules), templates=canonical_json([template]))
    return _sealed(operator, operator.mapping_name, body)


def build_principal_mapping(operator: Operator, realm: str, principal: str, claim: PrincipalClaim) -> RoleMapping:
    """Return the mapping of one principal, for clusters where templates are not allowed."""
    field = SUB if claim is PrincipalClaim.SUB else "username"
    rules = {"all": [{"field": {"realm.name": realm}}, {"field": {field: principal}}]}
    name = operator.role_name(principal)
    return _sealed(operator, name, MappingBody(enabled=True, rules=canonical_json(rules), roles=(name,)))


def is_as_desired(desired: RoleMapping, observed: RoleMapping | None) -> bool:
    """Return whether a role mapping that a person writes does what is desired, whatever its metadata says."""
    return observed is not None and not diff_mapping("", desired.body, observed.body)


def request_for(desired: RoleMapping) -> str:
    """Return the request with which a person writes a role mapping."""
    return f"PUT _security/role_mapping/{desired.name} {canonical_json(desired.to_json())}"


def seen_mapping(mapping: RoleMapping) -> Seen:
    """Identify a foreign role mapping by its content."""
    return seen_as("role mapping", mapping.name, asdict(mapping.body), mapping.metadata)


@dataclass(frozen=True, slots=True)
class MappingPlan:
    """What is to be done about one role mapping."""

    name: str
    write: RoleMapping | None = None
    delete: bool = False
    pending: bool = False
    """The declaration is not applied yet (new, or changed)."""
    conflict: str = ""
    """Name of a foreign mapping with a name of ours."""
    refusal: Refusal | None = None
    """Why that is not adopted."""
    foreign: Seen | None = None
    """The foreign mapping that is replaced; without ``write``: that is to be recorded before."""
    drift: tuple[Difference, ...] = ()
    adopted: str = ""
    """What was replaced by adoption, as JSON."""


def plan_mapping(  # noqa: PLR0911 - reads as a table
    operator: Operator,
    name: str,
    desired: RoleMapping | None,
    observed: RoleMapping | None,
    *,
    enforce: bool,
    seen: bool,
    agreed: Agreed | None = None,
    adopt: str = "",
    restamp: bool = True,
) -> MappingPlan:
    """Plan one role mapping.

    Args:
        operator: this operator.
        name: the mapping's name.
        desired: the desired mapping; None: it should not exist.
        observed: the observed mapping; None: it does not exist.
        enforce: False: observe, do not write.
        seen: whether it is known from an earlier reconcile, so that its absence is drift.
        agreed: which foreign mappings may be adopted; None: none may.
        adopt: the annotation of the SearchCluster that asks for it.
        restamp: whether one of a predecessor that is as desired is written, to have our stamp.
    """
    target = f"role_mapping/{name}"
    if observed is not None and not operator.owns(observed.metadata):
        if desired is None:
            return MappingPlan(name)
        foreign = seen_mapping(observed)
        judged = judge(foreign, agreed or Agreed(), [Request(adopt)] if adopt else ())
        if not enforce or not judged.adopts:
            asked = foreign if judged.asks and enforce else None
            return MappingPlan(name, conflict=name, refusal=judged.refusal, foreign=asked)
        return MappingPlan(name, write=desired, adopted=canonical_json(observed.body.to_json()), foreign=foreign)
    if desired is None:
        return MappingPlan(name, delete=observed is not None and enforce)
    if observed is None:
        whole = canonical_json(desired.body.to_json())
        drift = (Difference(target, ".", whole, ""),) if seen else ()
        return MappingPlan(name, write=desired if enforce else None, pending=not seen, drift=drift)
    differences = diff_mapping(target, desired.body, observed.body)
    # A predecessor's mapping gets our stamp, so that it does not belong to a former installation forever.
    stale = restamp and not operator.wrote(observed.metadata)
    write = desired if enforce and (differences or stale) else None
    if observed.metadata.get("spec_hash") != desired.metadata.get("spec_hash"):
        # It was written for another declaration. A different hash alone does not justify a write: each write clears the
        # realm cache of all users.
        return MappingPlan(name, write=write, pending=bool(differences))
    return MappingPlan(name, write=write, drift=tuple(differences))
