"""`prometheus://127.0.0.1:9464`: counters for Prometheus, at `/metrics`, over HTTP or HTTPS."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import SplitResult

from img2imu_edge.errors import OutputError
from img2imu_edge.extras import extra
from img2imu_edge.interfaces import in_url
from img2imu_edge.options import options_of
from img2imu_edge.sinks.messages import Counters, Decided, Event, Message
from img2imu_edge.sinks.serving import ServingOptions, address_of, check_token, listen, server_tls, shows

if TYPE_CHECKING:
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

_BUCKETS: Final = (0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
_TOTALS: Final = {
    "samples_received": "Samples received",
    "samples_lost": "Samples that the device made and we did not get",
    "messages": "Messages of the device",
    "duplicates": "Messages that came twice",
    "reordered": "Messages that came late",
    "corrupt": "Messages that were damaged",
    "bytes_received": "Bytes received",
    "reconnects": "Times that the device was connected again",
    "skipped": "Decisions left out because this computer could not keep up",
}


def open_prometheus(url: SplitResult, _labels: Sequence[str]) -> PrometheusSink:
    """The sink behind a `prometheus://` URL.

    Raises:
        MissingExtraError: If prometheus-client is not installed.
        OutputError: If the URL is wrong, its certificate cannot be read, or others than this computer would
            need no token.
    """
    with extra("prometheus", "prometheus://"):
        import prometheus_client  # noqa: F401
    host, port = address_of(url, 9464)
    options = options_of(url, ServingOptions, OutputError)
    check_token("prometheus", host, options.token)
    return PrometheusSink(host, port, options.token, server_tls(options.cert, options.key))


class PrometheusSink:
    """Counts, and shows its counts to whoever asks; see `Sink`.

    Args:
        host: Address to listen on.
        port: Port; 0 for any.
        token: What must be shown; empty for nothing, which is for this computer alone.
        tls: With our certificate; None for no TLS.
    """

    def __init__(self, host: str, port: int, token: str = "", tls: ssl.SSLContext | None = None) -> None:
        from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

        self._host, self.port, self._token, self._tls = host, port, token, tls
        self.warnings: list[str] = []
        self._registry = CollectorRegistry()
        self._totals = _Totals()
        self._registry.register(self._totals)
        self._decisions = Counter(
            "img2imu_decisions",
            "Decisions by label and status",
            ["source", "label", "status"],
            registry=self._registry,
        )
        self._latency = Histogram(
            "img2imu_decision_latency_seconds", "From a window's last sample to its decision", ["source"],
            buckets=_BUCKETS, registry=self._registry,
        )  # fmt: skip
        self._coverage = Gauge(
            "img2imu_coverage_ratio",
            "Share of the last window that was received",
            ["source"],
            registry=self._registry,
        )
        self._last = Gauge(
            "img2imu_last_decision_timestamp_seconds",
            "When the last decision was made",
            ["source"],
            registry=self._registry,
        )
        self._events = Counter(
            "img2imu_events", "Warnings and failures", ["source", "kind"], registry=self._registry
        )
        self._stop: Callable[[], None] | None = None

    @property
    def url(self) -> str:
        """Where the metrics are."""
        return f"prometheus://{in_url(self._host)}:{self.port}"

    def start(self) -> None:
        """Listen from now on.

        Raises:
            OutputError: If the port is taken, or the address not this computer's.
        """
        import socketserver
        from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

        from prometheus_client import make_wsgi_app

        class Server(socketserver.ThreadingMixIn, WSGIServer):
            daemon_threads = True

            def handle_error(self, *_: object) -> None:
                """A reader that leaves is no news."""

        class Handler(WSGIRequestHandler):
            timeout = 10  # of a reader that connects and asks nothing

            def setup(self) -> None:
                """Shake hands here: where connections are accepted, one that is silent would stop all."""
                if isinstance(self.request, ssl.SSLSocket):
                    self.request.settimeout(self.timeout)
                    self.request.do_handshake()
                super().setup()

            def log_message(self, *_: object) -> None:
                """Nor is one that asks."""

        listener = listen("prometheus", self._host, self.port)
        self.port = listener.getsockname()[1]
        server = Server((self._host, self.port), Handler, bind_and_activate=False)
        server.socket.close()
        server.socket = listener
        if self._tls:
            server.socket = self._tls.wrap_socket(listener, server_side=True, do_handshake_on_connect=False)
        server.server_name, server.server_port = self._host, self.port
        server.setup_environ()
        server.set_app(self._guard(make_wsgi_app(self._registry)))
        thread = threading.Thread(target=server.serve_forever, args=(0.1,), daemon=True)
        thread.start()

        def stop() -> None:
            server.shutdown()
            server.server_close()
            thread.join(1.0)

        self._stop = stop

    def take(self, message: Message) -> None:
        """Count."""
        source = message.source
        if isinstance(message, Counters):
            self._totals.latest[source] = message
        elif isinstance(message, Event):
            self._events.labels(source, message.kind).inc()
        elif isinstance(message, Decided):
            decision = message.decision
            self._decisions.labels(source, decision.label or "", decision.status).inc()
            self._coverage.labels(source).set(decision.coverage)
            self._last.labels(source).set(message.at)
            if decision.latency_ms is not None:
                self._latency.labels(source).observe(decision.latency_ms / 1e3)

    def close(self) -> int:
        """Listen no more."""
        stop, self._stop = self._stop, None
        if stop:
            stop()
        return 0

    def _guard(self, app: Callable[..., Iterable[bytes]]) -> Callable[..., Iterable[bytes]]:
        def guarded(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
            if shows(self._token, environ.get("HTTP_AUTHORIZATION", ""), environ.get("QUERY_STRING", "")):
                return app(environ, start_response)
            start_response("401 Unauthorized", [("WWW-Authenticate", "Bearer"), ("Content-Length", "12")])
            return [b"wrong token\n"]

        return guarded


class _Totals:
    """The sources' own totals, which are shown as they are."""

    def __init__(self) -> None:
        self.latest: dict[str, Counters] = {}

    def collect(self) -> Iterator[CounterMetricFamily | GaugeMetricFamily]:
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        for name, help_text in _TOTALS.items():
            metric_name = "decisions_skipped" if name == "skipped" else name
            family = CounterMetricFamily(f"img2imu_{metric_name}", help_text, labels=["source"])
            for source, counters in list(self.latest.items()):
                family.add_metric([source], getattr(counters, name))
            yield family
        battery = GaugeMetricFamily("img2imu_battery_ratio", "What is left of the battery", labels=["source"])
        for source, counters in list(self.latest.items()):
            if counters.battery is not None:
                battery.add_metric([source], counters.battery / 100)
        yield battery
