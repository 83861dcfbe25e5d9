"""What the API server takes and refuses of all kinds, as sentences."""

from typing import Any

from searchaccess.api.vocabulary.actions import Action
from searchaccess.api.vocabulary.privileges import DECLARABLE_ON_CLUSTER, REFUSED_ON_INDICES
from tests.integration.kinds.cases.cluster import accept_clusters, reject_clusters
from tests.integration.kinds.cases.common import READER, Case, Cases, numbered
from tests.integration.kinds.cases.credential import accept_credentials, reject_credentials
from tests.integration.kinds.cases.kibana import accept_kibana, reject_kibana
from tests.integration.kinds.cases.limit import accept_limits, reject_limits
from tests.integration.kinds.cases.policy import accept_policies, reject_policies
from tests.integration.kinds.cases.remote import accept_remote, reject_remote

WORKLOAD = {"project": "acme-shop", "location": "europe-west1", "name": "orders"}

_WHERE = {"where": {"term": {"region": "eu"}}}
_FIELDS = {"fields": {"exclude": ["customer.ssn"]}}
_BAD_NAME = 'an index name cannot contain \\ / " < > | : # a comma or white space: name one index'
_BAD_PRIVILEGE = "write the name of an index privilege such as read or view_index_metadata"
_BAD_ACCOUNT = "write the service account's e-mail address in lower case, such as orders@acme-shop.iam"
_BAD_START = "an index name cannot start with - _ or +: write the name itself"
_BAD_REGEX = "a regular expression is enclosed in slashes: write /orders-[0-9]+/"
_UPPER = "index names are lower case: write it in lower case"
_DOTS = "an index cannot be named . or ..: write its name"
_NOTHING = "declare at least one grant, such as {indices: [orders-*], can: [read]}, or clusterCan"


def rejected() -> list[Case]:
    """Every CEL rule and every limit of the schema, broken."""
    cases = Cases()
    _reject_accesses(cases)
    _reject_grants(cases)
    reject_remote(cases)
    reject_limits(cases)
    reject_kibana(cases)
    reject_credentials(cases)
    reject_clusters(cases)
    reject_policies(cases)
    return cases


def _workload(**changes: str | None) -> dict[str, Any]:
    return {key: value for key, value in {**WORKLOAD, **changes}.items() if value is not None}


def _reject_subjects(cases: Cases) -> None:
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


def _reject_accesses(cases: Cases) -> None:
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
    cases.access("51 grants", {"grants": [READER | {"indices": [name]} for name in numbered(51)]}, "at most 50 items")
    cases.access("a cluster privilege that changes security", {"clusterCan": ["manage_security"]}, "Unsupported value")
    cases.access("a cluster privilege twice", {"clusterCan": ["monitor", "monitor"]}, "Duplicate value")
    too_many = ["monitor"] * (len(DECLARABLE_ON_CLUSTER) + 1)
    cases.access("too many cluster privileges", {"clusterCan": too_many}, f"at most {len(DECLARABLE_ON_CLUSTER)} items")
    cases.access("an unknown mode", {"mode": "Report"}, 'supported values: "Enforce", "Observe"')
    cases.access("suspend as a word", {"suspend": "yes"}, "must be of type boolean")
    _reject_times(cases)
    _reject_schedules(cases)
    cases.access("an unknown deletionPolicy", {"deletionPolicy": "Keep"}, 'values: "Delete", "Orphan", "Disable"')


