"""The parts of both kinds that are about stored credentials."""

from enum import StrEnum
from typing import Annotated, Final, TypeAlias

from pydantic import Field, model_validator

from searchaccess.api.base import ApiModel, Narrows, cel, matches, rules
from searchaccess.api.durations import Duration, between, seconds
from searchaccess.api.googlecloud import Location, ProjectId
from searchaccess.api.vault import VaultStore

STORE_PATTERN: Final = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"
SECRET_PATTERN: Final = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$"  # noqa: S105 - of a name
"""A name that Kubernetes takes: a DNS subdomain. https://kubernetes.io/docs/concepts/overview/working-with-objects/names/"""


class Auth(StrEnum):
    """How a workload logs in."""

    IDENTITY_TOKEN = "IdentityToken"  # noqa: S105 - no password
    API_KEY = "ApiKey"
    PASSWORD = "Password"  # noqa: S105 - no password


class PayloadFormat(StrEnum):
    """The form of what a secret holds."""

    JSON = "Json"
    ENCODED = "Encoded"


_SHORT_OVERLAP = "overlap must be shorter than rotateEvery: else two keys would always be live"


class Rollout(StrEnum):
    """How a workload gets the newest version."""

    NONE = "None"
    NEW_REVISION = "NewRevision"


class RevokeWhen(StrEnum):
    """When an old key is revoked."""

    WHEN_UNUSED = "WhenUnused"
    AFTER_OVERLAP = "AfterOverlap"


class CredentialSpec(ApiModel):
    """A stored credential: where it is, and how it is rotated."""

    model_config = ApiModel.model_config | {
        "json_schema_extra": rules(
            cel("duration(self.overlap) < duration(self.rotateEvery)", _SHORT_OVERLAP),
        )
    }

    store: Annotated[
        str,
        Field(
            max_length=63,
            json_schema_extra=rules(
                cel(matches(STORE_PATTERN), "write the name of one of the SearchCluster's secretStores, such as main")
            ),
        ),
    ]
    """Name of one of the SearchCluster's `secretStores`."""

    name: Annotated[
        str,
        Field(
            max_length=253,
            json_schema_extra=rules(
                cel(
                    matches(SECRET_PATTERN),
                    "write a name of lower-case letters, digits, - and ., such as orders-elasticsearch; each part "
                    "between dots begins and ends with a letter or digit",
                )
            ),
        ),
    ]
    """Name of the secret. One that is there already and is not this object's is never touched. Secret Manager takes no
    dots in it."""

    format: PayloadFormat = PayloadFormat.JSON
    """What the secret holds. `Json`: an object with `id`, `api_key`, `encoded`, `url` and `expires`, or with
    `username`, `password`, `encoded` and `url`. `Encoded`: the value of `encoded` alone, as the header
    `Authorization: ApiKey …` or `Authorization: Basic …` takes it."""

    rotate_every: Annotated[
        Duration, Field(json_schema_extra=between("10m", "8760h", "720h")), Narrows("then it is 720h")
    ] = "720h"
    """How often the key, or the user with its password, is replaced: up to a tenth earlier, so that not all are
    replaced at once. The annotation `searchaccess.dev/rotate-requested-at` requests it at once."""

    overlap: Annotated[Duration, Field(json_schema_extra=between("10s", "720h", "24h")), Narrows("then it is 24h")] = (
        "24h"
    )
    """How long the old key works beside the new one. Within this time every consumer must read the secret again."""

    rollout: Rollout = Rollout.NONE
    """How the workload gets a new key. `None`: it reads the secret again. `NewRevision`: the operator writes the
    number of the newest version into the template of the Cloud Run workload in `subject`, wherever that names the
    secret, so that there is a new revision (of a job: so that the next execution has it). For Secret Manager alone, and
    not for workloads that Terraform or the like deploys."""

    revoke: Annotated[RevokeWhen, Narrows("then an old key that is still used is not revoked")] = RevokeWhen.WHEN_UNUSED
    """When the old key is revoked. `WhenUnused`: when the overlap is over and the Cloud Run workload in `subject` has
    its version no more, by number or alias, in a revision that serves, an execution that runs or its template; else the
    condition says RevokeDeferred. `AfterOverlap`: when the overlap is over. They differ for Secret Manager alone."""

    grace_period: Annotated[Duration, Field(json_schema_extra=between("0s", "8760h", "168h"))] = "168h"
    """How long versions of the secret that hold no working key are kept, disabled, in stores that have versions."""

    @model_validator(mode="after")
    def _overlaps_for_a_while(self) -> "CredentialSpec":
        if seconds(self.overlap) >= seconds(self.rotate_every):
            raise ValueError(_SHORT_OVERLAP)
        return self


