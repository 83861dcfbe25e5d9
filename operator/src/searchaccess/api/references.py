"""Addresses in specs, and references to Secrets, ConfigMaps and certificates."""

from typing import Annotated

from pydantic import Field, model_validator

from searchaccess.api.base import ApiModel, cel, matches, rules

Url = Annotated[
    str,
    Field(
        max_length=500,
        json_schema_extra=rules(
            cel(
                f"self.matches('^https?://') && isURL(self) && url(self).getHostname() != '' && !{matches('[@?#]')}",
                "write https://host:port, without user, password or query; the login belongs in a Secret",
            ),
        ),
    ),
]


class SecretReference(ApiModel):
    """Names a Secret."""

    namespace: Annotated[str, Field(min_length=1, max_length=63)]
    """Namespace of the Secret."""
    name: Annotated[str, Field(min_length=1, max_length=253)]
    """Name of the Secret."""


class SecretKey(SecretReference):
    """Names a key of a Secret."""

    key: Annotated[str, Field(min_length=1, max_length=253)] = "ca.crt"
    """Key in the Secret."""


class ConfigMapKey(ApiModel):
    """Names a key of a ConfigMap."""

    namespace: Annotated[str, Field(min_length=1, max_length=63)]
    """Namespace of the ConfigMap."""
    name: Annotated[str, Field(min_length=1, max_length=253)]
    """Name of the ConfigMap."""
    key: Annotated[str, Field(min_length=1, max_length=253)] = "ca.crt"
    """Key in the ConfigMap."""


CERTIFICATE_PATTERN = r"-----BEGIN CERTIFICATE-----\s+MI[E-L]"
"""The PEM header, and the first bytes of every certificate: a DER sequence of 128 to 65,535 bytes."""

_ONE_CA = "set exactly one of inline, secretRef and configMapRef"


class Certificates(ApiModel):
    """Certificate authorities."""

    model_config = ApiModel.model_config | {
        "json_schema_extra": rules(
            cel("[has(self.inline), has(self.secretRef), has(self.configMapRef)].filter(x, x).size() == 1", _ONE_CA)
        )
    }

    inline: Annotated[
        str | None,
        Field(
            max_length=65536,
            json_schema_extra=rules(
                cel(matches(CERTIFICATE_PATTERN), "write certificates in PEM form, as in a .crt file"),
                cel(
                    "!self.contains('PRIVATE KEY-----')",
                    "a private key does not belong here: write only the certificates, and replace this private key",
                ),
            ),
        ),
    ] = None
    """Certificates in PEM form, one after the other, without a private key."""

    secret_ref: SecretKey | None = None
    """The key of a Secret that contains them."""

    config_map_ref: ConfigMapKey | None = None
    """The key of a ConfigMap that contains them."""

    @model_validator(mode="after")
    def _in_one_place(self) -> "Certificates":
        if sum(place is not None for place in (self.inline, self.secret_ref, self.config_map_ref)) != 1:
            raise ValueError(_ONE_CA)
        return self
