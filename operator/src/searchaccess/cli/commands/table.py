"""All commands, a line each. The help of the program is made from this table, and imports none of them."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Section(StrEnum):
    """Sections of the help, in their order."""

    INSPECT = "Inspect"
    CHANGE = "Change"
    OPERATE = "Operate"
    GENERATE = "Generate"


@dataclass(frozen=True, slots=True)
class Entry:
    """One command, or one group of commands.

    Args:
        name: as it is written.
        module: below ``searchaccess.cli.commands``; it has the function ``command``, or ``app`` for a group.
        help: in a few words, for the help of the program.
        section: of that help.
    """

    name: str
    module: str
    help: str
    section: Section


_ENTRIES: Final = (
    Entry("lint", "lint", "Find what is wrong or questionable in manifests.", Section.CHANGE),
    Entry("plan", "plan", "Show what manifests would open and close.", Section.CHANGE),
    Entry("explain", "explain", "Say why somebody may do something on an index.", Section.INSPECT),
    Entry("who-can", "who_can", "List who may do something on an index.", Section.INSPECT),
    Entry("can-i", "can_i", "Ask with a workload's own token what it may do.", Section.INSPECT),
    Entry("import", "importing", "Write SearchAccesses for existing rights.", Section.CHANGE),
    Entry("status", "status", "Show SearchAccesses: an overview, or a tree of one.", Section.INSPECT),
    Entry("version", "version", "Show the versions that work together.", Section.INSPECT),
    Entry("rotate", "rotate", "Replace API keys or passwords now.", Section.CHANGE),
    Entry("suspend", "suspend", "Leave rights as they are, unobserved.", Section.CHANGE),
    Entry("resume", "resume", "Resume what is suspended.", Section.CHANGE),
    Entry("refresh", "refresh", "Reconcile SearchAccesses now.", Section.CHANGE),
    Entry("adopt", "adopt", "Let the operator replace a foreign role.", Section.CHANGE),
    Entry("approve", "approve", "Approve a SearchAccess with your name.", Section.CHANGE),
    Entry("reject", "reject", "Withdraw the approvals of a SearchAccess.", Section.CHANGE),
    Entry("run", "run", "Run the operator.", Section.OPERATE),
    Entry("reconcile", "reconcile", "Reconcile once, or for a while, and report.", Section.OPERATE),
    Entry("audit", "audit", "Report who did what on which index, from which revision.", Section.INSPECT),
    Entry("recommend", "recommend", "Recommend narrower SearchAccesses, from what was used.", Section.INSPECT),
    Entry("findings", "findings", "Track what needs attention until it is fixed.", Section.INSPECT),
    Entry("crds", "crds", "Print or apply the CustomResourceDefinitions.", Section.OPERATE),
    Entry("mapping", "mapping", "Print the role mapping of a SearchCluster.", Section.GENERATE),
    Entry("realm", "realm", "Print the JWT realm that a SearchCluster needs.", Section.GENERATE),
    Entry("login", "login", "Print the role for a login to Elasticsearch.", Section.GENERATE),
    Entry(
        "generate-admission-policy",
        "generate_admission_policy",
        "Print ValidatingAdmissionPolicies.",
        Section.GENERATE,
    ),
    Entry(
        "audit-filter", "audit_filter", "Print a filter that keeps Elasticsearch's audit log small.", Section.GENERATE
    ),
    Entry("gateway", "gateway", "Work with the gateway of a SearchCluster.", Section.GENERATE),
    Entry("completion", "completion", "Print the script that completes commands in a shell.", Section.GENERATE),
)
TABLE: Final = {entry.name: entry for entry in _ENTRIES}
"""By name."""
