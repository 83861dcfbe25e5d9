"""Starts the webhook beside the operator."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from searchaccess.core.webhook.certificates import Pace
from searchaccess.engine.host import Host
from searchaccess.engine.state import Context
from searchaccess.operator.admission.judge import Judge
from searchaccess.operator.admission.keeper import Keeper, follow_files
from searchaccess.operator.admission.options import AdmissionOptions
from searchaccess.operator.admission.server import Admission, admitting
from searchaccess.operator.admission.tls import ServedCertificate
from searchaccess.ports.webhooks import WebhooksPort


@asynccontextmanager
async def webhook_served(
    options: AdmissionOptions, context: Context, host: Host, objects: WebhooksPort, stop: asyncio.Event
) -> AsyncIterator[Callable[[], str]]:
    """Serve the webhook until the context ends; return what says why it cannot answer yet.

    Args:
        options: how.
        context: the declared objects, and which Leases this replica holds.
        host: has listed what is declared.
        objects: the Secret and the registration, for a certificate that the operator makes.
        stop: set when the process is to stop.

    Raises:
        CannotListen: it cannot listen there.
    """
    served = ServedCertificate()

    def unlisted() -> str:
        return "" if host.listed.is_set() else "the API server has not been listed yet"

    def unready() -> str:
        return "" if served.is_ready else "the admission webhook has no certificate yet"

    admission = Admission(Judge(context.inventory, context.meter), unlisted, context.meter)
    if options.certificate:
        keeping = follow_files(options.certificate, served, context.meter)
    else:
        leads = context.ownership.holds_common
        keeping = Keeper(objects, served, context.clock, leads, Pace(options.lifetime), context.meter).run()
    task = asyncio.create_task(keeping)
    try:
        async with admitting(*options.listen, admission, served.context, stop):
            yield unready
    finally:
        task.cancel()
