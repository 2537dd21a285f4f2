"""Signatures: a file that is not from whom it should be never gets to an engine."""

from __future__ import annotations

import base64
import stat
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

import img2imu_edge as i2e
from img2imu_edge.container import CARD, GOLDEN, SIGNATURE, Container, pack, unpack
from img2imu_edge.model import open_model
from img2imu_edge.signature import check_signature, fingerprint_of, new_key, sign

Pair = tuple[bytes, bytes]
Run = Callable[..., "subprocess.CompletedProcess[str]"]

# RFC 8032, section 7.1, test 1; before the private key, the header of PKCS #8 (RFC 8410, section 7).
RFC8032_PRIVATE = (
    "302e020100300506032b6570042204209d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"
)
RFC8032_PUBLIC = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"


@pytest.fixture(scope="module")
def keys() -> Pair:
    return new_key()


@pytest.fixture(scope="module")
def other_keys() -> Pair:
    return new_key()


def test_the_key_is_ed25519_as_the_standard_has_it(parts: Container) -> None:
    der = base64.encodebytes(bytes.fromhex(RFC8032_PRIVATE)).decode()
    signed = sign(parts, f"-----BEGIN PRIVATE KEY-----\n{der}-----END PRIVATE KEY-----\n".encode())
    assert signed.attachments[SIGNATURE][:32].hex() == RFC8032_PUBLIC


def test_a_signed_file_loads_with_its_key_and_without(
    parts: Container, keys: Pair, written: Callable[[Container], Path], tmp_path: Path
) -> None:
    private, public = keys
    path = written(sign(parts, private))
    pem = tmp_path / "maker.pub.pem"
    pem.write_bytes(public)
    for key in (public, pem, str(pem), None):
        assert i2e.load_model(path, key).signer == fingerprint_of(public)
    assert unpack(path.read_bytes()).graph == parts.graph
    assert sign(sign(parts, private), private) == sign(parts, private)


def test_an_unsigned_file_is_refused(shipped: Path, keys: Pair) -> None:
    assert i2e.load_model(shipped).signer is None
    with pytest.raises(i2e.ModelError, match="it is not signed, and only files signed with the trusted key"):
        i2e.load_model(shipped, keys[1])


def test_a_file_signed_with_another_key_is_refused(parts: Container, keys: Pair, other_keys: Pair) -> None:
    forged = sign(parts, other_keys[0])
    with pytest.raises(i2e.ModelError) as caught:
        open_model(forged, Path("forged"), keys[1])
    assert f"signed with the key {fingerprint_of(other_keys[1])}" in str(caught.value)
    assert f"not with the trusted key {fingerprint_of(keys[1])}" in str(caught.value)


