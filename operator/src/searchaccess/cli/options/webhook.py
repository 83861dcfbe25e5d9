"""Options of the admission webhook."""

from pathlib import Path
from typing import Annotated, Final

import typer

from searchaccess.core.model.intake.reading import is_name
from searchaccess.operator.admission.options import LIFETIME as SECONDS
from searchaccess.operator.admission.options import AdmissionOptions

LIFETIME: Final = f"{SECONDS / 3600:.0f}h"
_LEAST: Final = 10.0
_MOST: Final = 10 * 365 * 24 * 3600.0
"""Seconds of a lifetime: below the least, a rotation takes as long as the certificate lasts."""

Listen = Annotated[
    str,
    typer.Option(
        envvar="SEARCHACCESS_ADMISSION",
        metavar="ADDRESS:PORT",
        help="Address that serves the validating admission webhook over HTTPS, such as 0.0.0.0:9443; not served by"
        " default. Requires --admission-certificate or --admission-webhook.",
    ),
]
Folder = Annotated[
    Path | None,
    typer.Option(
        metavar="FOLDER",
        help="Folder with tls.crt and tls.key for the webhook, such as those of cert-manager. They are read again when"
        " they change.",
    ),
]
Name = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        help="Instead of --admission-certificate: make and rotate the certificate, in the Secret of this name in"
        " --lease-namespace, and write its authority to the ValidatingWebhookConfiguration of this name. Both must"
        " exist.",
    ),
]
Lifetime = Annotated[
    str,
    typer.Option(
        metavar="DURATION",
        help="With --admission-webhook: how long a certificate is valid. It is renewed after two thirds of that.",
    ),
]


def options(
    listen: tuple[str, int] | None, folder: Path | None, name: str, lifetime: float, namespace: str
) -> AdmissionOptions | None:
    """Check the options of the webhook; return None if it is not served.

    Raises:
        typer.BadParameter: an option has no valid value, or lacks another.
    """
    if listen is None:
        if folder or name:
            hint = "--admission-certificate" if folder else "--admission-webhook"
            raise typer.BadParameter("requires --admission", param_hint=hint)
        return None
    if bool(folder) is bool(name):
        text = "requires --admission-certificate or --admission-webhook, and not both"
        raise typer.BadParameter(text, param_hint="--admission")
    if name and not (is_name(name) and namespace):
        text = "write the name of a ValidatingWebhookConfiguration, and set --lease-namespace"
        raise typer.BadParameter(text, param_hint="--admission-webhook")
    if not _LEAST <= lifetime <= _MOST:
        text = f"is at least {_LEAST:.0f}s and at most {_MOST / 3600:.0f}h"
        raise typer.BadParameter(text, param_hint="--admission-certificate-lifetime")
    return AdmissionOptions(listen, folder, name, lifetime)
