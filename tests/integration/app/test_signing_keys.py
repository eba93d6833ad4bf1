"""`clearance keys` and `clearance sign`: keys of the settings made, imported, checked, rotated."""

from __future__ import annotations

import asyncio
import threading
import tomllib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
import pytest
from sqlalchemy import insert

from adapters.sandbox.ukey import Control, Fault
from gateway.app.config import KeySection, load_settings
from gateway.app.keyring import ConfiguredRings
from gateway.app.surroundings import SystemClock, ThreadExecutor
from gateway.app.upkeep import keep_keys_new
from signing import (
    CEB_PROFILES,
    KeyKind,
    RingWatch,
    VerifyPolicy,
    load_file,
    new_development_key,
    verify,
)
from store.tables import key_aside
from tests.integration.app.test_cli import Shell, shell, shop
from tests.integration.app.test_operations import put
from tests.support.ukey import card_of, running_control
from tests.unit.signing.make import BODY

__all__ = ["shell", "shop"]


def made(folder: Path, name: str, *, serial: int, days: int = 400, **more: object) -> Path:
    now = datetime.now(UTC)
    key = new_development_key(
        subject="张三 110101199003070003",
        serial=serial,
        not_before=now - timedelta(days=2),
        not_after=now + timedelta(days=days),
        **more,  # type: ignore[arg-type]
    )
    path = folder / name
    path.write_bytes(key.pem())
    return path


def test_a_key_of_each_kind_is_made_imported_and_signs(shop: Shell) -> None:
    for kind in ("rsa", "sm2"):
        pem = shop.folder / f"{kind}.pem"
        shop.ok("keys", "new", pem, "--kind", kind)
        shop.ok("keys", "import", pem, "--name", f"firm-{kind}", "--ring", "default")
        copy = shop.folder / "keys" / f"firm-{kind}.pem"
        assert copy.stat().st_mode & 0o777 == 0o600
        message, signed = shop.folder / f"{kind}.xml", shop.folder / f"{kind}.signed.xml"
        message.write_bytes(BODY)
        shop.ok("sign", message, "--key", f"firm-{kind}", "-o", signed)
        certificate = load_file(copy, name="k").certificate
        moment = datetime.now(UTC)
        policy = VerifyPolicy(
            profiles=CEB_PROFILES, at=moment, pinned=(certificate,), weak_until=moment
        )
        assert verify(signed.read_bytes(), policy).content == BODY
        assert "overwritten" in shop.refused("sign", message, "--key", f"firm-{kind}", "-o", signed)
    listed = {one["name"]: one for one in shop.json("keys", "list")["keys"]}
    assert set(listed) == {"default", "firm-rsa", "firm-sm2"}
    assert listed["firm-sm2"]["key"] == "sm2 256"
    assert {one["ring"] for one in listed.values()} == {"default"}
    checked = shop.json("keys", "check")["keys"]
    assert [one["well"] for one in checked] == [True, True, True]


def test_an_envelope_is_signed_by_its_own_profile(shop: Shell) -> None:
    envelope = shop.folder / "dxp.xml"
    envelope.write_text(
        '<dxp:DxpMsg xmlns:dxp="http://www.chinaport.gov.cn/dxp" ver="1.0">'
        "<dxp:Data>QQ==</dxp:Data></dxp:DxpMsg>"
    )
    done = shop.run("sign", str(envelope), "--key", "default")
    assert done.exit_code == 0
    assert "X509Data" not in done.stdout
    assert "<ds:KeyName>" in done.stdout


def test_faults_are_told_with_their_fix(shop: Shell) -> None:
    pem = made(shop.folder, "a.pem", serial=0x11)
    assert "no key 'nobody'" in shop.refused("sign", pem, "--key", "nobody")
    shop.ok("keys", "import", pem, "--name", "a")
    assert "overwritten" in shop.refused("keys", "import", pem, "--name", "a")
    assert "letters, digits" in shop.refused("keys", "import", pem, "--name", "a b")
    assert not (shop.folder / "keys" / "a b.pem").exists()
    bad = shop.folder / "bad.pem"
    bad.write_bytes(b"nothing")
    assert "SIGN-201" in shop.refused("keys", "import", bad, "--name", "b")
    assert "b" not in tomllib.loads((shop.folder / "clearance.toml").read_text())["keys"]
    shop.refused("keys", "import", pem, "--name", "c", "--passphrase-file", bad.with_name("none"))


@pytest.mark.parametrize(
    "more, finding",
    [
        ({"days": 20}, "ends in 19 days"),
        ({"days": 400, "bits": 1024}, "1024-bit"),
    ],
)
def test_warnings_of_a_certificate_are_told(
    shop: Shell, more: dict[str, int], finding: str
) -> None:
    pem = made(shop.folder, "w.pem", serial=0x12, **more)
    shop.ok("keys", "import", pem, "--name", "w")
    (checked,) = shop.json("keys", "check", "w")["keys"]
    assert checked["well"]
    assert finding in " ".join(checked["warnings"])
    assert finding in shop.ok("keys", "check", "w")


