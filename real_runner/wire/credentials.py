"""What a node shows to its peers and trusts in them: mutual TLS with the authority of the run."""

import datetime as dt
import errno
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import grpc
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509.oid import NameOID

from real_runner.errors import RealRunError

_CA, _CERTIFICATE, _KEY = "ca.pem", "cert.pem", "key.pem"
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_MAKE_ROOM = "make room there, or name a folder on another disk"


@dataclass(frozen=True, slots=True)
class Credentials:
    """The authority's certificate, the node's own and its key, all PEM; see `Authority.issue`."""

    ca_pem: bytes
    cert_pem: bytes
    key_pem: bytes = field(repr=False)

    @property
    def node(self) -> str:
        """The node that the certificate names."""
        return _common_name(x509.load_pem_x509_certificate(self.cert_pem))

    def save(self, folder: Path) -> None:
        """Write three files into ``folder``, for this user's eyes only."""
        contents = {_CA: self.ca_pem, _CERTIFICATE: self.cert_pem, _KEY: self.key_pem}
        write_private(folder, contents)

    @classmethod
    def load(cls, folder: Path) -> "Credentials":
        """Read what `save` wrote; `RealRunError` says which file is amiss, and how."""
        ca_pem, cert_pem = read_file(folder / _CA), read_file(folder / _CERTIFICATE)
        key_pem = read_file(folder / _KEY, private=True)
        _check(folder, ca_pem, cert_pem, key_pem)
        return cls(ca_pem, cert_pem, key_pem)

    def for_server(self) -> grpc.ServerCredentials:
        """Return what a server needs: clients must show a certificate of the same authority."""
        return grpc.ssl_server_credentials(
            [(self.key_pem, self.cert_pem)],
            root_certificates=self.ca_pem,
            require_client_auth=True,
        )

    def for_channel(self) -> grpc.ChannelCredentials:
        """Return what a client needs."""
        return grpc.ssl_channel_credentials(self.ca_pem, self.key_pem, self.cert_pem)


def write_private(folder: Path, contents: Mapping[str, bytes]) -> None:
    """Write files of mode 0600 into ``folder``, which gets mode 0700; none is left half-written.

    Raises `RealRunError` where the machine refuses.
    """
    place = folder
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)
        for name, content in contents.items():
            place = folder / f"{name}.part"
            place.unlink(missing_ok=True)
            with open(place, "xb", opener=_private) as file:
                file.write(content)
            place.replace(folder / name)
    except OSError as error:
        if place != folder:
            with suppress(OSError):  # what made writing fail may make this fail, too
                place.unlink(missing_ok=True)
        where = error.filename or place  # writing itself names no file
        remedy = _MAKE_ROOM if error.errno in _FULL else "name a folder of your own"
        raise RealRunError(f"credentials: {where}: {error.strerror}; {remedy}") from error


def read_file(path: Path, *, private: bool = False) -> bytes:
    """Return a file's content; `RealRunError` where it is missing, or too open for a key."""
    try:
        content, mode = path.read_bytes(), path.stat().st_mode
    except OSError as error:
        raise RealRunError(
            f"credentials: {path}: {error.strerror}; name the folder that was made for this node"
        ) from error
    if private and mode & 0o077:
        raise RealRunError(
            f"credentials: {path}: others may read this key (mode {mode & 0o777:o}); chmod 600 it"
        )
    return content


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _common_name(certificate: x509.Certificate) -> str:
    names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(names[0].value) if names else ""


def _check(folder: Path, ca_pem: bytes, cert_pem: bytes, key_pem: bytes) -> None:
    """Refuse files that do not belong together, or are too old."""
    try:
        authority = x509.load_pem_x509_certificate(ca_pem)
        certificate = x509.load_pem_x509_certificate(cert_pem)
        key = load_pem_private_key(key_pem, password=None)
    except ValueError as error:
        raise RealRunError(f"credentials: {folder}: {error}; issue them again") from error
    if key.public_key() != certificate.public_key():
        raise RealRunError(
            f"credentials: {folder}: {_KEY} is not the key of {_CERTIFICATE}; issue them again"
        )
    try:
        certificate.verify_directly_issued_by(authority)
    except Exception as error:  # InvalidSignature is no ValueError, and there are others
        raise RealRunError(
            f"credentials: {folder}: {_CERTIFICATE} is not from the authority in {_CA}; copy both "
            "from one run"
        ) from error
    if certificate.not_valid_after_utc < dt.datetime.now(dt.UTC):
        raise RealRunError(
            f"credentials: {folder}: expired at {certificate.not_valid_after_utc:%Y-%m-%d %H:%M} "
            "UTC; issue them again"
        )
