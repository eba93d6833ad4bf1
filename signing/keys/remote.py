"""Keys behind an HTTP service that signs, such as an encryption machine's front or another gateway.

One call: `POST` JSON `{"key": name, "data": base64}` with a bearer token. The answer is JSON
`{"signature": base64, "key_name": text, "certificate": base64 DER}`. The service hashes the data.
Services of other shapes are met by a small front of this shape.
"""

import base64
import http.client
import json
import ssl
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

from signing.certificate import Certificate
from signing.errors import (
    AccessRefused,
    AgentUnreachable,
    CallRefused,
    CertificateUnreadable,
    DeviceSlow,
    ReplyForeign,
    SettingError,
    SignatureForeign,
)
from signing.keys.made import decoded, is_made_by, raw_signature
from signing.profiles import profile_for

_REPLY_BYTES: Final = 64 * 1024
_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})


@dataclass(frozen=True, slots=True)
class RemoteSettings:
    """A signing service. Plain http is taken for this machine only.

    `converts_der` is for services that hand an SM2 signature back as DER.
    """

    url: str
    key: str
    token: str = field(repr=False)
    certificate: Certificate
    key_name: str | None = None
    timeout_ms: int = 10_000
    converts_der: bool = False
    tls: ssl.SSLContext | None = None


class RemoteKey:
    """A key that a service holds for us. The certificate is ours to know, never the service's."""

    def __init__(self, name: str, settings: RemoteSettings) -> None:
        parts = urlsplit(settings.url)
        is_plain = parts.scheme == "http" and parts.hostname in _LOOPBACK
        if parts.hostname is None or not (parts.scheme == "https" or is_plain):
            raise SettingError("the address of a signing service is https, or http on loopback")
        profile_for(settings.certificate)
        self.name = name
        self.certificate = settings.certificate
        self.key_name = settings.key_name or settings.certificate.serial
        self._settings = settings
        self._is_plain = is_plain
        self._host = parts.hostname
        self._port = parts.port
        self._path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")

    def sign(self, data: bytes) -> bytes:
        """Have the data signed and check what comes back.

        Raises `AgentUnreachable` (also 429 and 5xx), `DeviceSlow`, `AccessRefused` (401, 403),
        `CallRefused` (other 4xx), `ReplyForeign`, `KeyFailed`, `SignatureIsDER`, or
        `SignatureForeign` when it was made by another key or over other data.
        """
        reply = self._ask(data)
        if (held := reply.get("certificate")) is not None and not self._is_own(held):
            raise SignatureForeign("another certificate")
        value = decoded(reply.get("signature"))
        signature = raw_signature(self.certificate, value, converts_der=self._settings.converts_der)
        if not is_made_by(self.certificate, signature, data):
            raise SignatureForeign
        return signature

    def close(self) -> None:
        """Nothing is held between calls."""

    def _is_own(self, held: object) -> bool:
        try:
            return Certificate.from_base64(str(held)) == self.certificate
        except CertificateUnreadable:
            return False

    def _connection(self) -> http.client.HTTPConnection:
        timeout = self._settings.timeout_ms / 1000
        if self._is_plain:
            return http.client.HTTPConnection(self._host, self._port, timeout=timeout)
        tls = self._settings.tls or ssl.create_default_context()
        return http.client.HTTPSConnection(self._host, self._port, timeout=timeout, context=tls)

    def _ask(self, data: bytes) -> dict[str, Any]:
        """The service's JSON object (Any: JSON)."""
        body = json.dumps({"key": self._settings.key, "data": base64.b64encode(data).decode()})
        headers = {
            "Authorization": f"Bearer {self._settings.token}",
            "Content-Type": "application/json",
        }
        connection = self._connection()
        try:
            connection.request("POST", self._path, body, headers)
            with connection.getresponse() as answer:
                status, content = answer.status, answer.read(_REPLY_BYTES + 1)
        except TimeoutError as error:
            raise DeviceSlow from error
        except (OSError, http.client.HTTPException) as error:
            raise AgentUnreachable(type(error).__name__) from error
        finally:
            connection.close()
        _judge(status)
        return _object(content)


def _judge(status: int) -> None:
    if status == http.client.OK:
        return
    if status in (http.client.UNAUTHORIZED, http.client.FORBIDDEN):
        raise AccessRefused(str(status))
    if status == http.client.TOO_MANY_REQUESTS or status >= http.client.INTERNAL_SERVER_ERROR:
        raise AgentUnreachable(f"status {status}")
    raise CallRefused(f"status {status}")


def _object(content: bytes) -> dict[str, Any]:
    if len(content) > _REPLY_BYTES:
        raise ReplyForeign("too large")
    try:
        reply = json.loads(content)
    except ValueError as error:
        raise ReplyForeign("not JSON") from error
    if not isinstance(reply, dict):
        raise ReplyForeign("not an object")
    return reply