def test_a_key_that_cannot_sign_is_told_by_its_code(shop: Shell) -> None:
    pem = made(shop.folder, "e.pem", serial=0x13, days=-1)
    shop.ok("keys", "import", pem, "--name", "ended", "--enterprise", "3301000001")
    done = shop.run("keys", "check", "--json")
    found = {one["key"]: one for one in orjson.loads(done.stdout)["keys"]}
    assert done.exit_code == 1
    assert (found["ended"]["well"], found["ended"]["code"]) == (False, "SIGN-223")
    assert found["default"]["well"]
    (shop.folder / "keys" / "ended.pem").write_bytes(b"gone")
    done = shop.run("keys", "check", "ended", "--json")
    assert orjson.loads(done.stdout)["keys"][0]["code"] == "SIGN-201"
    assert "BAD" in shop.run("keys", "check").stdout


def test_a_ukey_is_checked_and_its_pin_is_tried_once(shop: Shell) -> None:
    now = datetime.now(UTC)
    new = new_development_key(
        subject="x", serial=0x0300000000000042,
        not_before=now - timedelta(days=1), not_after=now + timedelta(days=300),
    )  # fmt: skip
    (shop.folder / "pin").write_text("000000")
    control = Control(card_of(new))
    with running_control(control):
        with (shop.folder / "clearance.toml").open("a") as file:
            file.write(
                f'\n[keys.card]\nkind = "ukey"\nring = "cards"\nurl = "{control.url}"\n'
                'pin_file = "pin"\npace_ms = 250\n'
            )
        for _ in range(3):
            done = shop.run("keys", "check", "card", "--json")
            assert orjson.loads(done.stdout)["keys"][0]["code"] == "SIGN-214"
        assert control.pin_tries == 1
        (shop.folder / "pin").write_text(control.card.pin)
        assert shop.json("keys", "check", "card")["keys"][0]["well"]
        control.fault = Fault.LIGHT_OFF
        done = shop.run("keys", "check", "card", "--json")
        assert orjson.loads(done.stdout)["keys"][0]["code"] == "SIGN-213"
    (listed,) = (one for one in shop.json("keys", "list")["keys"] if one["name"] == "card")
    assert "device" in listed["problem"]
    assert threading.active_count() < 40


def test_a_rotation_overlaps_and_keeps_comments(shop: Shell) -> None:
    sm2 = made(shop.folder, "sm2.pem", serial=0x0300000000000077, kind=KeyKind.SM2)
    shop.ok("keys", "import", sm2, "--name", "next")
    told = shop.json("keys", "rotate", "default", "--to", "next", "--overlap-days", "3")
    text = (shop.folder / "clearance.toml").read_text("utf-8")
    keys = tomllib.loads(text)["keys"]
    assert keys["next"]["ring"] == keys["default"]["ring"] == told["ring"] == "default"
    assert keys["default"]["use_until"] - keys["next"]["use_from"] == timedelta(days=3)
    assert "# The key that signs declarations" in text
    assert "itself" in shop.refused("keys", "rotate", "next", "--to", "next")
    far = ("keys", "rotate", "default", "--to", "next", "--at", "2099-01-01T00:00:00")
    assert "not valid then" in shop.refused(*far)


def test_operators_names_and_numbers_never_show(shop: Shell) -> None:
    pem = made(shop.folder, "canary.pem", serial=0x99, days=-1)
    shop.ok("keys", "import", pem, "--name", "canary")
    (shop.folder / "m.xml").write_bytes(BODY)
    shown = ""
    for words in (
        ("keys", "list"), ("keys", "check"), ("keys", "list", "--json"),
        ("keys", "check", "--json"), ("doctor",), ("sign", str(shop.folder / "none.xml"),
         "--key", "canary"),
    ):  # fmt: skip
        done = shop.run(*words)
        shown += done.stdout + done.stderr
    assert "canary" in shown
    assert "张三" not in shown
    assert "110101199003070003" not in shown


def test_a_key_that_customs_doubts_is_told_and_readmitted(shop: Shell) -> None:
    serial = shop.json("keys", "list")["keys"][0]["serial"]
    aside = insert(key_aside).values(
        serial=serial, set_at=1_790_000_000_000_000, set_by="gateway", reason="-621028"
    )
    put(shop, aside)
    done = shop.run("keys", "check", "--json")
    (found,) = orjson.loads(done.stdout)["keys"]
    assert (done.exit_code, found["well"], found["code"]) == (1, False, "SIGN-226")
    assert "-621028" in found["finding"]
    assert "keys readmit default" in found["finding"]
    looks = orjson.loads(shop.run("doctor", "--json").stdout)["looks"]
    assert any("-621028" in look["finding"] and "readmit default" in look["fix"] for look in looks)
    assert shop.json("keys", "readmit", "default")["serial"] == serial
    assert "not set aside" in shop.refused("keys", "readmit", "default")
    assert shop.json("keys", "check")["keys"][0]["well"]


