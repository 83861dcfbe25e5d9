"""HashiCorp Vault as a secret store."""

from typing import Annotated, Final

from pydantic import Field, model_validator

from searchaccess.api.base import ApiModel, Narrows, cel, matches, rules
from searchaccess.api.references import Certificates, SecretReference

PATH_PATTERN: Final = "^[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*$"
ROLE_PATTERN: Final = "^[A-Za-z0-9_.-]+$"

VaultUrl = Annotated[
    str,
    Field(
        max_length=500,
        json_schema_extra=rules(
            cel(
                "self.matches('^https://') && isURL(self) && url(self).getHostname() != '' && "
                f"url(self).getEscapedPath() in ['', '/'] && !{matches('[@?#]')}",
                "write https://host:port, without path, user or query",
            ),
        ),
    ),
]

VaultPath = Annotated[
    str,
    Field(
        max_length=200,
        json_schema_extra=rules(
            cel(
                matches(PATH_PATTERN),
                "write a path of letters, digits, - and _, such as team/secret, without / at either end",
            )
        ),
    ),
]

VaultRole = Annotated[
    str,
    Field(
        max_length=200,
        json_schema_extra=rules(
            cel(matches(ROLE_PATTERN), "write the role's name: letters, digits, -, _ and ., such as searchaccess")
        ),
    ),
]


class VaultJwt(ApiModel):
    """Login with an identity token of the Google service account that the operator runs as."""

    mount: VaultPath = "jwt"
    """Where the JWT auth method is mounted."""

    role: VaultRole
    """Role to log in with."""

    audience: Annotated[str, Field(min_length=1, max_length=500)]
    """Audience of the token; one of the role's `bound_audiences`."""


class VaultKubernetes(ApiModel):
    """Login with the token of the ServiceAccount that the operator runs as."""

    mount: VaultPath = "kubernetes"
    """Where the Kubernetes auth method is mounted."""

    role: VaultRole
    """Role to log in with."""


_ONE_AUTH = "set exactly one of jwt, kubernetes and tokenSecretRef"


class VaultAuth(ApiModel):
    """How the operator logs in to Vault. Exactly one way."""

    model_config = ApiModel.model_config | {
        "json_schema_extra": rules(
            cel(
                "[has(self.jwt), has(self.kubernetes), has(self.tokenSecretRef)].filter(x, x).size() == 1",
                _ONE_AUTH,
            )
        )
    }

    jwt: VaultJwt | None = None
    """With an identity token of the Google service account that the operator runs as; nothing is stored."""

    kubernetes: VaultKubernetes | None = None
    """With the token of the ServiceAccount that the operator runs as; nothing is stored."""

    token_secret_ref: SecretReference | None = None
    """A Secret with the key `token`. The operator renews the token; a changed Secret is picked up without a restart."""

    @model_validator(mode="after")
    def _by_one_way(self) -> "VaultAuth":
        if sum(way is not None for way in (self.jwt, self.kubernetes, self.token_secret_ref)) != 1:
            raise ValueError(_ONE_AUTH)
        return self


class VaultStore(ApiModel):
    """Secrets of HashiCorp Vault, in a KV engine of version 2."""

    address: VaultUrl
    """Address of Vault, such as `https://vault.example.com:8200`."""

    namespace: VaultPath | None = None
    """Namespace of Vault Enterprise or HCP; none when absent."""

    mount: VaultPath = "secret"
    """Where the KV engine is mounted. It must be of version 2."""

    path: VaultPath = "searchaccess"
    """Folder of all secrets. A secret is at PATH/NAMESPACE/NAME, with the SearchAccess's namespace and
    `credential.name`, so that a consumer's policy can be limited to one namespace."""

    ca: Annotated[Certificates | None, Narrows("then the system's authorities are trusted")] = None
    """Certificate authorities to trust. Defaults to the system's."""

    auth: VaultAuth
    """How the operator logs in."""
