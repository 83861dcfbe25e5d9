"""What all kinds' cases are made of: valid manifests, some of whose fields are replaced."""

from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from searchaccess.api.constants import API_VERSION

READER = {"indices": ["orders-*"], "can": ["read"]}

_SPECS: dict[str, dict[str, Any]] = {
    "SearchAccess": {
        "cluster": "prod",
        "subject": {"serviceAccount": "orders@acme-shop.iam.gserviceaccount.com"},
        "grants": [READER],
    },
    "SearchCluster": {
        "urls": ["https://elasticsearch.example.com:9200"],
        "login": {"secretRef": {"namespace": "searchaccess-system", "name": "elasticsearch-login"}},
        "identity": {"jwtRealm": {"name": "google", "audience": "https://es.example.com"}},
    },
    "SearchAccessApproval": {"name": "orders", "uid": "1", "generation": 1, "approvedBy": {"username": "jane"}},
    "SearchAccessPolicy": {"limits": {"regularExpressions": False}},
}


@dataclass(frozen=True)
class Case:
    """One manifest; `says` is a part of the API server's refusal, empty: it is taken."""

    sentence: str
    manifest: dict[str, Any]
    says: str = ""

    @property
    def name(self) -> str:
        return str(self.manifest["metadata"]["name"])


class Cases(list[Case]):
    def add(self, kind: str, sentence: str, changes: dict[str, Any], says: str = "", name: str = "") -> None:
        """Add a valid manifest with some fields of its spec replaced; None takes a field away."""
        spec = {key: value for key, value in (deepcopy(_SPECS[kind]) | changes).items() if value is not None}
        metadata = {"name": name or f"{kind.lower()}-{len(self)}"}
        self.append(Case(sentence, {"apiVersion": API_VERSION, "kind": kind, "metadata": metadata, "spec": spec}, says))

    def grant(self, sentence: str, changes: dict[str, Any], says: str = "") -> None:
        """Add a SearchAccess with one grant: a reader, changed."""
        self.add("SearchAccess", sentence, {"grants": [READER | changes]}, says)

    def access(self, sentence: str, changes: dict[str, Any], says: str = "") -> None:
        self.add("SearchAccess", sentence, changes, says)

    def cluster(self, sentence: str, changes: dict[str, Any], says: str = "", name: str = "") -> None:
        self.add("SearchCluster", sentence, changes, says, name)

    def approval(self, sentence: str, changes: dict[str, Any], says: str = "") -> None:
        self.add("SearchAccessApproval", sentence, changes, says)

    def policy(self, sentence: str, changes: dict[str, Any], says: str = "") -> None:
        self.add("SearchAccessPolicy", sentence, changes, says)


def numbered(count: int, length: int = 0, prefix: str = "i") -> list[str]:
    return [f"{prefix}{number}".ljust(length, "x") for number in range(count)]
