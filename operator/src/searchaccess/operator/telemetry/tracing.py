"""OpenTelemetry traces, if the standard environment variables enable them.

https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/

All spans are our own: operation, target, duration and result. They contain no bodies and no messages.
"""

import os
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import structlog

from searchaccess import __version__

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

SERVICE: Final = "searchaccess-operator"
CLOSE_WITHIN: Final = 1.0
"""Seconds at the end for spans that were not sent yet."""
_ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_PROTOCOLS: Final = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
_ONLY: Final = "http/protobuf"

log = structlog.get_logger(__name__)


def _is_wanted(environment: Mapping[str, str]) -> bool:
    if environment.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return False
    if environment.get("OTEL_TRACES_EXPORTER", "otlp") != "otlp" or not any(map(environment.get, _ENDPOINTS)):
        return False
    protocol = next(filter(None, map(environment.get, _PROTOCOLS)), _ONLY)
    if protocol != _ONLY:
        log.warning("no traces: the protocol is not supported", protocol=protocol, supported=_ONLY)
    return protocol == _ONLY


def start_tracing(environment: Mapping[str, str] = os.environ) -> "Tracing | None":
    """Start to send traces, if the environment has an endpoint; None: it has none.

    Args:
        environment: the environment variables.
    """
    if not _is_wanted(environment):
        return None
    # They are slow to import, and few need them.
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

    name = environment.get("OTEL_SERVICE_NAME", SERVICE)
    # This includes OTEL_RESOURCE_ATTRIBUTES.
    resource = Resource.create({"service.name": name, "service.version": __version__})
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return Tracing(provider)


class Tracing:
    """Sends a span for each reconcile of a SearchCluster, with one for each operation in it.

    Args:
        provider: sends spans.
    """

    def __init__(self, provider: "TracerProvider") -> None:
        from opentelemetry import trace  # noqa: PLC0415 - see start_tracing

        self._trace = trace
        self._provider = provider
        self._tracer = provider.get_tracer("searchaccess", __version__)

    @contextmanager
    def reconcile(self, cluster: str) -> Iterator[None]:
        """Start the span of a reconcile."""
        attributes = {"searchaccess.cluster": cluster}
        with self._tracer.start_as_current_span(
            "reconcile", attributes=attributes, record_exception=False, set_status_on_exception=False
        ):
            yield

    def reconciled(self, *, full: bool, result: str) -> None:
        """Record the result of the running reconcile."""
        span = self._trace.get_current_span()
        span.set_attributes({"searchaccess.scope": "full" if full else "incremental", "searchaccess.result": result})
        if result != "ok":
            span.set_status(self._trace.StatusCode.ERROR, result)

    def operation(self, target: str, cluster: str, operation: str, result: str, seconds: float) -> None:
        """Record an operation that has just ended."""
        end = time.time_ns()
        attributes = {"searchaccess.target": target, "searchaccess.cluster": cluster, "searchaccess.result": result}
        span = self._tracer.start_span(
            f"{target} {operation}",
            kind=self._trace.SpanKind.CLIENT,
            attributes=attributes,
            start_time=end - int(seconds * 1e9),
        )
        if result != "ok":
            span.set_status(self._trace.StatusCode.ERROR, result)
        span.end(end)

    def close(self) -> None:
        """Send the remaining spans, if that is quick."""
        closing = threading.Thread(target=self._provider.shutdown, daemon=True)
        closing.start()
        closing.join(CLOSE_WITHIN)
