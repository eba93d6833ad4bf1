"""Every promise that has a checker, checked against a gateway's own store."""

from collections.abc import Iterator, Mapping
from typing import Final

from gateway.app.config import ConfigError, Settings
from gateway.app.container import Gateway
from gateway.app.keyring import certificate_of
from signing import CEB_PROFILES, Certificate, VerifyPolicy, verify
from store.checks import CheckSettings, Report, Verify, run_checks

_PROFILES: Final = CEB_PROFILES


async def check_everything(gateway: Gateway) -> Report:
    """Run all checks on one reading connection."""
    now = gateway.context.clock.now()
    settings = check_settings(gateway.settings)
    async with gateway.store.read() as reading:
        return await reading.run_sync(lambda on: run_checks(on, gateway.store.keys, now, settings))


def check_settings(settings: Settings) -> CheckSettings:
    """What the checks are told of this deployment: its certificates, and its newest checkpoint."""
    return CheckSettings(verify=signature_check(settings), anchor=newest_checkpoint(settings))


def newest_checkpoint(settings: Settings) -> int:
    """The number of the newest checkpoint in the second place, 0 where none is kept.

    A line that was cut short while it was written does not count. Raises :class:`ConfigError`
    when the file holds something else.
    """
    path = settings.store.checkpoint_file
    if path is None or not path.exists():
        return 0
    lines = path.read_bytes().split(b"\n")[:-1]
    number = lines[-1].split(b" ", 1)[0] if lines else b"0"
    if not number.isdigit():
        raise ConfigError(
            f"{path}: is no file of checkpoints; check store.checkpoint_file",
            "不是检查点文件，请检查 store.checkpoint_file",
        )
    return int(number)


def signature_check(settings: Settings) -> Verify | None:
    """Verifies stored messages with the certificates of the configured keys; None without any.

    A message signed by a certificate that is no longer configured cannot be verified here and
    passes; its digest is checked all the same.
    """
    certificates = dict(_certificates(settings))
    return _SignatureCheck(certificates) if certificates else None


def _certificates(settings: Settings) -> Iterator[tuple[str, Certificate]]:
    for name, section in settings.keys.items():
        try:
            certificate = certificate_of(name, section)
        except ConfigError:
            # A process that only checks need not have every key.
            continue
        if certificate is not None:
            yield certificate.serial, certificate


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