class SecretForm(StrEnum):
    """Which keys a Secret of Kubernetes has."""

    JSON = "Json"
    KEYS = "Keys"


class KubernetesStore(ApiModel):
    """Secrets of Kubernetes, each in the namespace of its SearchAccess."""

    format: SecretForm | None = None
    """Which keys a Secret has. `Json`, and when absent: `credential` alone, which holds what `credential.format` of the
    SearchAccess says. `Keys`: besides, where that is `Json`, one for each part, named so that `envFrom` takes them:
    `ELASTICSEARCH_URL` with `ELASTICSEARCH_API_KEY` (encoded, as clients take it), `ELASTICSEARCH_API_KEY_ID` and
    `ELASTICSEARCH_API_KEY_EXPIRES`, or with `ELASTICSEARCH_USERNAME` and `ELASTICSEARCH_PASSWORD`. A change rewrites
    the Secrets that are there; their keys and passwords stay."""


KMS_PATTERN: Final = "^projects/[^/]+/locations/[^/]+/keyRings/[^/]+/cryptoKeys/[^/]+$"

_ONE_REPLICATION = "a secret of one location has no replicas: write location or replicaLocations, not both"


class GoogleSecretManagerStore(ApiModel):
    """Secrets of Google Secret Manager."""

    model_config = ApiModel.model_config | {
        "json_schema_extra": rules(
            cel(
                "!(has(self.location) && has(self.replicaLocations) && size(self.replicaLocations) > 0)",
                _ONE_REPLICATION,
            )
        )
    }

    project: ProjectId
    """ID of the Google Cloud project that has the secrets."""

    location: Location | None = None
    """Region of regional secrets; secrets are global when it is absent."""

    replica_locations: Annotated[
        list[Location], Field(max_length=10, json_schema_extra={"x-kubernetes-list-type": "set"})
    ] = []
    """Regions in which global secrets are kept; Google chooses when there are none. Of secrets that are there already,
    it cannot be changed."""

    kms_key: Annotated[
        str | None,
        Field(
            max_length=500,
            json_schema_extra=rules(
                cel(
                    matches(KMS_PATTERN),
                    "write the key's resource name: projects/P/locations/L/keyRings/R/cryptoKeys/K",
                )
            ),
        ),
    ] = None
    """Key of Cloud KMS that encrypts new secrets; Google's own key when absent."""

    @model_validator(mode="after")
    def _is_of_one_kind(self) -> "GoogleSecretManagerStore":
        if self.location and self.replica_locations:
            raise ValueError(_ONE_REPLICATION)
        return self


Store: TypeAlias = KubernetesStore | GoogleSecretManagerStore | VaultStore
"""What a store may be: each is a field of ``SecretStoreSpec``, and mypy names the places that do not know a new one."""

_KINDS = ("kubernetes", "googleSecretManager", "vault")
_ONE_STORE = f"say what the store is: exactly one of {', '.join(_KINDS[:-1])} and {_KINDS[-1]}"


class SecretStoreSpec(ApiModel):
    """A store of secrets. Exactly one kind."""

    model_config = ApiModel.model_config | {
        "json_schema_extra": rules(
            cel(
                f"[{', '.join(f'has(self.{kind})' for kind in _KINDS)}].filter(x, x).size() == 1",
                _ONE_STORE,
            )
        )
    }

    name: Annotated[
        str,
        Field(
            max_length=63,
            json_schema_extra=rules(
                cel(matches(STORE_PATTERN), "write a name of lower-case letters, digits and -, such as main")
            ),
        ),
    ]
    """Name, as SearchAccesses refer to it in `credential.store`."""

    kubernetes: KubernetesStore | None = None
    """Secrets of Kubernetes, each in the namespace of its SearchAccess; written as `kubernetes: {}`, or
    `kubernetes: {format: Keys}`. The operator needs rights on Secrets there: see docs/credentials.md."""

    google_secret_manager: GoogleSecretManagerStore | None = None
    """Secrets of Google Secret Manager, as the account that the operator runs as."""

    vault: VaultStore | None = None
    """Secrets of HashiCorp Vault, in a KV engine of version 2."""

    @property
    def declared(self) -> Store:
        """What the store is."""
        (one,) = self._declared()
        return one

    def _declared(self) -> list[Store]:
        return [kind for kind in (self.kubernetes, self.google_secret_manager, self.vault) if kind is not None]

    @model_validator(mode="after")
    def _is_one(self) -> "SecretStoreSpec":
        if len(self._declared()) != 1:
            raise ValueError(_ONE_STORE)
        return self
