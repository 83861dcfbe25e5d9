"""The parts of both kinds that declare stored credentials."""

from enum import StrEnum
from typing import Annotated, Final, TypeAlias

from pydantic import Field, model_validator

from searchaccess.api.base import ApiModel, Narrows, cel, matches, rules
from searchaccess.api.googlecloud import Location, ProjectId
from searchaccess.api.stores.vault import VaultStore
from searchaccess.api.times.durations import Duration, between, seconds

STORE_PATTERN: Final = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"
SECRET_PATTERN: Final = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$"  # noqa: S105 - of a name
"""A name that Kubernetes accepts: a DNS subdomain.
https://kubernetes.io/docs/concepts/overview/working-with-objects/names/"""


class Auth(StrEnum):
    """How a workload logs in."""

    IDENTITY_TOKEN = "IdentityToken"  # noqa: S105 - no password
    API_KEY = "ApiKey"
    PASSWORD = "Password"  # noqa: S105 - no password


class PayloadFormat(StrEnum):
    """The format of a secret's content."""

    JSON = "Json"
    ENCODED = "Encoded"


_SHORT_OVERLAP = "overlap must be shorter than rotateEvery: otherwise two keys would always be valid"


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
    """Name of the secret. The operator never changes an existing secret that does not belong to this object. Secret
    Manager does not allow dots."""

    format: PayloadFormat = PayloadFormat.JSON
    """Content of the secret. `Json`: an object with `id`, `api_key`, `encoded`, `url` and `expires`, or with
    `username`, `password`, `encoded` and `url`. `Encoded`: only the value of `encoded`, for the header
    `Authorization: ApiKey …` or `Authorization: Basic …`."""

    rotate_every: Annotated[
        Duration, Field(json_schema_extra=between("10m", "8760h", "720h")), Narrows("then it is 720h")
    ] = "720h"
    """How often the key, or the user with its password, is replaced. Rotation happens up to a tenth earlier, so that
    not all credentials are replaced at the same time. The annotation `searchaccess.dev/rotate-requested-at` triggers it
    immediately."""

    overlap: Annotated[Duration, Field(json_schema_extra=between("10s", "720h", "24h")), Narrows("then it is 24h")] = (
        "24h"
    )
    """How long the old key stays valid after it is replaced. Within this time, every consumer must read the secret
    again."""

    rollout: Rollout = Rollout.NONE
    """How the workload gets a new key. `None`: it reads the secret again. `NewRevision`: the operator writes the number
    of the newest version into the template of the Cloud Run workload in `subject`, wherever the template names the
    secret. That creates a new revision; for a job, the next execution uses the version. Only for Secret Manager, and
    not for workloads that Terraform or a similar tool deploys."""

    revoke: Annotated[RevokeWhen, Narrows("then an old key that is still used is not revoked")] = RevokeWhen.WHEN_UNUSED
    """When the old key is revoked. `WhenUnused`: when the overlap is over and the Cloud Run workload in `subject` no
    longer uses its version, by number or alias, in a serving revision, a running execution or its template; until then,
    the condition's reason is `RevokeDeferred`. `AfterOverlap`: when the overlap is over. They differ only for Secret
    Manager."""

    grace_period: Annotated[Duration, Field(json_schema_extra=between("0s", "8760h", "168h"))] = "168h"
    """How long secret versions without a valid key are kept, disabled, before they are destroyed. Only in stores that
    have versions."""

    @model_validator(mode="after")
    def _overlaps_for_a_while(self) -> "CredentialSpec":
        if seconds(self.overlap) >= seconds(self.rotate_every):
            raise ValueError(_SHORT_OVERLAP)
        return self


class SecretForm(StrEnum):
    """Which keys a Kubernetes Secret has."""

    JSON = "Json"
    KEYS = "Keys"


class KubernetesStore(ApiModel):
    """Kubernetes Secrets, each in the namespace of its SearchAccess."""

    format: SecretForm | None = None
    """Which keys a Secret has. `Json` (the default): only `credential`, in the format that `credential.format` of the
    SearchAccess declares. `Keys`: if that format is `Json`, also one key for each part, named for `envFrom`:
    `ELASTICSEARCH_URL` with `ELASTICSEARCH_API_KEY` (encoded, as clients expect it), `ELASTICSEARCH_API_KEY_ID` and
    `ELASTICSEARCH_API_KEY_EXPIRES`, or with `ELASTICSEARCH_USERNAME` and `ELASTICSEARCH_PASSWORD`. A change rewrites
    existing Secrets; their API keys and passwords stay."""


KMS_PATTERN: Final = "^projects/[^/]+/locations/[^/]+/keyRings/[^/]+/cryptoKeys/[^/]+$"

_ONE_REPLICATION = "a regional secret has no replicas: set location or replicaLocations, not both"


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
    """Region of regional secrets; secrets are global when absent."""

    replica_locations: Annotated[
        list[Location], Field(max_length=10, json_schema_extra={"x-kubernetes-list-type": "set"})
    ] = []
    """Regions that store global secrets; Google chooses when empty. It cannot be changed for existing secrets."""

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
    """Cloud KMS key that encrypts new secrets. Defaults to Google's own key."""

    @model_validator(mode="after")
    def _is_of_one_kind(self) -> "GoogleSecretManagerStore":
        if self.location and self.replica_locations:
            raise ValueError(_ONE_REPLICATION)
        return self


Store: TypeAlias = KubernetesStore | GoogleSecretManagerStore | VaultStore
"""Kinds of stores. Each is a field of ``SecretStoreSpec``; mypy reports the places that do not handle a new one."""

_KINDS = ("kubernetes", "googleSecretManager", "vault")
_ONE_STORE = f"set exactly one of {', '.join(_KINDS[:-1])} and {_KINDS[-1]}"


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
    """Kubernetes Secrets, each in the namespace of its SearchAccess: `kubernetes: {}`, or
    `kubernetes: {format: Keys}`. The operator needs rights on Secrets there: see docs/credentials.md."""

    google_secret_manager: GoogleSecretManagerStore | None = None
    """Secrets of Google Secret Manager. The operator uses the service account that it runs as."""

    vault: VaultStore | None = None
    """Secrets of HashiCorp Vault, in a KV engine of version 2."""

    @property
    def declared(self) -> Store:
        """The one kind of store that is declared."""
        (one,) = self._declared()
        return one

    def _declared(self) -> list[Store]:
        return [kind for kind in (self.kubernetes, self.google_secret_manager, self.vault) if kind is not None]

    @model_validator(mode="after")
    def _is_one(self) -> "SecretStoreSpec":
        if len(self._declared()) != 1:
            raise ValueError(_ONE_STORE)
        return self