def test_the_doctor_compares_rings_with_the_profiles_that_they_sign_for(shop: Shell) -> None:
    settings = shop.folder / "clearance.toml"
    agent = tomllib.loads((shop.folder / "profile-1210.toml").read_text("utf-8"))["agent"]["code"]

    def findings(codes: list[str]) -> list[str]:
        before = settings.read_text("utf-8")
        owner = f"[keys.default]\nenterprise = {orjson.dumps(codes).decode()}"
        settings.write_text(before.replace("[keys.default]", owner))
        found = orjson.loads(shop.run("doctor", "--json").stdout)["looks"]
        settings.write_text(before)
        return [one["finding"] for one in found if "has no key of its" in one["finding"]]

    (finding, *_) = findings(["4403000009"])
    assert agent in finding
    assert findings([agent]) == []


class Running:
    """The rings of a process that runs on the settings of a shop, with its watch over the keys."""

    def __init__(self, shop: Shell, tasks: asyncio.TaskGroup) -> None:
        self.path = shop.folder / "clearance.toml"
        self.executor = ThreadExecutor(1)
        self.rings = ConfiguredRings(self.executor, SystemClock(), RingWatch())
        self.rings.open(load_settings(self.path).keys)
        self.asked = asyncio.Event()
        self.watch = tasks.create_task(
            keep_keys_new(self.rings, SystemClock(), lambda: load_settings(self.path), self.asked)
        )

    async def shows(self, *wanted: str) -> bool:
        """Whether the default ring soon has these keys, once it was asked to look."""
        self.asked.set()
        for _ in range(200):
            await asyncio.sleep(0.02)
            if [state.name for state in self.rings.states()["default"]] == list(wanted):
                return True
        return False

    def end(self) -> None:
        self.watch.cancel()
        self.rings.close()
        self.executor.close()


async def test_a_process_takes_up_imported_and_rotated_keys_while_it_runs(shop: Shell) -> None:
    async def cli(*words: str | Path) -> str:
        return await asyncio.to_thread(shop.ok, *words)

    async with asyncio.TaskGroup() as tasks:
        here = Running(shop, tasks)
        assert await here.shows("default")
        await here.rings.sign("default", BODY)
        sm2 = made(shop.folder, "sm2.pem", serial=0x0300000000000077, kind=KeyKind.SM2)
        await cli("keys", "import", sm2, "--name", "next", "--ring", "default")
        assert await here.shows("default", "next")
        assert here.rings.states()["default"][0].uses == 1
        await cli("keys", "rotate", "default", "--to", "next", "--overlap-days", "0")
        here.asked.set()
        await asyncio.sleep(0.3)
        for _ in range(3):
            signed = await here.rings.sign("default", BODY)
            assert signed.certificate_serial == "0300000000000077"
        text = here.path.read_text("utf-8")
        here.path.write_text(text.replace('file = "keys/next.pem"', 'file = "keys/gone.pem"'))
        here.asked.set()
        await asyncio.sleep(0.3)
        await here.rings.sign("default", BODY)
        here.path.write_text("")
        assert await here.shows("default", "next")
        here.path.write_text(text.replace("[keys.default]", "[keys.first]"))
        assert await here.shows("next", "first")
        here.end()


async def test_a_card_is_let_go_of_before_it_is_opened_anew(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    new = new_development_key(
        subject="x", serial=0x0300000000000042,
        not_before=now - timedelta(days=1), not_after=now + timedelta(days=300),
    )  # fmt: skip
    control = Control(card_of(new), seconds_a_signature=0.2)
    (tmp_path / "pin").write_text(control.card.pin)
    executor = ThreadExecutor(1)
    with running_control(control):
        section = KeySection(kind="ukey", url=control.url, pin_file=tmp_path / "pin")
        rings = ConfiguredRings(executor, SystemClock(), RingWatch())
        rings.open({"card": section})
        async with asyncio.TaskGroup() as tasks:
            signing = tasks.create_task(rings.sign("card", BODY))
            await asyncio.sleep(0.05)
            told = await rings.take({"card": section.model_copy(update={"timeout_ms": 9_000})})
            assert signing.done()
        assert told == ["card"]
        assert control.overlaps == 0
        calls = list(control.calls)
        heavier = section.model_copy(update={"timeout_ms": 9_000, "weight": 3})
        assert await rings.take({"card": heavier}) == ["card"]
        assert control.calls == calls
        await rings.sign("card", BODY)
        assert await rings.take({"other": section}) == ["card", "other"]
        assert set(rings.rings) == {"other"}
        rings.close()
    executor.close()
