"""Reads from Cloud Run which versions of a secret a workload still uses."""

from searchaccess.core.credentials.credential import Secret
from searchaccess.core.credentials.pins import Pins, User, pins_of
from searchaccess.core.model.identities.workload import Workload, WorkloadKind
from searchaccess.ports.errors import ExternalError, NotFound
from searchaccess.ports.google import GooglePort

_SINGULAR = {WorkloadKind.SERVICE: "service", WorkloadKind.JOB: "job", WorkloadKind.WORKER_POOL: "worker pool"}


async def find_pins(google: GooglePort, workload: Workload, secret: Secret) -> Pins:
    """Find the versions of a secret that a workload uses: in its template, and in what serves or runs.

    Never raises for external errors: then it reports that the versions are not known.

    Args:
        google: Google Cloud; one request for the workload, and one for each revision that serves.
        workload: the consumer of the secret.
        secret: the secret.
    """
    try:
        users, failed = await _users(google, workload)
    except NotFound:
        # A missing workload uses nothing.
        return Pins({})
    except ExternalError as error:
        return Pins({}, error.message)
    return pins_of(users, secret.names, dict(secret.aliases), failed)


async def _users(google: GooglePort, workload: Workload) -> tuple[list[User], str]:
    project = workload.place.project
    found = await google.get_workload(workload)
    following, is_last = "", workload.place.kind is not WorkloadKind.JOB
    users: list[User] = []
    while not is_last:
        page = await google.running_executions(workload, following)
        users += [User(f"execution {name}", project, made.uses) for name, made in page.running.items()]
        following, is_last = page.following, not page.following
    for serving in found.serving:
        try:
            made = await google.revision_template(workload, serving.revision)
        except NotFound:
            continue  # It was deleted meanwhile.
        users.append(User(f"revision {serving.revision}", project, made.uses))
    # What runs or serves matters most to people, so it comes before its template.
    name = f"the template of {_SINGULAR[workload.place.kind]} {workload.name}"
    return [*users, User(name, project, found.uses, is_template=True)], found.failed
