"""TLS for the outputs that others connect to: genuine clients, which verify a certificate made here."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import socket
import ssl
import urllib.error
import urllib.request
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest

from img2imu_edge.decision import Decision
from img2imu_edge.errors import OutputError
from img2imu_edge.sinks import Decided, open_sink
from img2imu_edge.sinks.prometheus import PrometheusSink
from img2imu_edge.sinks.serving import server_tls
from img2imu_edge.sinks.websocket import WebSocketSink

ws = pytest.importorskip("websockets.asyncio.client", reason="websockets is not installed")
pytest.importorskip("prometheus_client", reason="prometheus-client is not installed")
x509 = pytest.importorskip("cryptography.x509", reason="cryptography is not installed")

from cryptography.hazmat.primitives import hashes, serialization  # noqa: E402
from cryptography.hazmat.primitives.asymmetric import ec  # noqa: E402

TOKEN = "long-enough-token"  # noqa: S105
DECIDED = Decided("wrist", Decision(1.0, "walking", 0.9, 1.0, "ok", latency_ms=12.0))


class Authority:
    """Signs certificates for this computer; its own is `pem`."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.pem = folder, folder / "authority.pem"
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test authority")])
        constraint = x509.BasicConstraints(ca=True, path_length=0)
        made = self._begun(self._name, self._key.public_key()).add_extension(constraint, critical=True)
        usage = dict.fromkeys(
            ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment",
             "key_agreement", "encipher_only", "decipher_only"), False
        )  # fmt: skip
        made = made.add_extension(x509.KeyUsage(**usage, key_cert_sign=True, crl_sign=True), critical=True)
        own = x509.SubjectKeyIdentifier.from_public_key(self._key.public_key())
        self._own = made.add_extension(own, critical=False).sign(self._key, hashes.SHA256())
        self.pem.write_bytes(self._own.public_bytes(serialization.Encoding.PEM))

    def issue(self, name: str, password: bytes = b"") -> tuple[Path, Path]:
        """A certificate for localhost and 127.0.0.1, and its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        who = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        places = [x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))]
        signer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        made = self._begun(who, key.public_key())
        made = made.add_extension(x509.SubjectAlternativeName(places), critical=False)
        made = made.add_extension(signer, critical=False)
        cert, path = self.folder / f"{name}.pem", self.folder / f"{name}.key"
        signed = made.sign(self._key, hashes.SHA256())
        cert.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
        hidden = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
        path.write_bytes(
            key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, hidden)
        )
        return cert, path

    def _begun(self, subject: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
        now = datetime.now(UTC)
        made = x509.CertificateBuilder().subject_name(subject).issuer_name(self._name).public_key(key)
        made = made.serial_number(x509.random_serial_number())
        return made.not_valid_before(now - timedelta(hours=1)).not_valid_after(now + timedelta(days=1))


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


def trusting(authority: Authority | None) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=authority.pem if authority else None)


async def test_a_reader_that_verifies_the_certificate_reads_and_others_do_not(authority: Authority) -> None:
    cert, key = authority.issue("websocket")
    sink = open_sink(f"wss://0.0.0.0:0?cert={cert}&key={key}&token={TOKEN}")
    assert isinstance(sink, WebSocketSink)
    sink.start()
    assert sink.url == f"wss://0.0.0.0:{sink.port}"
    url, headers = f"wss://localhost:{sink.port}", {"Authorization": f"Bearer {TOKEN}"}
    try:
        with pytest.raises(ssl.SSLCertVerificationError):
            await ws.connect(url, ssl=trusting(None), additional_headers=headers)
        with pytest.raises(Exception, match="did not receive a valid HTTP response"):
            await ws.connect(url.replace("wss:", "ws:"), additional_headers=headers)
        with pytest.raises(Exception, match="401"):
            await ws.connect(url, ssl=trusting(authority))
        async with ws.connect(url, ssl=trusting(authority), additional_headers=headers) as reader:
            assert reader.transport.get_extra_info("ssl_object").version() == "TLSv1.3"
            sink.take(DECIDED)
            assert json.loads(await reader.recv())["label"] == "walking"
    finally:
        await asyncio.to_thread(sink.close)


def metrics(url: str, tls: ssl.SSLContext, token: str = TOKEN) -> str:
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"})  # noqa: S310
    with urllib.request.urlopen(request, timeout=5, context=tls) as answer:  # noqa: S310
        return str(answer.read().decode())


def test_metrics_over_https_also_while_another_reader_says_nothing(authority: Authority) -> None:
    cert, key = authority.issue("prometheus")
    sink = open_sink(f"prometheus://0.0.0.0:0?cert={cert}&key={key}&token={TOKEN}")
    assert isinstance(sink, PrometheusSink)
    sink.start()
    url = f"https://127.0.0.1:{sink.port}/metrics"
    try:
        sink.take(DECIDED)
        with socket.create_connection(("127.0.0.1", sink.port)), socket.socket() as plain:
            plain.connect(("127.0.0.1", sink.port))
            plain.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
            text = metrics(url, trusting(authority))
            plain.settimeout(5)
            assert b"img2imu" not in plain.recv(1000)
        assert 'img2imu_decisions_total{label="walking",source="wrist",status="ok"} 1.0' in text
        with pytest.raises(urllib.error.URLError, match="CERTIFICATE_VERIFY_FAILED"):
            metrics(url, trusting(None))
        with pytest.raises(urllib.error.HTTPError, match="401") as refused:
            metrics(url, trusting(authority), "wrong-token")
        refused.value.close()
    finally:
        sink.close()


def test_certificate_and_key_may_be_one_file(authority: Authority) -> None:
    cert, key = authority.issue("both")
    cert.write_bytes(key.read_bytes() + cert.read_bytes())
    assert server_tls(str(cert), "") is not None


@pytest.mark.parametrize("scheme", ["wss", "prometheus", "mqtts"])
@pytest.mark.parametrize(
    ("options", "says"),
    [
        ("cert=none.pem&key=a.key", r"cannot read .*none\.pem: No such file"),
        ("cert=a.pem&key=none.key", r"cannot read .*none\.key: No such file"),
        ("cert=.&key=a.key", "cannot read .*: Is a directory"),
        ("cert=a.pem&key=b.key", r"the key in b\.key is not that of the certificate in a\.pem"),
        ("cert=a.pem", r"no certificate and key .* in a\.pem \(give the key's file too"),
        ("cert=a.key&key=a.pem", "no certificate and key in PEM form in a.key and a.pem"),
        ("cert=noise.pem&key=a.key", "no certificate and key in PEM form in noise.pem"),
        ("cert=locked.pem&key=locked.key", r"the key in locked\.key has a password"),
        ("key=a.key", "a key needs its certificate|needs a certificate"),
        ("cert=a.pem&cert=b.pem", "cert of .* is given twice"),
        ("certificate=a.pem", "no option 'certificate'; there are: .*cert, key"),
    ],
)
def test_what_is_wrong_with_the_files_is_told(
    scheme: str, options: str, says: str, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    if scheme == "mqtts":
        pytest.importorskip("paho.mqtt.client", reason="paho-mqtt is not installed")
    monkeypatch.chdir(authority.folder)
    if not Path("a.pem").exists():
        authority.issue("a")
        authority.issue("b")
        authority.issue("locked", b"secret")
        Path("noise.pem").write_bytes(os.urandom(500))
    with pytest.raises(OutputError, match=says):
        open_sink(f"{scheme}://127.0.0.1:1?{options}").start()


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("wss://127.0.0.1:1", r"wss:// needs a certificate, \?cert="),
        ("ws://127.0.0.1:1?cert=a.pem&key=a.key", "write wss://"),
        ("mqtt://127.0.0.1:1/x?ca=a.pem", "write mqtts://"),
        ("wss://0.0.0.0:1?cert=a.pem&key=a.key", "anyone in the network could read along"),
    ],
)
def test_a_url_that_contradicts_itself_is_refused(url: str, says: str) -> None:
    with pytest.raises(OutputError, match=says):
        open_sink(url)


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
async def test_curl_reads_the_metrics_too(authority: Authority) -> None:
    cert, key = authority.issue("curl")
    sink = PrometheusSink("127.0.0.1", 0, tls=server_tls(str(cert), str(key)))
    sink.start()
    try:
        curl = await asyncio.create_subprocess_exec(
            "curl", "--silent", "--fail", "--cacert", authority.pem,
            f"https://localhost:{sink.port}/metrics", stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        out, _ = await curl.communicate()
    finally:
        sink.close()
    assert curl.returncode == 0
    assert b"# TYPE img2imu_decisions_total counter" in out
