"""Asks the operator for something, with the rights of the person who runs a command, and follows what becomes of it."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from contextlib import aclosing
from typing import Any, Final

from searchaccess.adapters.kubernetes.client import KubernetesClient
from searchaccess.adapters.kubernetes.paths import parameter, path_of
from searchaccess.api.constants import GROUP, VERSION
from searchaccess.core.answers.verbs.outcomes import Asked, Outcome, State, outcome_of
from searchaccess.core.model.intake.metadata import metadata_of
from searchaccess.core.model.intake.reading import mapping, objects
from searchaccess.operator.answers.reading import next_step
from searchaccess.ports.errors import NotFound, PermissionDenied, Rejected, TransientError
from searchaccess.ports.kubernetes import Plural
from searchaccess.ports.tasks import first_error_alone

MANAGER: Final = "kubectl-searchaccess"
"""Name of these writes in ``metadata.managedFields``."""
POLL_EVERY: Final = 2.0
"""Seconds between two readings where a person may not watch, or the API server is not reached."""
_MERGE: Final = "application/merge-patch+json"
_ROOT: Final = f"/apis/{GROUP}/{VERSION}"
_REVIEW: Final = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
OnOutcome = Callable[[str, Outcome], None]


class Changes:
    """Writes to the API server, as a person.

    Args:
        client: the API server.
        dry_run: the API server checks everything, and stores nothing.
    """

    def __init__(self, client: KubernetesClient, *, dry_run: bool = False) -> None:
        self._client = client
        self._query = f"?fieldManager={MANAGER}" + ("&dryRun=All" if dry_run else "")

    async def find(self, namespace: str, name: str) -> dict[str, Any]:
        """Return a SearchAccess.

        Raises:
            NotFound: there is none.
            ExternalError: it may not be read.
        """
        with next_step():
            try:
                return await self._client.call("GET", _path(namespace, Plural.ACCESSES, name))
            except NotFound:
                raise Rejected(f"there is no SearchAccess {namespace}/{name}: -n chooses another namespace") from None

    async def select(self, namespace: str, selector: str) -> list[dict[str, Any]]:
        """Return SearchAccesses by their labels.

        Args:
            namespace: where; empty: in all.
            selector: as kubectl takes it; empty: all of them.
        """
        where = _path(namespace, Plural.ACCESSES)
        query = f"?labelSelector={parameter(selector)}" if selector else ""
        with next_step():
            return objects((await self._client.call("GET", f"{where}{query}")).get("items"))

    async def patch(self, raw: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
        """Change a SearchAccess, if it is still the same object; return it as it is then.

        Args:
            raw: as it was read.
            change: a merge patch.

        Raises:
            Conflict: another object has this name now.
            ExternalError: it is refused.
        """
        meta = metadata_of(raw)
        body = {**change, "metadata": {**mapping(change.get("metadata")), "uid": meta.uid}}
        path = f"{_path(meta.namespace, Plural.ACCESSES, meta.name)}{self._query}"
        with next_step():
            return await self._client.call("PATCH", path, body, _MERGE)

    async def create_approval(self, body: Mapping[str, Any], namespace: str) -> dict[str, Any]:
        """Create a SearchAccessApproval; return it as it is stored."""
        with next_step():
            return await self._client.call("POST", f"{_path(namespace, Plural.APPROVALS)}{self._query}", dict(body))

    async def delete_approval(self, raw: Mapping[str, Any]) -> None:
        """Delete a SearchAccessApproval, if it is still the same object; one that is gone is fine."""
        meta = metadata_of(raw)
        body: dict[str, Any] = {"preconditions": {"uid": meta.uid}}
        if "dryRun" in self._query:
            # In the body: with one, the API server ignores the query.
            body["dryRun"] = ["All"]
        try:
            with next_step():
                await self._client.call("DELETE", _path(meta.namespace, Plural.APPROVALS, meta.name), body)
        except NotFound:
            return

    async def approvals_of(self, access: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Return the approvals of a SearchAccess."""
        meta = metadata_of(access)
        with next_step():
            found = await self._client.call("GET", _path(meta.namespace, Plural.APPROVALS))
        return [raw for raw in objects(found.get("items")) if mapping(raw.get("spec")).get("uid") == meta.uid]

    async def whoami(self) -> tuple[str, tuple[str, ...]]:
        """Return the name and the groups of the person, as the API server knows them."""
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
        with next_step():
            answer = await self._client.call("POST", f"{_REVIEW}?fieldManager={MANAGER}", body)
        info = mapping(mapping(answer.get("status")).get("userInfo"))
        groups = info.get("groups")
        return str(info.get("username", "")), tuple(map(str, groups)) if isinstance(groups, list) else ()

    async def follow(
        self, asked: Mapping[str, Asked], raws: list[dict[str, Any]], within: float, on_outcome: OnOutcome
    ) -> dict[str, Outcome]:
        """Follow SearchAccesses until it is known what became of each request, or the time is over.

        Args:
            asked: the requests by uid.
            raws: the SearchAccesses as they are after the requests.
            within: seconds.
            on_outcome: called with the uid and each outcome that is new.

        Returns:
            The last outcome of each by uid; it may be pending.
        """
        followed = _Followed(asked, on_outcome)
        names: dict[str, dict[str, str]] = {}
        for raw in raws:
            meta = metadata_of(raw)
            followed.take(raw)
            names.setdefault(meta.namespace, {})[meta.uid] = meta.name
        try:
            async with asyncio.timeout(within):
                with first_error_alone():
                    async with asyncio.TaskGroup() as group:
                        for namespace, by_uid in names.items():
                            group.create_task(self._follow_in(namespace, by_uid, followed))
        except TimeoutError:
            pass
        return followed.outcomes

    async def _follow_in(self, namespace: str, names: Mapping[str, str], followed: "_Followed") -> None:
        """Follow the SearchAccesses of a namespace, by their names by uid."""
        if followed.is_known(names):
            return
        async with aclosing(self._seen(namespace, names)) as seen:
            async for raw, gone in seen:
                followed.gone(gone) if raw is None else followed.take(raw)
                if followed.is_known(names):
                    return

    async def _seen(
        self, namespace: str, names: Mapping[str, str]
    ) -> AsyncGenerator[tuple[Mapping[str, Any] | None, str], None]:
        """Yield the SearchAccesses of a namespace as they change, or the uid of one that is gone; forever.

        It lists them, and watches from there. Where a person may list and not watch, it lists again and again.
        """
        where = _path(namespace, Plural.ACCESSES)
        field = f"fieldSelector=metadata.name%3D{parameter(next(iter(names.values())))}&" if len(names) == 1 else ""
        while True:
            try:
                page = await self._client.call("GET", f"{where}?{field}")
                there = {metadata_of(raw).uid: raw for raw in objects(page.get("items"))}
                for uid in names:
                    yield there.get(uid), uid
                version = str(mapping(page.get("metadata")).get("resourceVersion", ""))
                async with aclosing(self._client.stream(f"{where}?{field}watch=1&resourceVersion={version}")) as events:
                    async for event in events:
                        if event.get("type") not in {"ADDED", "MODIFIED", "DELETED"}:
                            # Such as an outdated version: it is listed again.
                            break
                        raw = mapping(event.get("object"))
                        yield None if event["type"] == "DELETED" else raw, metadata_of(raw).uid
            except (TransientError, PermissionDenied):
                pass
            await asyncio.sleep(POLL_EVERY)


