"""The authority of one run: it signs a certificate for each node, and nobody else's counts.

Certificates are short-lived and name their node twice, as common name (which receivers check) and
as DNS name (which gRPC checks when it connects). Keys are on the curve P-256.
"""

import datetime as dt
import re
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from real_runner.errors import RealRunError
from real_runner.wire.credentials import Credentials, read_file, write_private

VALID = dt.timedelta(days=1)
_SKEW = dt.timedelta(minutes=10)
"""Clocks of machines may differ by so much."""

_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")
_CA, _CA_KEY = "ca.pem", "ca-key.pem"


@dataclass(frozen=True, slots=True)
class Authority:
    """A certificate (PEM) that every node trusts, and the key (PEM) that signs with it."""

    ca_pem: bytes
    key_pem: bytes = field(repr=False)

    @classmethod
    def create(cls, valid: dt.timedelta = VALID) -> "Authority":
        """Make a new one, which is trusted for ``valid``."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = _name("tessera run authority")
        certificate = (
            _builder(name, name, key.public_key(), valid)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(signs_certificates=True), critical=True)
            .sign(key, hashes.SHA256())
        )
        return cls(_pem(certificate), _key_pem(key))

    def issue(self, node: str, valid: dt.timedelta = VALID) -> Credentials:
        """Return credentials for ``node``, good for ``valid`` but no longer than the authority.

        Raises `RealRunError` where the name cannot stand in a certificate.
        """
        if not _NAME.fullmatch(node):
            raise RealRunError(
                f"credentials: node {node!r}: a certificate's name has at most 63 ASCII letters, "
                "digits, '.', '_' and '-', the first and the last a letter or digit; rename it"
            )
        authority = x509.load_pem_x509_certificate(self.ca_pem)
        signer = serialization.load_pem_private_key(self.key_pem, password=None)
        key = ec.generate_private_key(ec.SECP256R1())
        purposes = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
        left = authority.not_valid_after_utc - dt.datetime.now(dt.UTC)
        certificate = (
            _builder(_name(node), authority.subject, key.public_key(), min(valid, left))
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signs_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(node)]), critical=False)
            .sign(_elliptic(signer), hashes.SHA256())
        )
        return Credentials(self.ca_pem, _pem(certificate), _key_pem(key))

    def save(self, folder: Path) -> None:
        """Write certificate and key into ``folder``, for this user's eyes only."""
        write_private(folder, {_CA: self.ca_pem, _CA_KEY: self.key_pem})

    @classmethod
    def load(cls, folder: Path) -> "Authority":
        """Read what `save` wrote; `RealRunError` says which file is amiss, and how."""
        ca_pem, key_pem = read_file(folder / _CA), read_file(folder / _CA_KEY, private=True)
        try:
            certificate = x509.load_pem_x509_certificate(ca_pem)
            key = _elliptic(serialization.load_pem_private_key(key_pem, password=None))
        except ValueError as error:
            raise RealRunError(f"{folder}: {error}; create the authority again") from error
        if key.public_key() != certificate.public_key():
            raise RealRunError(f"{folder}: {_CA_KEY} is not the key of {_CA}; create both again")
        if certificate.not_valid_after_utc < dt.datetime.now(dt.UTC):
            raise RealRunError(f"{folder}: the authority has expired; create it again")
        return cls(ca_pem, key_pem)


def _elliptic(key: object) -> ec.EllipticCurvePrivateKey:
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ValueError("the authority's key is on no elliptic curve")  # noqa: TRY004 - a file's
    return key


def _name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, valid: dt.timedelta
) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _SKEW)
        .not_valid_after(now + valid)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