def test_anything_changed_after_signing_is_refused(
    parts: Container, keys: Pair, reseal: Callable[..., Container]
) -> None:
    """With hashes that fit again: for graph and golden vectors are as good as signed."""
    private, public = keys
    signed = sign(parts, private)
    check_signature(signed, public)
    weights = bytearray(parts.graph)
    weights[len(weights) // 2] ^= 1
    forgeries = [
        reseal(signed, graph=bytes(weights)),
        reseal(signed, golden=parts.attachments[GOLDEN] + b"\0"),
        reseal(signed, card=lambda card: card["decision"].update(temperature=5.0)),
        replace(signed, attachments={**signed.attachments, CARD: signed.attachments[CARD] + b" "}),
    ]
    for forged in forgeries:
        with pytest.raises(i2e.ModelError, match="its card is not the one that was signed with the key"):
            open_model(forged, Path("forged"), public)
    # Without making hashes fit, the card itself gives it away.
    with pytest.raises(i2e.ModelError, match=r"graph is not what its card was made for"):
        open_model(replace(signed, graph=bytes(weights)), Path("forged"), public)
    more = {**signed.attachments, "img2imu.more": b"slipped in"}
    with pytest.raises(i2e.ModelError, match=r"tells no SHA-256 of its img2imu\.more"):
        open_model(replace(signed, attachments=more), Path("forged"), public)


def test_the_engine_never_sees_an_untrusted_graph(parts: Container, keys: Pair, other_keys: Pair) -> None:
    """A graph that is none would be the engine's error: what comes is the signature's."""
    nonsense = sign(replace(parts, graph=b"\x08\x0anonsense"), other_keys[0])
    with pytest.raises(i2e.ModelError, match="not with the trusted key"):
        open_model(nonsense, Path("nonsense"), keys[1])


def test_a_signature_of_the_bare_card_is_none_of_ours(parts: Container, keys: Pair) -> None:
    """What is signed starts with what it is signed as, so that no other use of the key can be misused."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    key = load_pem_private_key(keys[0], None)
    assert isinstance(key, Ed25519PrivateKey)
    bare = key.public_key().public_bytes_raw() + key.sign(parts.attachments[CARD])
    with pytest.raises(i2e.ModelError, match="not the one that was signed"):
        check_signature(replace(parts, attachments={**parts.attachments, SIGNATURE: bare}), keys[1])


def test_a_damaged_signature_is_refused_with_a_key_and_without(parts: Container, keys: Pair) -> None:
    damaged = replace(parts, attachments={**parts.attachments, SIGNATURE: b"short"})
    for key in (keys[1], None):
        with pytest.raises(i2e.ModelError, match="signature is damaged"):
            open_model(damaged, Path("damaged"), key)


def test_keys_that_are_none_are_told_from_bad_files(shipped: Path, keys: Pair, tmp_path: Path) -> None:
    private, _ = keys
    nothing = tmp_path / "nothing.pem"
    nothing.write_text("nothing")
    cases = [
        (private, "the key is a private key"),
        (nothing, r"the key .*nothing\.pem is no Ed25519 public key"),
        (tmp_path / "absent.pem", r"absent\.pem cannot be read"),
    ]
    for key, message in cases:
        with pytest.raises(i2e.ModelError, match=message) as caught:
            i2e.load_model(shipped, key)
        assert shipped.name not in str(caught.value)


def test_without_cryptography_a_trusted_key_is_an_error_that_says_so(shipped: Path, keys: Pair) -> None:
    """Never a file that is let through unchecked."""
    code = (
        "import sys; sys.modules['cryptography'] = None\n"
        "import img2imu_edge as i2e\n"
        "assert i2e.load_model(sys.argv[1]).signer is None\n"
        "try:\n    i2e.load_model(sys.argv[1], sys.argv[2].encode())\n"
        "except i2e.MissingExtraError as error:\n    print(error)\n"
    )
    line = [sys.executable, "-c", code, str(shipped), keys[1].decode()]
    done = subprocess.run(line, capture_output=True, text=True, check=True)
    assert "pip install 'img2imu-edge[sign]'" in done.stdout


def test_signing_on_the_command_line(model: i2e.Model, tmp_path: Path, img2imu: Run) -> None:
    shipped = model.path
    path, key = tmp_path / shipped.name, tmp_path / "maker.pem"
    path.write_bytes(shipped.read_bytes())
    path.chmod(0o640)
    made = img2imu("sign", "--new-key", key)
    assert made.returncode == 0, made.stderr
    public = tmp_path / "maker.pub.pem"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert fingerprint_of(public) in made.stdout
    again = img2imu("sign", "--new-key", key)
    assert "is there already" in again.stderr
    done = img2imu("sign", path, "--key", key)
    assert done.returncode == 0, done.stderr
    assert i2e.load_model(path, public).signer == fingerprint_of(public)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted([shipped.name, "maker.pem", "maker.pub.pem"])
    wrong = img2imu("sign", path, "--key", public)
    assert "is a public key" in wrong.stderr


def test_a_damaged_file_is_not_signed(model: i2e.Model, tmp_path: Path, img2imu: Run, keys: Pair) -> None:
    parts = unpack(model.path.read_bytes())
    path, key = tmp_path / "damaged.onnx", tmp_path / "maker.pem"
    key.write_bytes(keys[0])
    weights = bytearray(parts.graph)
    weights[len(weights) // 2] ^= 1
    path.write_bytes(content := pack(replace(parts, graph=bytes(weights))))
    done = img2imu("sign", path, "--key", key)
    assert done.returncode == 1
    assert "not what its card was made for" in done.stderr
    assert path.read_bytes() == content
