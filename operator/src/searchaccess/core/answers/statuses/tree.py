"""The state of one SearchAccess as a tree: from the workload to its identity, its role and what limits it."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from searchaccess.core.answers.statuses.overview import open_differences
from searchaccess.core.answers.statuses.report import Report

_POLICIES: Final = {"Accepted": "", "Exempt": "", "WouldDeny": "warn", "PendingApproval": "warn", "Denied": "bad"}


class Mark(StrEnum):
    """How something is."""

    PLAIN = ""
    GOOD = "good"
    WARN = "warn"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Node:
    """One line, and what is below it."""

    text: str
    mark: Mark = Mark.PLAIN
    below: tuple["Node", ...] = ()


def tree_of(report: Report) -> Node:
    """Return the tree of a report.

    Args:
        report: see ``report_of``.
    """
    return Node(
        f"SearchAccess {report['namespace']}/{report['name']} on SearchCluster {report['cluster']}",
        below=tuple(
            node
            for nodes in (
                _state(report),
                _workload(report),
                _role(report),
                _credential(report),
                _usage(report),
                _times(report),
                _policies(report),
                _drift(report),
                _exclusive(report),
                _limits(report),
                _others(report),
            )
            for node in nodes
        ),
    )


def _leaves(*texts: str) -> tuple[Node, ...]:
    return tuple(Node(text) for text in texts if text)


def _state(report: Report) -> Iterator[Node]:
    ready = report["ready"]
    mark = Mark.GOOD if ready == "True" else Mark.BAD if ready == "False" else Mark.WARN
    since = f" since {report['since']}" if report["since"] else ""
    word = {"True": "ready", "False": "not ready"}.get(ready, "not known")
    message = report["message"] if ready != "True" else ""
    step = f"next: {report['nextStep']}" if ready != "True" and report["nextStep"] else ""
    yield Node(f"{word}: {report['reason'] or 'no status yet'}{since}", mark, _leaves(message, step))
    if report["mode"] != "Enforce":
        yield Node(f"mode: {report['mode']}", Mark.WARN)
    if not report["current"]:
        yield Node("the status is of an earlier version of it: the operator has not seen the last edit yet", Mark.WARN)
    if report["deletedAt"]:
        yield Node(f"is being deleted since {report['deletedAt']}", Mark.WARN)


def _workload(report: Report) -> Iterator[Node]:
    identity = report["identity"] or {}
    subject = f"subject: {report['subject'] or 'not known'}"
    changed = identity.get("changed", {})
    account = identity.get("serviceAccount", "")
    below = [
        *_leaves(
            f"workload: {identity['workload']}" if "workload" in identity else "",
            *(
                f"revision: {each['name']} ({each['percent']} %{', tag ' + each['tag'] if 'tag' in each else ''})"
                for each in identity.get("revisions", ())
            ),
            f"service account: {account}" if account else "",
            f"unique id: {identity['uniqueId']}" if "uniqueId" in identity else "",
            f"principal in Elasticsearch: {identity['principal']}" if "principal" in identity else "",
            f"before {changed['at']}: {changed['serviceAccount']}" if changed else "",
            f"shared with: {', '.join(identity['sharedWith'])}" if identity.get("sharedWith") else "",
        ),
        *(
            Node(f"outgoing: {each['serviceAccount']} has the access too, until it serves no more", Mark.WARN)
            for each in identity.get("outgoing", ())
        ),
    ]
    if "missingSince" in identity:
        below.append(Node(f"Cloud Run has no such workload since {identity['missingSince']}", Mark.BAD))
    yield Node(subject, below=tuple(below))


def _role(report: Report) -> Iterator[Node]:
    role = report["role"] or {}
    kept = report["auth"] != "IdentityToken"
    name = role.get("role") or ("its own key or user" if kept else "none yet")
    entries = [*map(_entry, report["entries"])]
    if report["clusterCan"]:
        entries.append(Node(f"cluster: {', '.join(report['clusterCan'])}"))
    mapping = _leaves(f"role mapping: {role['mapping']}" if role.get("mapping") else "")
    yield Node(f"role: {name} ({report['access'] or 'no rights'})", below=(*mapping, *entries))


def _entry(entry: Report) -> Node:
    place = f"{','.join(entry['clusters'])}:" if entry["clusters"] else ""
    what = f"{entry['application']} " if entry["application"] else ""
    fields = entry["fields"]
    shown = ""
    if fields:
        shown = f"fields: {', '.join(fields['grant'])}"
        shown += f" except {', '.join(fields['except'])}" if fields["except"] else ""
    texts = (f"where: {entry['where']}" if entry["where"] else "", shown)
    return Node(f"{place}{', '.join(entry['indices'])}: {what}{', '.join(entry['privileges'])}", below=_leaves(*texts))


def _condition(part: dict[str, Any] | None) -> tuple[str, str, str]:
    condition = (part or {}).get("condition", {})
    return condition.get("status", ""), condition.get("reason", ""), condition.get("message", "")


def _credential(report: Report) -> Iterator[Node]:
    credential = report["credential"]
    if credential is None:
        return
    status, reason, message = _condition(credential)
    mark = {"True": Mark.GOOD, "False": Mark.BAD}.get(status, Mark.WARN if status else Mark.PLAIN)
    texts = (
        f"key id: {credential['keyId']}" if "keyId" in credential else "",
        f"user: {credential['username']}" if "username" in credential else "",
        f"phase: {credential['phase']}, issued {credential['issued']}" if "phase" in credential else "",
        f"expires {credential['expires']}" if "expires" in credential else "",
        f"next rotation {credential['nextRotation']}" if "nextRotation" in credential else "",
        message if status != "True" else "",
    )
    named = ""
    if "store" in credential:
        named = f" in store {credential['store']}: {credential['name']} version {credential['version']}"
    yield Node(f"credential ({report['auth']}){named}{f': {reason}' if reason else ''}", mark, _leaves(*texts))


def _usage(report: Report) -> Iterator[Node]:
    usage = report["usage"]
    if usage is None:
        return
    used = f"last used: {usage['lastUsed']}" if "lastUsed" in usage else f"not used since {usage['since']}"
    until = f"until {usage['knownUntil']}, to a day" if usage["knownUntil"] else "and it is not known until when"
    yield Node(used, below=_leaves(f"uses are known since {usage['since']}, {until}"))


def _times(report: Report) -> Iterator[Node]:
    validity = report["validity"]
    if validity is None and not report["ends"]:
        return
    state = (validity or {}).get("state", "Active")
    texts = (
        f"ends {report['ends']}" if report["ends"] else "",
        f"next change {validity['nextChange']}" if validity and "nextChange" in validity else "",
        f"may be deleted after {validity['deletedAfter']}" if validity and "deletedAfter" in validity else "",
    )
    yield Node(f"time box: {state}", Mark.PLAIN if state == "Active" else Mark.WARN, _leaves(*texts))


def _policies(report: Report) -> Iterator[Node]:
    found = report["policies"]
    if found:
        below = tuple(
            Node(
                f"{policy['name']}: {policy['outcome']}",
                Mark(_POLICIES.get(policy["outcome"], "warn")),
                _leaves(*policy.get("reasons", ())),
            )
            for policy in found
        )
        yield Node("policies", below=below)


def _drift(report: Report) -> Iterator[Node]:
    drift = report["drift"] or {}
    number = open_differences(report)
    items = [item for item in drift.get("items", ()) if item["action"] != "Corrected"]
    if not number and not items:
        detected = drift.get("detected", 0)
        if detected:
            corrected = drift.get("corrected", 0)
            yield Node(f"drift: none open; {detected} detected so far, {corrected} corrected", Mark.GOOD)
        return
    below = tuple(
        Node(
            f"{item['object']} {item['path']}",
            below=_leaves(
                f"want {item.get('want') or 'nothing'}",
                f"have {item.get('have') or 'nothing'}",
                f"{item['action']}, first seen {item['firstSeen']}",
            ),
        )
        for item in items
    )
    text = f"drift: {number} open" if number else "pending: declared, and not applied"
    yield Node(text, Mark.BAD if number else Mark.WARN, below)


def _exclusive(report: Report) -> Iterator[Node]:
    status, reason, message = _condition(report["exclusive"])
    if status:
        mark = {"True": Mark.GOOD, "False": Mark.BAD}.get(status, Mark.WARN)
        yield Node(f"exclusive: {status} ({reason})", mark, _leaves(message if status != "True" else ""))


def _limits(report: Report) -> Iterator[Node]:
    limits = report["limits"]
    if limits is None:
        return
    rate = limits.get("requestsPerSecond")
    apis = limits.get("apis")
    texts = (
        f"requests: {rate} a second, {limits.get('burst', rate)} at once" if rate is not None else "",
        f"largest body: {limits['maxBody']}",
        f"APIs: {', '.join(apis) or 'none'}" if apis is not None else "",
        f"limited by: {', '.join(limits['limitedBy'])}" if limits.get("limitedBy") else "",
        f"limits: {', '.join(limits['limits'])}" if limits.get("limits") else "",
    )
    yield Node("limits at the gateway", below=_leaves(*texts))


def _others(report: Report) -> Iterator[Node]:
    """Show the other conditions that somebody has to know of."""
    good_while_true = {"IdentityResolved", "PolicyAccepted", "Synced", "QueriesProven"}
    for item in report["conditions"]:
        if item["status"] != ("True" if item["type"] in good_while_true else "False"):
            text = f"{item['type']}: {item['status']} ({item['reason']})"
            yield Node(text, Mark.WARN, _leaves(item.get("message", "")))