def _reject_times(cases: Cases) -> None:
    early, late = "2027-01-31T00:00:00+01:00", "2027-01-31T00:00:00Z"
    order, orphans = "validUntil must be later than validFrom", "nobody would end orphaned rights"
    cases.access("an end before the beginning", {"validFrom": late, "validUntil": early}, order)
    cases.access("an end at the beginning", {"validFrom": late, "validUntil": late}, order)
    cases.access("an end and rights that stay", {"validUntil": late, "deletionPolicy": "Orphan"}, orphans)
    alone = {"ttlAfterExpired": "24h"}
    cases.access("a time after an end that is missing", alone, "ttlAfterExpired counts from validUntil: set validUntil")
    for text in ("-1s", "87601h", "a day", "24"):
        wrong = {"validUntil": late, "ttlAfterExpired": text}
        cases.access(f"ttlAfterExpired: {text!r}", wrong, "write a duration between 0s and 87600h, such as 24h")
    long = {"validUntil": late, "ttlAfterExpired": "1" * 21}
    cases.access("too long a ttlAfterExpired", long, "may not be more than 20")
    for field in ("validFrom", "validUntil"):
        for text in ("", "tomorrow", "2027-01-31", "2027-01-31T00:00:00", "2027-02-30T00:00:00Z", "9" * 41):
            cases.access(f"{field}: {text!r}", {field: text}, f"spec.{field}")
        cases.access(f"{field} as a number", {field: 1801353600}, "must be of type date-time")


def _schedule(**changes: Any) -> dict[str, Any]:
    whole = {"cron": "0 8 * * MON-FRI", "timeZone": "Europe/Berlin", "duration": "10h"} | changes
    return {"schedule": {key: value for key, value in whole.items() if value is not None}}


def _reject_schedules(cases: Cases) -> None:
    five, zone = "write five fields: minute, hour, day of the month, month", "write the name of a time zone, such as"
    for text in ("", "0 8 * *", "0 0 8 * * *", "@daily", "0 8 * * ?", " 0 8 * * *", "0\t8 * * *"):
        cases.access(f"the cron {text!r}", _schedule(cron=text), five)
    for text in ("", "Berlin", "../etc/localtime", "Europe/", "/Europe/Berlin", "Europe/Ber lin"):
        cases.access(f"the time zone {text!r}", _schedule(timeZone=text), zone)
    for text in ("0s", "59s", "8761h", "a day"):
        cases.access(f"the duration {text!r}", _schedule(duration=text), "write a duration between 1m and 8760h")
    for field, most in (("cron", 100), ("timeZone", 64), ("duration", 20)):
        long = _schedule(**{field: "1" * (most + 1)})
        cases.access(f"too long a {field}", long, f"may not be more than {most}")
        cases.access(f"a schedule without {field}", _schedule(**{field: None}), "Required value")
    cases.access("a schedule and rights that stay", _schedule() | {"deletionPolicy": "Orphan"}, "nobody would end")
    key = {"auth": "ApiKey", "credential": {"store": "main", "name": "orders"}}
    cases.access("a schedule for a key", _schedule() | key, "each window would need another credential")


def _reject_grants(cases: Cases) -> None:
    cases.access("a grant without indices", {"grants": [{"can": ["read"]}]}, "spec.grants[0].indices: Required value")
    cases.grant("a grant on no index", {"indices": []}, "should have at least 1 items")
    cases.grant("a grant on 51 indices", {"indices": numbered(51)}, "at most 50 items")
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
    cases.grant("a grant that does not say what may be done", {"can": []}, "add can: [read]")
    cases.grant("an unknown action", {"can": ["search"]}, 'supported values: "read", "append", "write"')
    cases.grant("an action twice", {"can": ["read", "read"]}, 'Duplicate value: "read"')
    too_many = ["read"] * (len(Action) + 1)
    cases.grant("too many actions", {"can": too_many}, f"at most {len(Action)} items")
    for privilege in ("Read", "read write", "cluster:monitor/main", "indices:data/Read", "*", "read1"):
        cases.grant(f"the privilege {privilege}", {"privileges": [privilege]}, _BAD_PRIVILEGE)
    for privilege in REFUSED_ON_INDICES:
        cases.grant(f"the privilege {privilege}", {"privileges": ["read", privilege]}, "for API keys of other clusters")
    cases.grant("an empty privilege", {"privileges": [""]}, "should be at least 1 chars long")
    cases.grant("a privilege of 101 characters", {"privileges": ["a" * 101]}, "may not be more than 100")
    cases.grant("a privilege twice", {"privileges": ["read", "read"]}, 'Duplicate value: "read"')
    letters = [f"a{'b' * number}" for number in range(31)]
    cases.grant("31 privileges", {"privileges": letters}, "at most 30 items")
    cases.grant("fields without reading", _FIELDS | {"can": ["append"]}, "fields limits what can be read: add read")
    cases.grant("where without reading", _WHERE | {"can": ["write"]}, "where limits what can be read, not what can be")
    cases.grant("fields that include nothing", {"fields": {"include": []}}, "should have at least 1 items")
    for side in ("include", "exclude"):
        cases.grant(f"201 fields to {side}", {"fields": {side: numbered(201)}}, "at most 200 items")
        cases.grant(f"an empty field to {side}", {"fields": {side: [""]}}, "should be at least 1 chars long")
        cases.grant(f"a field of 256 characters to {side}", {"fields": {side: ["a" * 256]}}, "not be more than 255")
    cases.grant("fields that exclude nothing", {"fields": {"exclude": []}}, "should have at least 1 items")
    cases.grant("fields without a field", {"fields": {}}, "set include, exclude or both")
    cases.grant("where without a query", {"where": {}}, "should have at least 1 properties")
    cases.grant("where with two queries", {"where": {"term": {"a": 1}, "match_all": {}}}, "must have at most 1 item")
    cases.grant("where as a text", {"where": '{"term": {}}'}, "must be of type object")


