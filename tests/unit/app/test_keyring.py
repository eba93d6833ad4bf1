"""Signing keys of a deployment: what settings may say, and the rings they make."""

from __future__ import annotations

from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway.app.config import ConfigError, KeySection, load_settings
from gateway.app.keyring import KeyRings, certificate_of, open_key, open_rings
from gateway.app.settings_file import add_section, set_values
from gateway.app.surroundings import SystemClock, ThreadExecutor
from gateway.domain.errors import RingUnknown
from signing import LateKey, RemoteKey, RingWatch
from signing.errors import EnterpriseForeign
from tests.unit.signing.make import file_key, new_key
from tests.unit.signing.test_certificate_facts import card


@pytest.mark.parametrize(
    "section, words",
    [
        ({}, "needs file"),
        ({"kind": "pkcs11", "module": "m"}, "needs token, label, pin_file"),
        ({"kind": "remote", "url": "https://a"}, "needs token_file, certificate_file"),
        ({"file": "a", "module": "m"}, "has no module"),
        ({"kind": "ukey", "file": "a"}, "has no file"),
        (
            {
                "file": "a",
                "use_from": "2026-02-01T00:00:00Z",
                "use_until": "2026-01-01T00:00:00Z",
            },
            "later than use_from",
        ),
    ],
)
def test_a_section_must_fit_its_kind(section: dict[str, str], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        KeySection.model_validate(section)


def test_each_kind_is_opened_as_its_section_says(tmp_path: Path) -> None:
    (tmp_path / "key.pem").write_bytes(new_key().pem())
    (tmp_path / "cert.cer").write_bytes(new_key().certificate.der)
    (tmp_path / "secret").write_text("000000\n")
    secret, certificate = tmp_path / "secret", tmp_path / "cert.cer"
    file = KeySection(file=tmp_path / "key.pem")
    remote = KeySection(
        kind="remote", url="https://a/", token_file=secret, certificate_file=certificate
    )
    ukey = KeySection(kind="ukey", pin_file=secret, certificate_file=certificate)
    token = KeySection(
        kind="pkcs11", module=tmp_path / "none.so", token="t", label="l", pin_file=secret,
        certificate_file=certificate,
    )  # fmt: skip
    assert open_key("f", file).certificate == file_key().certificate
    assert isinstance(open_key("r", remote), RemoteKey)
    assert isinstance(open_key("u", ukey), LateKey)
    assert isinstance(open_key("t", token), LateKey)
    for section in (file, remote, ukey, token):
        assert certificate_of("k", section) == file_key().certificate
    assert certificate_of("k", KeySection(kind="ukey")) is None
    with pytest.raises(ConfigError, match=r"keys\.u"):
        open_key("u", KeySection(kind="ukey", url="ws://127.0.0.1:1"))
    with pytest.raises(ConfigError, match=r"keys\.k"):
        certificate_of("k", KeySection(kind="ukey", certificate_file=tmp_path / "gone"))


def test_a_certificate_that_names_another_enterprise_is_refused(tmp_path: Path) -> None:
    (tmp_path / "cert.cer").write_bytes(card().der)
    (tmp_path / "secret").write_text("x")
    section = KeySection(
        kind="remote", url="https://a/", token_file=tmp_path / "secret",
        certificate_file=tmp_path / "cert.cer", enterprise=frozenset({"4403000002"}),
    )  # fmt: skip
    with pytest.raises(ConfigError) as refused:
        open_key("k", section)
    assert isinstance(refused.value.__cause__, EnterpriseForeign)
    open_key("k", section.model_copy(update={"enterprise": frozenset({"3301000001"})}))


async def test_keys_of_one_ring_are_gathered(tmp_path: Path) -> None:
    (tmp_path / "key.pem").write_bytes(new_key().pem())
    sections = {
        "a": KeySection(file=tmp_path / "key.pem", ring="firm", weight=2),
        "b": KeySection(file=tmp_path / "key.pem", ring="firm"),
        "own": KeySection(file=tmp_path / "key.pem"),
    }
    async with AsyncExitStack() as stack:
        executor = ThreadExecutor(1)
        stack.callback(executor.close)
        rings = open_rings(sections, executor, SystemClock(), RingWatch(), stack)
        assert {name: len(ring.keys) for name, ring in rings.rings.items()} == {"firm": 2, "own": 1}
        assert set(rings.keys) == {"a", "b", "own"}
        assert len(rings.states()["firm"]) == 2
        with pytest.raises(RingUnknown):
            rings.ring("none")


async def test_a_ring_without_keys_is_unknown() -> None:
    with pytest.raises(RingUnknown):
        await KeyRings({}).sign("default", b"")


SETTINGS = '# kept\n[keys.a] # one\nfile = "a.pem"\nweight = 2 # two\n\n[http]\nport = 1\n'


def test_settings_are_changed_in_place(tmp_path: Path) -> None:
    path = tmp_path / "clearance.toml"
    path.write_text(SETTINGS)
    path.chmod(0o640)
    add_section(path, "keys", "b", {"file": 'b"\\.pem', "weight": 3, "converts_der": True})
    set_values(path, "keys", "a", {"weight": 5, "use_until": datetime(2030, 1, 1, tzinfo=UTC)})
    settings = load_settings(path)
    assert settings.keys["a"].weight == 5
    assert settings.keys["a"].use_until == datetime(2030, 1, 1, tzinfo=UTC)
    assert settings.keys["b"].file == tmp_path / 'b"\\.pem'
    assert settings.http.port == 1
    assert "# kept" in path.read_text()
    assert path.stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize(
    "name, values, words",
    [
        ("a", {"file": "x"}, "there already"),
        ("b c", {"file": "x"}, "letters, digits"),
        ("b", {"nonsense": "x"}, "nonsense"),
        ("b", {"file": "x\x00"}, "printable"),
    ],
)
def test_a_change_that_would_not_work_leaves_the_file(
    tmp_path: Path, name: str, values: dict[str, object], words: str
) -> None:
    path = tmp_path / "clearance.toml"
    path.write_text(SETTINGS)
    with pytest.raises(ConfigError, match=words):
        add_section(path, "keys", name, values)
    assert path.read_text() == SETTINGS
    assert [one.name for one in tmp_path.iterdir()] == ["clearance.toml"]


def test_what_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="clearance init"):
        add_section(tmp_path / "none.toml", "keys", "a", {"file": "x"})
    path = tmp_path / "clearance.toml"
    path.write_text(SETTINGS)
    with pytest.raises(ConfigError, match="has no section"):
        set_values(path, "keys", "z", {"weight": 1})
