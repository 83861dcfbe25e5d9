"""Why something that Elasticsearch has is not imported, and what a person does next."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Self


class Why(StrEnum):
    """A reason, with the next step. The values are stable: scripts read them."""

    next_step: str
    """What a person does about it."""

    def __new__(cls, name: str, next_step: str) -> Self:  # noqa: D102 - the attribute above documents a member
        why = str.__new__(cls, name)
        why._value_ = name
        why.next_step = next_step
        return why

    NO_SUBJECT = (
        "NoSubject",
        "name the service account or workload in the subject map; until then keep it, as its users may not be visible",
    )
    NOT_A_SERVICE_ACCOUNT = (
        "NotAServiceAccount",
        "leave people with their role mapping; name a workload's login in the subject map",
    )
    MAPPED_BY_PATTERN = (
        "MappedByPattern",
        "name in the subject map each service account that needs the role, before the role mapping is removed",
    )
    MAPPED_BY_GROUP = (
        "MappedByGroup",
        "leave the role mapping for people; name in the subject map each service account that needs the role",
    )
    ROLE_TEMPLATE = (
        "RoleTemplate",
        "name in the subject map each service account that needs one of its roles, by role",
    )
    UNEVALUATED = ("Unevaluated", "compare its rules with the service account by hand, then use the subject map")
    ROLE_MISSING = (
        "RoleMissing",
        "import the file that has the role, such as roles.yml, with --from; or correct the role mapping",
    )
    BUILT_IN_ROLE = (
        "BuiltInRole",
        "declare in grants, clusterCan or kibana what the workload needs of it, or keep the role mapping",
    )
    DISABLED = (
        "Disabled",
        "declare it if the workload should have it: nobody has it now, as the license lacks document or field security",
    )
    NOTHING_GRANTED = ("NothingGranted", "leave it: nobody gets anything by it")
    CLUSTER_PRIVILEGE = ("ClusterPrivilege", "keep the old role for it, or give the workload a narrower right")
    RUN_AS = ("RunAs", "keep the old role for it: no SearchAccess lets a workload act as somebody else")
    APPLICATION = ("Application", "keep the old role for it: only Kibana's features can be declared")
    REMOTE = ("Remote", "declare can: [read] with remoteClusters if that is what is meant, or keep the old role")
    GLOBAL = ("Global", "keep the old role for it: it concerns the whole cluster's security")
    RESTRICTED_INDICES = (
        "RestrictedIndices",
        "keep the old role for it: no SearchAccess reaches Elasticsearch's own indices",
    )
    UNKNOWN_FIELD = ("UnknownField", "keep the old role for it, and upgrade SearchAccess")
    UNREADABLE = ("Unreadable", "correct what is named, and import again")
    FIELDS = (
        "Fields",
        "write each field together with NAME.* into the old role, as a SearchAccess does, then import again",
    )
    QUERY = ("Query", "write a query that a SearchAccess accepts into the old role, then import again")
    INVALID = ("Invalid", "correct the old role, then import again")
    MERGED = (
        "Merged",
        "decide what is meant: Elasticsearch does not apply the restriction today (docs/import.md)",
    )
    WIDENS = ("Widens", "decide what is meant: use the same where or the same fields, or separate service accounts")
    POLICY = ("Policy", "narrow the grant, or ask whoever writes the SearchAccessPolicy for an exception")
    KEY_LIMITED = ("KeyLimited", "declare by hand what the key and its owner both allow")
    KEY_FOR_CLUSTERS = ("KeyForClusters", "keep the key: it is for another cluster, not for a workload")
    KEY_OF_A_CALLER = (
        "KeyOfACaller",
        "let the workload use its token with the SearchAccess of its service account, then invalidate the key",
    )
    MASKED_FIELDS = ("MaskedFields", "exclude the fields, or keep masking outside: Elasticsearch masks none")
    TENANT = ("Tenant", "declare kibana features in spaces in place of tenants")
    UNTRANSLATED = ("Untranslated", "write by hand what Elasticsearch has in its place")
    UNUSED_SUBJECT = ("UnusedSubject", "correct the name in the subject map, or remove it")
    TOO_LARGE = ("TooLarge", "split the old role, then import again")


@dataclass(frozen=True, slots=True, order=True)
class Leftover:
    """Something that is not imported."""

    source: str
    """Where it is, such as ``role orders-writer``."""
    part: str
    """Which part of it, such as ``indices[1] (orders-*)``; empty: all of it."""
    why: Why
    message: str
    subject: str = ""
    """For whom it is not imported; empty: for everybody."""
    roles: tuple[str, ...] = ()
    """Names of roles that somebody still needs because of it."""

    def to_json(self) -> dict[str, str]:
        """Return it as JSON, for scripts."""
        found = {
            "source": self.source,
            "part": self.part,
            "subject": self.subject,
            "reason": str(self.why),
            "message": self.message,
            "next": self.why.next_step,
        }
        return {key: value for key, value in found.items() if value}
