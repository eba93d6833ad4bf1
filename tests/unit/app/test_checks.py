"""What the checks are told of a deployment: its certificates and its newest checkpoint."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.app.beginning import write_signing_key
from gateway.app.checks import check_settings, newest_checkpoint, signature_check
from gateway.app.config import ConfigError, KeySection, Settings, StoreSection
from gateway.app.surroundings import SystemRng
from signing import FileKey, SigningError, load_file, sign
from tests.unit.signing import make

MONDAY = 1_790_000_000_000_000


@pytest.fixture
def key(tmp_path: Path) -> FileKey:
    path = tmp_path / "signing.pem"
    write_signing_key(path, subject="Test", rng=SystemRng(), now=MONDAY)
    return load_file(path, name="default")


def with_keys(tmp_path: Path) -> Settings:
    return Settings(keys={"default": KeySection(file=tmp_path / "signing.pem")})


def test_a_changed_message_does_not_verify(tmp_path: Path, key: FileKey) -> None:
    verify = signature_check(with_keys(tmp_path))
    assert verify is not None
    signed = sign(make.BODY, key)
    name, serial = signed.profile.name, signed.certificate_serial
    verify(signed.content, name, serial)
    changed = signed.content.replace(b"</ceb:", b" </ceb:", 1)
    assert changed != signed.content
    with pytest.raises(SigningError):
        verify(changed, name, serial)


def test_a_certificate_that_is_gone_is_no_violation(tmp_path: Path, key: FileKey) -> None:
    verify = signature_check(with_keys(tmp_path))
    assert verify is not None
    verify(b"signed by another key", "ceb", "00")


def test_keys_that_cannot_be_read_are_left_out(tmp_path: Path) -> None:
    assert signature_check(with_keys(tmp_path)) is None
    assert signature_check(Settings()) is None


@pytest.mark.parametrize(
    "content, number", [(b"", 0), (b"1 a\n2 b\n", 2), (b"1 a\n2 b\n3 cut", 2), (b"cut", 0)]
)
def test_the_newest_whole_checkpoint_counts(tmp_path: Path, content: bytes, number: int) -> None:
    path = tmp_path / "checkpoints"
    path.write_bytes(content)
    settings = Settings(store=StoreSection(checkpoint_file=path))
    assert check_settings(settings).anchor == number


def test_another_file_is_no_checkpoint_file(tmp_path: Path) -> None:
    path = tmp_path / "checkpoints"
    path.write_bytes(b"hello\n")
    with pytest.raises(ConfigError, match="checkpoint_file"):
        newest_checkpoint(Settings(store=StoreSection(checkpoint_file=path)))
    assert newest_checkpoint(Settings(store=StoreSection(checkpoint_file=tmp_path / "no"))) == 0
