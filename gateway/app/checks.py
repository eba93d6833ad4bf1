"""Every promise that has a checker, checked against a gateway's own store."""

from collections.abc import Iterator, Mapping
from typing import Final

from gateway.app.config import ConfigError, Settings
from gateway.app.container import Gateway, load_keys
from signing import CEB_RSA_SHA1, Certificate, VerifyPolicy, verify
from store.checks import CheckSettings, Report, Verify, run_checks

_PROFILES: Final = (CEB_RSA_SHA1,)


async def check_everything(gateway: Gateway) -> Report:
    """Run all checks on one reading connection."""
    now = gateway.context.clock.now()
    settings = CheckSettings(verify=signature_check(gateway.settings))
    async with gateway.store.read() as reading:
        return await reading.run_sync(lambda on: run_checks(on, gateway.store.keys, now, settings))


def signature_check(settings: Settings) -> Verify | None:
    """Verifies stored messages with the certificates of the configured keys; None without any.

    A message signed by a certificate that is no longer configured cannot be verified here and
    passes; its digest is checked all the same.
    """
    certificates = dict(_certificates(settings))
    return _SignatureCheck(certificates) if certificates else None


def _certificates(settings: Settings) -> Iterator[tuple[str, Certificate]]:
    for ring, section in settings.keys.items():
        try:
            key = load_keys({ring: section})[ring]
        except ConfigError:
            # A process that only checks need not have every key.
            continue
        yield key.certificate.serial, key.certificate


class _SignatureCheck:
    """Implements ``store.checks.Verify``."""

    def __init__(self, certificates: Mapping[str, Certificate]) -> None:
        self._certificates = certificates

    def __call__(self, content: bytes, profile: str, serial: str) -> None:
        """Raise ``SigningError`` unless the bytes carry this certificate's valid signature."""
        certificate = self._certificates.get(serial)
        if certificate is None:
            return
        # Whether it was valid when it signed was decided then; here the bytes are the question.
        moment = certificate.parsed.not_valid_before_utc
        verify(
            content,
            VerifyPolicy(profiles=_PROFILES, at=moment, pinned=(certificate,), weak_until=moment),
        )
