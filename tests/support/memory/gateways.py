"""Gateways in memory: their objects in Kubernetes, their pods, and what answers at their address."""

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from searchaccess.core.credentials.sealed import Sealed
from searchaccess.core.gateway.facts import Pod
from searchaccess.core.gateway.objects import LOGIN, VERSION, Observed, Place, Target, Wanted, digests_of
from searchaccess.core.gateway.proof import Answer
from searchaccess.ports.errors import Conflict, Unreachable
from searchaccess.ports.gateway import Gateways
from tests.support.failures.faults import Call, Faults

SIDE: Final = "gateway"
OWN_EMAIL: Final = "operator@platform.iam.gserviceaccount.com"
AUDIENCE: Final = "https://es.example.com"


def own_token(audience: str, email: str = OWN_EMAIL, **claims: int) -> str:
    """Return a token like Google's, which nobody signed."""
    parts = ({"alg": "RS256"}, {"aud": audience, "email": email, **claims})
    return ".".join([*(base64.urlsafe_b64encode(json.dumps(part).encode()).decode() for part in parts), "signature"])


@dataclass(slots=True)
class Stored:
    """An object as the API server has it."""

    observed: Observed
    data: dict[str, str] = field(repr=False)


class MemoryGateways:
    """Objects and calls. The ports' methods are the operator's; the others are everybody else's."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults
        self._version = 0
        self.objects: dict[Target, Stored] = {}
        self.running: dict[tuple[str, str], dict[str, str]] = {}
        """By namespace and name of a gateway, its pods, and which version each has loaded; ``!``: it does not say."""
        self.follows = True
        """Whether pods load each configuration at once."""
        self.started: dict[str, str] = {}
        """By pod, when it started; RFC 3339."""
        self.waiting: dict[str, str] = {}
        """By pod, why it does not run."""
        self.ending: dict[str, str] = {}
        """By pod that is being deleted, by when it is to have ended; RFC 3339. It loads nothing new."""
        self.marks: dict[str, str] = {}
        """By pod, the annotation that has its kubelet look for changed files."""
        self.hears = False
        """Whether kubelets look when a pod is marked, where pods do not load each configuration at once."""
        self.has_identity = False
        self.tokens: Callable[[str], str] = own_token
        """What Google gives for an audience."""
        self.answers: Callable[[Mapping[str, str], str], Answer] = self.refuses
        """What a gateway answers to headers and a token."""

    @property
    def gateways(self) -> Gateways:
        """The ports."""
        return Gateways(self, self)

    # Everybody else

    def refuses(self, headers: Mapping[str, str], token: str) -> Answer:  # noqa: ARG002 - of a gateway that works
        """Be a gateway that works."""
        if self.has_identity and token == own_token(AUDIENCE):
            return Answer(200, f"searchaccess.default.{OWN_EMAIL}")
        return Answer(401)

    def run(self, place: Place, *pods: str) -> None:
        """Start pods of a gateway."""
        self.running[place.namespace, place.name] = dict.fromkeys(pods, "")
        self._load()

    def _load(self) -> None:
        for (namespace, name), pods in self.running.items():
            stored = self.objects.get(Place(namespace, name).config)
            for pod in pods if stored and self.follows else ():
                if pods[pod] != "!" and pod not in self.ending:
                    pods[pod] = stored.observed.annotations.get(VERSION, "") if stored else ""

    def store(self, target: Target, data: dict[str, str], **changes: Mapping[str, str]) -> None:
        """Have somebody write an object."""
        self._version += 1
        before = self.objects.get(target)
        known = before.observed if before else Observed(f"uid-{self._version}", "")
        sealed = {key: Sealed(value) for key, value in data.items()}
        login = sealed.get(LOGIN) if target.kind == "Secret" else None
        observed = replace(known, version=str(self._version), digests=digests_of(sealed), login=login, **changes)  # type: ignore[arg-type]
        self.objects[target] = Stored(observed, data)
        self._load()

    # The ports

    async def read(self, target: Target) -> Observed | None:
        def find() -> Observed | None:
            stored = self.objects.get(target)
            return stored.observed if stored else None

        return await self._faults.perform(Call(SIDE, "read", (str(target),)), find)

    async def write(self, wanted: Wanted, known: Observed | None) -> Observed:
        def put() -> Observed:
            before = self.objects.get(wanted.target)
            if (before.observed.version if before else None) != (known.version if known else None):
                raise Conflict(f"{wanted.target} changed meanwhile")
            labels = {**(before.observed.labels if before else {}), **wanted.labels}
            annotations = {**(before.observed.annotations if before else {}), **wanted.annotations}
            data = {key: value.reveal() for key, value in wanted.data.items()}
            self.store(wanted.target, data, labels=labels, annotations=annotations)
            return self.objects[wanted.target].observed

        return await self._faults.perform(Call(SIDE, "write", (str(wanted.target),), write=True), put)

    async def mark(self, target: Target, known: Observed, annotations: Mapping[str, str]) -> None:
        def put() -> None:
            stored = self.objects.get(target)
            if stored is None or stored.observed.version != known.version:
                raise Conflict(f"{target} changed meanwhile")
            both = {**stored.observed.annotations, **annotations}
            self.store(target, stored.data, annotations=both)

        await self._faults.perform(Call(SIDE, "mark", (str(target),), write=True), put)

    async def delete(self, target: Target, known: Observed) -> None:
        def drop() -> None:
            stored = self.objects.get(target)
            if stored and stored.observed.version != known.version:
                raise Conflict(f"{target} changed meanwhile")
            self.objects.pop(target, None)

        await self._faults.perform(Call(SIDE, "delete", (str(target),), write=True), drop)

    async def pods(self, namespace: str, gateway: str) -> Sequence[Pod]:
        pods = self.running.get((namespace, gateway), {})
        return await self._faults.perform(
            Call(SIDE, "pods", (namespace, gateway)),
            lambda: [
                Pod(name, "", waits=self.waiting[name])
                if name in self.waiting
                else Pod(
                    name,
                    f"10.0.0.{number}",
                    self.started.get(name, ""),
                    ends=self.ending.get(name, ""),
                    mark=self.marks.get(name, ""),
                )
                for number, name in enumerate(pods, 1)
            ],
        )

    async def mark_pod(self, namespace: str, pod: str, mark: str) -> None:
        def put() -> None:
            self.marks[pod] = mark
            for (place, name), pods in self.running.items():
                stored = self.objects.get(Place(place, name).config)
                if self.hears and place == namespace and stored and pods.get(pod, "!") != "!":
                    pods[pod] = stored.observed.annotations.get(VERSION, "")

        await self._faults.perform(Call(SIDE, "mark_pod", (pod,), write=True), put)

    async def version_of(self, pod: Pod) -> str:
        def ask() -> str:
            found = next(pods[pod.name] for pods in self.running.values() if pod.name in pods)
            if found == "!":
                raise Unreachable("it does not answer in time")
            return found

        return await self._faults.perform(Call(SIDE, "version_of", (pod.name,)), ask)

    async def call(self, url: str, ca: str, headers: Mapping[str, str], token: Sealed | None) -> Answer:  # noqa: ARG002 - of the port
        return await self._faults.perform(
            Call(SIDE, "call", (url,)), lambda: self.answers(headers, token.reveal() if token else "")
        )

    async def own_token(self, audience: str) -> Sealed | None:
        return Sealed(self.tokens(audience)) if self.has_identity else None
