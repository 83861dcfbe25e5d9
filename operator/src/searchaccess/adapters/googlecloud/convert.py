"""Reads answers of the Cloud Run Admin API v2.

https://cloud.google.com/run/docs/reference/rpc/google.cloud.run.v2
"""

from collections.abc import Collection, Iterable
from typing import Any, Final

from google.cloud.run_v2 import Condition, InstanceSplitStatus, Job, Service, TrafficTargetStatus, WorkerPool
from google.cloud.run_v2.types import InstanceSplitAllocationType, TrafficTargetAllocationType

from searchaccess.core.credentials.pins import full_name
from searchaccess.core.model.identities.workload import (
    Found,
    Place,
    SecretUse,
    Serving,
    Template,
    Workload,
    WorkloadKind,
)

_LONGEST: Final = 300
_NEWEST: Final = "latest"
_LATEST: Final = frozenset({
    TrafficTargetAllocationType.TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST,
    InstanceSplitAllocationType.INSTANCE_SPLIT_ALLOCATION_TYPE_LATEST,
})  # fmt: skip


def _short(name: str) -> str:
    return name.rpartition("/")[2]


def _uses(raw: Any) -> tuple[SecretUse, ...]:
    found = set()
    for container in raw.containers:
        for variable in container.env:
            reference = variable.value_source.secret_key_ref
            if reference.secret:
                found.add(SecretUse(reference.secret, reference.version or _NEWEST))
    for volume in raw.volumes:
        secret = volume.secret.secret
        if secret:
            # Without items there is one file, of the newest version.
            versions = [item.version or _NEWEST for item in volume.secret.items] or [_NEWEST]
            found.update(SecretUse(secret, version) for version in versions)
    return tuple(sorted(found))


def template_of(raw: Any) -> Template:
    """Read a template of any kind, or what was made from one."""
    return Template(raw.service_account, _uses(raw))


def name_version(workload: Workload, raw: Any, names: Collection[str], number: int) -> bool:
    """Write a version's number wherever a workload's template names the secret; say whether that changes it."""
    is_job = workload.place.kind is WorkloadKind.JOB
    template = raw.template.template if is_job else raw.template
    project, version, changed = workload.place.project, str(number), False
    variables = (variable for container in template.containers for variable in container.env)
    for reference in (variable.value_source.secret_key_ref for variable in variables):
        if reference.secret and full_name(reference.secret, project) in names:
            changed = changed or reference.version != version
            reference.version = version
    for source in (volume.secret for volume in template.volumes):
        if not source.secret or full_name(source.secret, project) not in names:
            continue
        if not source.items:
            # Without items there is one file, named as the secret.
            source.items = [{"path": source.secret.rpartition("/")[2], "version": version}]
            changed = True
        for item in source.items:
            changed = changed or item.version != version
            item.version = version
    if changed and not is_job:
        # The name of the previous revision, if people chose one: a new one needs another.
        template.revision = ""
    return changed


def _failed(raw: Any) -> str:
    condition = raw.terminal_condition
    if condition.state != Condition.State.CONDITION_FAILED:
        return ""
    return str(condition.message or "the newest revision cannot serve")[:_LONGEST]


def _serving(targets: Iterable[tuple[str, int, str]]) -> tuple[Serving, ...]:
    found: dict[str, Serving] = {}
    for revision, percent, tag in targets:
        if revision and (percent or tag):
            before = found.get(revision, Serving(revision))
            found[revision] = Serving(revision, before.percent + percent, before.tag or tag)
    return tuple(found.values())


def service_found(place: Place, raw: Service) -> Found:
    """Read a service."""
    return _found(place, raw, ((item, item.tag) for item in raw.traffic_statuses))


def worker_pool_found(place: Place, raw: WorkerPool) -> Found:
    """Read a worker pool."""
    return _found(place, raw, ((item, "") for item in raw.instance_split_statuses))


def _found(
    place: Place,
    raw: Service | WorkerPool,
    targets: Iterable[tuple[TrafficTargetStatus | InstanceSplitStatus, str]],
) -> Found:
    """Read a service or worker pool.

    Args:
        place: its project, location and kind.
        raw: as Google's API returns it.
        targets: of its traffic or instances, each with its tag.
    """
    ready = _short(raw.latest_ready_revision)
    return Found(
        workload=Workload(place, _short(raw.name)),
        uid=raw.uid,
        service_account=raw.template.service_account,
        latest_created=_short(raw.latest_created_revision),
        latest_ready=ready,
        serving=_serving(
            (ready if item.type_ in _LATEST else _short(item.revision), item.percent, tag) for item, tag in targets
        ),
        reconciling=raw.reconciling or raw.observed_generation != raw.generation,
        uses=_uses(raw.template),
        failed=_failed(raw),
    )


def job_found(place: Place, raw: Job) -> Found:
    """Read a job."""
    made = template_of(raw.template.template)
    return Found(Workload(place, _short(raw.name)), raw.uid, made.service_account, uses=made.uses)
