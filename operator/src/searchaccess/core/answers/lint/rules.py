"""All rules. An id is never given to another rule, so that annotations and pipelines may name it."""

from typing import Final

from searchaccess.core.answers.lint.model import Rule, Severity

_ERROR, _WARNING, _NOTE = Severity.ERROR, Severity.WARNING, Severity.NOTE

UNREADABLE: Final = Rule(
    "SA001", "unreadable-file", _ERROR, "The file cannot be read as YAML or JSON.",
    "Correct the syntax.", ignorable=False,
)  # fmt: skip
INVALID: Final = Rule(
    "SA002", "invalid-object", _ERROR, "The object does not match its kind: the API server or the operator refuses it.",
    "Write what the message says.", "api.md", ignorable=False,
)  # fmt: skip
DUPLICATE: Final = Rule(
    "SA003", "duplicate-name", _ERROR, "Two objects of one kind have the same name: the last one that is applied wins.",
    "Rename or remove one of them.", ignorable=False,
)  # fmt: skip
REFUSED: Final = Rule(
    "SA004", "refused-by-policy", _ERROR, "A SearchAccessPolicy in the files refuses the SearchAccess.",
    "Ask for less, or change the policy.", "policies.md",
)  # fmt: skip
AUDITED: Final = Rule(
    "SA005", "would-be-refused", _WARNING, "A SearchAccessPolicy with `mode: Audit` in the files would refuse it.",
    "Ask for less before the policy is enforced.", "policies.md",
)  # fmt: skip
UNKNOWN_CLUSTER: Final = Rule(
    "SA006", "unknown-search-cluster", _WARNING,
    "The files have SearchClusters, and not the one that the SearchAccess names.",
    "Correct `spec.cluster`, or add the SearchCluster.", "clusters.md",
)  # fmt: skip
UNKNOWN_STORE: Final = Rule(
    "SA007", "unknown-secret-store", _ERROR, "The SearchCluster has no secret store with the name in the credential.",
    "Correct `spec.credential.store`, or add the store.", "credentials.md",
)  # fmt: skip
NO_RIGHTS: Final = Rule(
    "SA008", "gets-no-rights", _ERROR,
    "The SearchAccess gets no rights where it is: its SearchCluster or another of its grants does not allow them.",
    "Write what the message says.", "reasons.md",
)  # fmt: skip
UNKNOWN_RULE: Final = Rule(
    "SA009", "unknown-rule", _WARNING, "The annotation `searchaccess.dev/lint-ignore` names an unknown rule.",
    "Write ids such as `SA010`, separated by commas.", ignorable=False,
)  # fmt: skip
ALL_INDICES: Final = Rule(
    "SA010", "all-indices", _WARNING, "An index pattern matches every index, those of other teams too.",
    "Write names, or a prefix such as `orders-*`.", "actions.md",
)  # fmt: skip
WIDE_PATTERN: Final = Rule(
    "SA011", "wide-wildcard", _WARNING, "A wildcard begins with fewer than three characters.",
    "Write a longer prefix.", "actions.md",
)  # fmt: skip
WIDE_EXPRESSION: Final = Rule(
    "SA012", "wide-regular-expression", _WARNING, "A regular expression does not begin with at least three characters.",
    "Begin it with the common prefix, or write a wildcard: few people read what it matches.", "actions.md",
)  # fmt: skip
RAW_PRIVILEGES: Final = Rule(
    "SA013", "raw-privileges", _WARNING, "A grant has privileges by Elasticsearch's own names.",
    "Write actions in `can` where they fit.", "actions.md",
)  # fmt: skip
DESTROYS: Final = Rule(
    "SA014", "may-delete-indices", _WARNING, "A grant lets whole indices be deleted.",
    "Leave `manage`, `all` and `delete_index` to pipelines of the owners of these indices.", "actions.md",
)  # fmt: skip
WHERE_MATCHES_ALL: Final = Rule(
    "SA015", "where-matches-all", _WARNING, "A `where` matches every document by its form, so that it limits nothing.",
    "Write a condition on a field, or remove it.", "policies.md",
)  # fmt: skip
AGENT_WRITES: Final = Rule(
    "SA016", "agent-writes", _WARNING, "An AI agent may change or delete documents.",
    "Let it read only, or let it append to an index of its own.", "security-review.md",
)  # fmt: skip
AGENT_WITHOUT_END: Final = Rule(
    "SA017", "agent-without-end", _WARNING, "The rights of an AI agent do not end.",
    "Set `spec.validUntil`.", "time-boxes.md",
)  # fmt: skip
AGENT_SEES_ALL: Final = Rule(
    "SA018", "agent-sees-everything", _NOTE, "An AI agent may read all fields of all documents of some indices.",
    "Limit it by `where` or `fields`.", "security-review.md",
)  # fmt: skip
DEFAULT_ACCOUNT: Final = Rule(
    "SA019", "default-account", _WARNING,
    "The subject is the default service account of a project, which every workload without one of its own uses.",
    "Create a service account for the workload.", "workloads.md",
)  # fmt: skip
SELDOM_ROTATED: Final = Rule(
    "SA020", "seldom-rotated", _WARNING, "A credential is replaced less often than every 90 days.",
    "Set `spec.credential.rotateEvery` to `2160h` or less.", "credentials.md",
)  # fmt: skip
STORED_SECRET: Final = Rule(
    "SA021", "stored-secret", _NOTE, "The workload logs in with a stored secret: whoever can read it has the rights.",
    "Use `auth: IdentityToken` where the caller can send a token.", "credentials.md",
)  # fmt: skip
EXPIRED: Final = Rule(
    "SA022", "expired", _WARNING, "`spec.validUntil` is past: the SearchAccess has no rights.",
    "Remove it, or set a later time.", "time-boxes.md",
)  # fmt: skip
ORPHANS: Final = Rule(
    "SA023", "rights-outlive-it", _NOTE, "`deletionPolicy: Orphan` leaves the rights in force when it is deleted.",
    "Use `Delete` unless rights move to another owner.", "reasons.md",
)  # fmt: skip
SUSPENDED: Final = Rule(
    "SA024", "not-enforced", _NOTE, "`suspend` or `mode: Observe` lets its rights in Elasticsearch differ from it.",
    "Remove it when the migration is over.", "gitops.md",
)  # fmt: skip
LIMITS: Final = Rule(
    "SA025", "limits-hardly-limit", _WARNING, "The limits hardly limit the caller.",
    "Write what the message says.", "limits.md",
)  # fmt: skip
EXCEPTION_ENDED: Final = Rule(
    "SA026", "exception-ended", _WARNING, "An exception of a SearchAccessPolicy has ended.",
    "Remove it, or let somebody decide again.", "policies.md",
)  # fmt: skip
AUDIT_ONLY: Final = Rule(
    "SA027", "policy-only-audits", _NOTE, "A SearchAccessPolicy only reports what it would refuse.",
    "Set `mode: Enforce` when its reports are empty.", "policies.md",
)  # fmt: skip
OPEN_CLUSTER: Final = Rule(
    "SA028", "cluster-for-all-namespaces", _NOTE, "Every namespace may use the SearchCluster.",
    "Set `spec.allowedNamespaces`.", "clusters.md",
)  # fmt: skip
NO_NAMESPACE: Final = Rule(
    "SA029", "no-namespace", _NOTE, "The object names no namespace: it gets that of whoever applies it.",
    "Set `metadata.namespace`, unless Kustomize or a GitOps controller sets it.", "gitops.md",
)  # fmt: skip

RULES: Final = (
    UNREADABLE, INVALID, DUPLICATE, REFUSED, AUDITED, UNKNOWN_CLUSTER, UNKNOWN_STORE, NO_RIGHTS, UNKNOWN_RULE,
    ALL_INDICES, WIDE_PATTERN, WIDE_EXPRESSION, RAW_PRIVILEGES, DESTROYS, WHERE_MATCHES_ALL, AGENT_WRITES,
    AGENT_WITHOUT_END, AGENT_SEES_ALL, DEFAULT_ACCOUNT, SELDOM_ROTATED, STORED_SECRET, EXPIRED, ORPHANS, SUSPENDED,
    LIMITS, EXCEPTION_ENDED, AUDIT_ONLY, OPEN_CLUSTER, NO_NAMESPACE,
)  # fmt: skip
"""In the order of their ids."""