class _Followed:
    """What is known of each request.

    Args:
        asked: the requests by uid.
        on_outcome: called with the uid and each outcome that is new.
    """

    def __init__(self, asked: Mapping[str, Asked], on_outcome: OnOutcome) -> None:
        self._asked = asked
        self._on_outcome = on_outcome
        nothing = Outcome(State.PENDING, "the operator has not seen it yet")
        self.outcomes = dict.fromkeys(asked, nothing)

    def take(self, raw: Mapping[str, Any]) -> None:
        """Take in a SearchAccess as it is now."""
        uid = metadata_of(raw).uid
        if uid in self.outcomes and self.outcomes[uid].state is State.PENDING:
            self._note(uid, outcome_of(self._asked[uid], raw))

    def gone(self, uid: str) -> None:
        """Take in that a SearchAccess is gone."""
        if uid in self.outcomes and self.outcomes[uid].state is State.PENDING:
            self._note(uid, Outcome(State.REFUSED, "it was deleted"))

    def _note(self, uid: str, found: Outcome) -> None:
        if found != self.outcomes[uid]:
            self.outcomes[uid] = found
            self._on_outcome(uid, found)

    def is_known(self, uids: Iterable[str]) -> bool:
        """Return whether it is known what became of all of these."""
        return all(self.outcomes[uid].state is not State.PENDING for uid in uids)


def _path(namespace: str, plural: Plural, name: str = "") -> str:
    if not namespace:
        return f"{_ROOT}/{plural}"
    return path_of(f"{_ROOT}/namespaces", namespace, plural, *([name] if name else []))