def accepted() -> list[Case]:
    """What must be taken: the usual, and everything at its limit."""
    cases = Cases()
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
    cases.grant("every action", {"can": [action.value for action in Action]})
    cases.grant("fields and where for a reader", _FIELDS | _WHERE)
    cases.grant("fields and where with raw privileges", _FIELDS | _WHERE | {"can": [], "privileges": ["read"]})
    deep = {
        "bool": {"filter": [{"term": {"a": 1}}, {"range": {"b": {"gte": 1.5}}}], "must_not": {"exists": {"field": "c"}}}
    }
    cases.grant("where with a nested query", {"where": deep})
    cases.access("every cluster privilege, without grants", {"grants": None, "clusterCan": list(DECLARABLE_ON_CLUSTER)})
    cases.access(
        "the same restriction on two grants on the same indices", {"grants": [READER | _WHERE, READER | _WHERE]}
    )
    cases.access("a restriction on one of two grants on the same indices",
                 {"grants": [READER | _WHERE, READER | {"can": ["delete"]}]})  # fmt: skip
    for times in (
        {"validFrom": "2027-01-31T00:00:00Z", "deletionPolicy": "Orphan"}, {"validUntil": "9999-12-31T23:59:59Z"},
        {"validUntil": "2027-01-31T00:00:00Z", "ttlAfterExpired": "0s"},
        {"validUntil": "2027-01-31T00:00:00Z", "ttlAfterExpired": "87600h"},
        {"validFrom": "2027-01-31T00:00:00.5+14:00", "validUntil": "2027-01-31T00:00:00-12:00"},
    ):  # fmt: skip
        cases.access(f"the times {times}", times)
    cases.access("windows", _schedule())
    cases.access("windows without a day's end", _schedule(cron="*/5 0-23/2 L,1 JAN,2 MON#1", timeZone="UTC"))
    cases.access("everything set", {
        "clusterCan": ["monitor"], "mode": "Observe", "suspend": True, "deletionPolicy": "Disable", "cluster": "a" * 63,
    })  # fmt: skip
    wide = READER | {"privileges": [f"a{'b' * number}" for number in range(30)]}
    halves = [
        wide | (_WHERE if number % 2 else {}) | {"indices": numbered(50, 255, f"orders-{number}-")}
        for number in range(50)
    ]
    cases.access("50 grants on 50 indices of 255 characters, half of them restricted", {"grants": halves})
    full = {"include": numbered(200, 255), "exclude": numbered(200, 255)}
    cases.grant("200 fields of 255 characters in and out", {"fields": full})
    accept_remote(cases)
    accept_limits(cases)
    accept_kibana(cases)
    accept_credentials(cases)
    accept_clusters(cases)
    accept_policies(cases)
    return cases
