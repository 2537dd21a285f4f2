"""Signature: who vouches for a model file, by Ed25519 (RFC 8032).

What is signed is the card. The card holds the SHA-256 of the graph and of all that travels with it, and a
file with anything else in it is refused: so the signature covers the whole file.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from img2imu_edge.container import CARD, SIGNATURE, Container
from img2imu_edge.errors import ModelError
from img2imu_edge.extras import extra

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

Key = str | Path | bytes
"""A key in PEM: the path of a file, or its content."""

_CONTEXT = b"img2imu.signature 1\0"
"""Before the card in what is signed, so that a signature of anything else never stands for one of a card."""

_KEY_SIZE, _SIGNATURE_SIZE = 32, 64
_LARGEST_KEY_FILE = 16 << 10
_MAKE = "make a pair of keys with: img2imu sign --new-key KEY.pem"


def new_key() -> tuple[bytes, bytes]:
    """A new private key and its public key, both in PEM.

    Raises:
        MissingExtraError: If `cryptography` is not installed.
    """
    _need()
    from cryptography.hazmat.primitives import serialization as form
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption())
    public = key.public_key().public_bytes(form.Encoding.PEM, form.PublicFormat.SubjectPublicKeyInfo)
    return private, public


def sign(parts: Container, private_key: Key) -> Container:
    """The same file with a signature, instead of any that it had.

    Args:
        parts: A model file with a card.
        private_key: Ed25519, in PEM without a passphrase.

    Raises:
        ModelError: If there is no card, or this is no such key.
        MissingExtraError: If `cryptography` is not installed.
    """
    if CARD not in parts.attachments:
        raise ModelError(f"it has no model card ({CARD}), so there is nothing to sign")
    key = _private(private_key)
    signature = key.public_key().public_bytes_raw() + key.sign(_CONTEXT + parts.attachments[CARD])
    return replace(parts, attachments={**parts.attachments, SIGNATURE: signature})


def check_signature(parts: Container, trusted_key: Key) -> None:
    """Check that a file is signed with a key, and unchanged since.

    Args:
        parts: Of any file.
        trusted_key: Public key of whom it must come from, Ed25519 in PEM.

    Raises:
        ModelError: If it is not, or this is no such key.
        MissingExtraError: If `cryptography` is not installed.
    """
    key = _public(trusted_key)
    trusted, signer = fingerprint(key.public_bytes_raw()), signed_by(parts)
    if signer is None:
        raise ModelError(
            f"it is not signed, and only files signed with the trusted key {trusted} are wanted; "
            "get a signed one from whoever makes the model"
        )
    if signer != trusted:
        raise ModelError(f"it is signed with the key {signer}, not with the trusted key {trusted}")
    from cryptography.exceptions import InvalidSignature

    try:
        key.verify(parts.attachments[SIGNATURE][_KEY_SIZE:], _CONTEXT + parts.attachments.get(CARD, b""))
    except InvalidSignature as error:
        raise ModelError(
            f"its card is not the one that was signed with the key {trusted}: the file was changed; "
            "get it again from whoever makes the model"
        ) from error


def signed_by(parts: Container) -> str | None:
    """Fingerprint of the key that a file says it is signed with, unchecked; None for an unsigned one.

    Raises:
        ModelError: If the signature has not the length of one.
    """
    signature = parts.attachments.get(SIGNATURE)
    if signature is None:
        return None
    if len(signature) != _KEY_SIZE + _SIGNATURE_SIZE:
        raise ModelError("its signature is damaged; get the file again")
    return fingerprint(signature[:_KEY_SIZE])


def fingerprint(public_key: bytes) -> str:
    """A short name of a key, for people: 64 bits of its SHA-256 in four groups of hexadecimal.

    Args:
        public_key: 32 bytes.
    """
    import hashlib

    digits = hashlib.sha256(public_key).hexdigest()[:16]
    return ":".join(digits[i : i + 4] for i in range(0, len(digits), 4))


def fingerprint_of(public_key: Key) -> str:
    """The fingerprint of a public key in PEM.

    Raises:
        ModelError: If this is no such key.
        MissingExtraError: If `cryptography` is not installed.
    """
    return fingerprint(_public(public_key).public_bytes_raw())


def _private(key: Key) -> Ed25519PrivateKey:
    name, content = _read(key)
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    if b"PUBLIC KEY" in content:
        raise ModelError(f"{name} is a public key; signing needs the private one that belongs to it")
    loaded: object = None
    try:
        loaded = load_pem_private_key(content, password=None)
    except TypeError as error:
        raise ModelError(
            f"{name} has a passphrase; take it off with: openssl pkey -in KEY.pem -out OPEN.pem"
        ) from error
    except Exception as error:  # of a dozen kinds, which all say that it is none
        raise ModelError(f"{name} is no private key in PEM; {_MAKE}") from error
    if not isinstance(loaded, Ed25519PrivateKey):
        raise ModelError(f"{name} is not of the kind Ed25519; {_MAKE}")
    return loaded


def _public(key: Key) -> Ed25519PublicKey:
    name, content = _read(key)
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    if b"PRIVATE KEY" in content:
        raise ModelError(
            f"{name} is a private key, which belongs only where models are signed; "
            "whoever checks them needs its public one, such as KEY.pub.pem"
        )
    loaded: object = None
    with suppress(Exception):  # of a dozen kinds, which all say that it is none
        loaded = load_pem_public_key(content)
    if not isinstance(loaded, Ed25519PublicKey):
        raise ModelError(f"{name} is no Ed25519 public key in PEM; {_MAKE}")
    return loaded


def _read(key: Key) -> tuple[str, bytes]:
    """What to call a key in messages, and its content."""
    _need()
    if isinstance(key, bytes):
        return "the key", key
    try:
        with Path(key).open("rb") as file:
            return f"the key {key}", file.read(_LARGEST_KEY_FILE)
    except OSError as error:
        raise ModelError(f"the key {key} cannot be read: {error.strerror}") from error


def _need() -> None:
    with extra("sign", "a signature"):
        import cryptography  # noqa: F401
