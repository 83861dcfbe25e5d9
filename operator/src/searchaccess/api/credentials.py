"""The parts of both kinds that are about stored credentials."""

from enum import StrEnum
from typing import Annotated, Final

from pydantic import Field, model_validator

from searchaccess.api.base import ApiModel, cel, matches, rules
from searchaccess.api.durations import Duration, between, seconds

STORE_PATTERN: Final = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"
SECRET_PATTERN: Final = r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"  # noqa: S105 - of a name
"""A name that Kubernetes takes. https://kubernetes.io/docs/concepts/overview/working-with-objects/names/"""


class Auth(StrEnum):
    """How a workload logs in."""

    IDENTITY_TOKEN = "IdentityToken"  # noqa: S105 - no password
    API_KEY = "ApiKey"


class PayloadFormat(StrEnum):
    """The form of what a secret holds."""

    JSON = "Json"
    ENCODED = "Encoded"


_SHORT_OVERLAP = "overlap must be shorter than rotateEvery: else two keys would always be live"


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
                    "write a name of lower-case letters, digits, - and ., such as orders-elasticsearch",
                )
            ),
        ),
    ]
    """Name of the secret. One that is there already and is not this object's is never touched."""

    format: PayloadFormat = PayloadFormat.JSON
    """What the secret holds. `Json`: an object with `id`, `api_key`, `encoded`, `url` and `expires`. `Encoded`: the key
    alone, as clients and the header `Authorization: ApiKey …` take it."""

    rotate_every: Annotated[Duration, Field(json_schema_extra=between("10m", "8760h", "720h"))] = "720h"
    """How often the key is replaced: up to a tenth earlier, so that not all are replaced at once. The annotation
    `searchaccess.dev/rotate-requested-at` asks for it at once."""

    overlap: Annotated[Duration, Field(json_schema_extra=between("10s", "720h", "24h"))] = "24h"
    """How long the old key works beside the new one. Within this time every consumer must read the secret again."""

    grace_period: Annotated[Duration, Field(json_schema_extra=between("0s", "8760h", "168h"))] = "168h"
    """How long versions of the secret that hold no working key are kept, disabled, in stores that have versions."""

    @model_validator(mode="after")
    def _overlaps_for_a_while(self) -> "CredentialSpec":
        if seconds(self.overlap) >= seconds(self.rotate_every):
            raise ValueError(_SHORT_OVERLAP)
        return self


class KubernetesStore(ApiModel):
    """Secrets of Kubernetes, each in the namespace of its SearchAccess."""


class SecretStoreSpec(ApiModel):
    """A store of secrets. Exactly one kind."""

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

    kubernetes: KubernetesStore
    """Secrets of Kubernetes, each in the namespace of its SearchAccess; written as `kubernetes: {}`. The operator needs
    rights on Secrets there: see docs/credentials.md."""
