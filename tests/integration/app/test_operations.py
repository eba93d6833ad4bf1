"""What an operator does from the command line: look, rotate, pause, replay."""

from __future__ import annotations

import os
import shutil
from typing import Any

import orjson
import pytest
from sqlalchemy import create_engine, insert, select, update

from store.tables import api_key, channel_pause, endpoint, inbox, outbox
from tests.integration.app.test_cli import Shell, shell, shop

__all__ = ["shell", "shop"]

NOW = 1_790_000_000_000_000


def put(shell: Shell, *statements: Any) -> None:
    engine = create_engine(f"sqlite:///{shell.folder / 'clearance.db'}")
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(statement)
    engine.dispose()


def rows(shell: Shell, statement: Any) -> list[Any]:
    engine = create_engine(f"sqlite:///{shell.folder / 'clearance.db'}")
    with engine.connect() as connection:
        found = list(connection.execute(statement))
    engine.dispose()
    return found


def parked_notice(name: str, endpoint_id: str, at: int) -> Any:
    return insert(outbox).values(
        effect_id=name, kind="notice", group_key=endpoint_id, tenant="shop", case_id=None,
        ref="case.released", payload='{"at": 1, "data": {}}', due_at=NOW, lease_until=NOW,
        attempt=9, stage="parked", detail="HTTP 500", done_at=at,
    )  # fmt: skip


def bad(shell: Shell) -> dict[str, dict[str, str]]:
    done = shell.run("doctor", "--json")
    report = orjson.loads(done.stdout)
    assert (done.exit_code == 0) == report["well"]
    return {one["subject"]: one for one in report["looks"] if one["health"] != "ok"}


def test_the_doctor_finds_a_new_deployment_well(shop: Shell) -> None:
    found = bad(shop)
    found = {name: one for name, one in found.items() if not name.startswith("disk")}
    assert set(found) == {"settings"}
    assert "production" in found["settings"]["fix"]
    assert "体检 Doctor" in shop.run("doctor").stdout


def test_the_doctor_says_what_to_fix(shop: Shell) -> None:
    shutil.rmtree(shop.folder / "dxp" / "receive")
    (shop.folder / "master.key").chmod(0o644)
    (shop.folder / "signing.pem").write_text("nothing")
    found = bad(shop)
    for subject in ("master key", "signing key default", "channel dxp", "database"):
        assert found[subject]["health"] == "bad"
        assert found[subject]["fix"]
    assert "receive" in found["channel dxp"]["finding"]
    for one in found.values():
        assert one["finding_zh"]
        assert bool(one["fix"]) == bool(one["fix_zh"])
    (shop.folder / "clearance.toml").write_text("[store]\nurl = 3\n")
    assert "clearance init" in bad(shop)["settings"]["fix"]


def test_the_doctor_tells_of_files_that_were_set_aside(shop: Shell) -> None:
    for name in ("big-1.xml", "big-2.xml"):
        (shop.folder / "dxp" / "error" / name).write_bytes(b"x")
    (shop.folder / "dxp" / "error" / "folder").mkdir()
    found = bad(shop)["error folder of channel dxp"]
    assert (found["health"], found["finding"][:9]) == ("warn", "2 file(s)")
    assert found["fix"]


def test_the_doctor_tells_of_files_that_nobody_reads(shop: Shell) -> None:
    receive = shop.folder / "dxp" / "receive"
    for name in ("CEB622.xml.tmp", ".CEB622.xml", "CEB622.xml", "young.xml"):
        (receive / name).write_bytes(b"x")
    (receive / "link.xml").symlink_to(receive / "nowhere")
    (receive / "folder").mkdir()
    for name in ("CEB622.xml.tmp", ".CEB622.xml", "CEB622.xml", "link.xml", "folder"):
        os.utime(receive / name, (1_790_000_000, 1_790_000_000), follow_symlinks=False)
    found = bad(shop)["receive folder of channel dxp"]
    assert (found["health"], found["finding"][:9]) == ("warn", "4 file(s)")
    assert "`clearance serve`" in found["fix"]


def test_the_doctor_asks_for_the_partner_that_a_profile_relies_on(shop: Shell) -> None:
    def looks() -> list[dict[str, str]]:
        found = orjson.loads(shop.run("doctor", "--json").stdout)["looks"]
        return [one for one in found if one["subject"] == "profile hz-1210"]

    by_api = "".join(
        f'\n[filings.{kind}]\nfiled_by = "other"\nconfirmed_by = "api"\n'
        for kind in ("payment", "waybill")
    )
    file = shop.folder / "profile-1210.toml"
    file.write_text(file.read_text("utf-8") + by_api, "utf-8")
    shop.ok("profiles", "put", file, "-t", "shop")
    assert [(one["health"], one["fix"][:22]) for one in looks()] == [
        ("warn", "add [payments.<name>] "),
        ("warn", "add [carriers.<name>] "),
    ]
    assert "payment of 3301990005" in looks()[0]["finding"]
    settings = shop.folder / "clearance.toml"
    (shop.folder / "checkword").write_text("made-up")
    account = (
        '\n[carriers.sf]\nadapter = "sf"\ntenant = "shop"\nprofile = "hz-1210"\n'
        'company = "3301980009"\noptions = {partner_id = "P"}\n'
        'secret_files = {checkword = "checkword"}\n'
        '[carriers.sf.sender]\nname = "A"\nphone = "0571"\naddress = "B"\n'
    )
    settings.write_text(settings.read_text("utf-8") + account, "utf-8")
    assert ["payment" in one["finding"] for one in looks()] == [True]


def test_the_doctor_sees_what_lies_in_the_database(shop: Shell) -> None:
    made = shop.json("endpoints", "add", "--pull", "-t", "shop", "--role", "seller")
    shop.ok("api-keys", "new", "-t", "shop", "--role", "seller", "--expires-days", "9")
    shop.ok("channels", "pause", "dxp", "--reason", "certificate in doubt")
    late = parked_notice("late", made["endpoint"], NOW).values(
        stage="open", done_at=None, lease_until=1
    )
    put(shop, late, parked_notice("p", made["endpoint"], NOW))
    shop.ok("endpoints", "disable", made["endpoint"], "-t", "shop")
    found = bad(shop)
    assert found["work"]["health"] == "bad"
    for subject, word in {
        "API keys": "rotate", "channel dxp": "resume", "parked": "parked", "endpoints": "replay",
    }.items():  # fmt: skip
        assert word in found[subject]["fix"]


def test_a_channel_is_paused_once_and_resumed(shop: Shell) -> None:
    assert shop.json("channels", "pause", "dxp", "--reason", "night")["changed"]
    assert not shop.json("channels", "pause", "dxp", "--reason", "again")["changed"]
    (one,) = shop.json("channels", "list")["channels"]
    assert (one["channel"], one["paused"], one["reason"]) == ("dxp", True, "night")
    assert len(rows(shop, select(channel_pause.c.channel))) == 1
    shop.ok("channels", "resume", "dxp")
    assert "not paused" in shop.refused("channels", "resume", "dxp")
    assert "no channel" in shop.refused("channels", "pause", "other", "--reason", "x")


def test_a_channel_in_maintenance_is_told_with_its_end(shop: Shell) -> None:
    def listed() -> dict[str, Any]:
        one: dict[str, Any] = shop.json("channels", "list")["channels"][0]
        return one

    assert (listed()["paused"], listed()["maintenance_until"]) == (False, None)
    settings = shop.folder / "clearance.toml"
    always = 'maintenance = ["daily 00:00-12:00", "daily 12:00-00:00"]'
    text = settings.read_text("utf-8").replace("[channels.dxp]", f"[channels.dxp]\n{always}")
    settings.write_text(text, "utf-8")
    assert listed()["maintenance_until"] is not None
    assert "维护中" in shop.ok("channels", "list")


def test_parked_notices_are_listed_and_replayed_by_range(shop: Shell) -> None:
    posted = shop.json(
        "endpoints", "add", "https://hooks.example.com/", "-t", "shop", "--role", "seller"
    )["endpoint"]
    pulled = shop.json("endpoints", "add", "--pull", "-t", "shop", "--role", "warehouse")[
        "endpoint"
    ]
    day = 86_400_000_000
    put(
        shop,
        *(parked_notice(f"n{number}", posted, NOW + number * day) for number in range(4)),
        parked_notice("n9", pulled, NOW),
        update(outbox).where(outbox.c.effect_id == "n3").values(tenant="other"),
    )
    listed = shop.json("outbox", "notices", "-t", "shop", "--endpoint", posted)["notices"]
    assert [one["notice"] for one in listed] == ["n0", "n1", "n2"]
    assert listed[0]["detail"] == "HTTP 500"
    done = shop.json("outbox", "replay", "-t", "shop", "--since", "2026-09-22", "--until",
                     "2026-09-23")  # fmt: skip
    assert done["replayed"] == ["n1"]
    assert shop.json("outbox", "replay", "n3", "-t", "shop")["replayed"] == []
    assert sorted(shop.json("outbox", "replay", "n2", "n9", "-t", "shop")["replayed"]) == [
        "n2", "n9",
    ]  # fmt: skip
    found = {row.effect_id: row for row in rows(shop, select(outbox))}
    assert [found[name].stage for name in ("n0", "n1", "n2", "n3", "n9")] == [
        "parked", "open", "open", "parked", "open",
    ]  # fmt: skip
    assert found["n9"].due_at - found["n2"].due_at > 2 * day
    assert orjson.loads(found["n1"].payload)["again_at"] == found["n1"].due_at
    counts = shop.json("outbox", "counts")["outbox"]
    assert {one["stage"]: one["count"] for one in counts} == {"open": 3, "parked": 2}
    assert "--since" in shop.refused(
        "outbox", "replay", "-t", "shop", "--since", "2026-09-24", "--until", "2026-09-23"
    )


def test_a_switched_off_endpoint_keeps_its_parked_notices(shop: Shell) -> None:
    made = shop.json("endpoints", "add", "--pull", "-t", "shop", "--role", "seller")["endpoint"]
    put(shop, parked_notice("n", made, NOW))
    shop.ok("endpoints", "disable", made, "-t", "shop", "--reason", "moved")
    assert "moved" in shop.ok("endpoints", "list", "-t", "shop")
    assert shop.json("outbox", "replay", "-t", "shop")["replayed"] == []
    shop.ok("endpoints", "enable", made, "-t", "shop")
    assert shop.json("outbox", "replay", "-t", "shop")["replayed"] == ["n"]
    assert "no endpoint" in shop.refused("endpoints", "enable", "ep_none", "-t", "shop")


def test_secrets_and_keys_are_rotated_with_an_overlap(shop: Shell) -> None:
    made = shop.json(
        "endpoints", "add", "https://hooks.example.com/", "-t", "shop", "--role", "seller",
        "--ed25519",
    )  # fmt: skip
    after = shop.json("endpoints", "rotate", made["endpoint"], "-t", "shop")
    assert after["secret"] != made["secret"]
    assert "no endpoint" in shop.refused("endpoints", "rotate", "ep_none", "-t", "shop")
    assert rows(shop, select(endpoint.c.old_until))[0].old_until > 0

    key = shop.json("api-keys", "new", "-t", "shop", "--role", "seller", "--name", "erp")
    made = shop.json("api-keys", "rotate", key["key"], "-t", "shop", "--overlap-hours", "1")
    assert (made["role"], made["name"], made["replaces"]) == ("seller", "erp", key["key"])
    assert made["token"] != key["token"]
    listed = {one["key"]: one for one in shop.json("api-keys", "list", "-t", "shop")["keys"]}
    assert listed[key["key"]]["expires_at"] is not None
    assert listed[made["key"]]["expires_at"] is None
    assert "expiring" in shop.ok("api-keys", "list", "-t", "shop")
    assert len(rows(shop, select(api_key.c.key_id))) == 2
    assert "no live key" in shop.refused("api-keys", "rotate", "none", "-t", "shop")


def test_the_inbox_is_counted(shop: Shell) -> None:
    put(
        shop,
        insert(inbox).values(
            receipt_id="r1", channel="dxp", name="a.xml", sha256=b"1", body=b"", received_at=NOW,
            stage="parked", problem="foreign_sender",
        ),
    )  # fmt: skip
    (one,) = shop.json("inbox")["inbox"]
    assert (one["channel"], one["stage"], one["count"]) == ("dxp", "parked", 1)


@pytest.mark.parametrize("words", [("endpoints", "add", "-t", "shop", "--role", "seller")])
def test_an_endpoint_has_an_address_or_is_pulled(shop: Shell, words: tuple[str, ...]) -> None:
    assert "--pull" in shop.refused(*words)


def test_enterprises_are_mandated_and_their_keys_span_tenants(shop: Shell) -> None:
    assert "enterprises put" in shop.refused(
        "api-keys", "new", "-e", "4401980AGT", "--role", "clerk"
    )
    assert "credit" in shop.refused("enterprises", "put", "short", "Agent")
    shop.ok("enterprises", "put", "4401980AGT", "示例代理", "--role", "agent", "--valid-to",
            "2030-01-01")  # fmt: skip
    (one,) = shop.json("enterprises", "list")["enterprises"]
    assert (one["code"], one["roles"], one["valid_to"]) == ("4401980AGT", ["agent"], "2030-01-01")
    assert "YYYY-MM-DD" in shop.refused(
        "mandates", "add", "4401980AGT", "agent", "-t", "shop", "--valid-to", "soon"
    )
    assert "roles" in shop.refused("mandates", "add", "4401980AGT", "carrier", "-t", "shop")
    made = shop.json("mandates", "add", "4401980AGT", "agent", "-t", "shop")
    assert (made["enterprise"], made["valid_to"]) == ("4401980AGT", None)
    assert "in force" in shop.ok("mandates", "list", "-t", "shop")

    key = shop.json(
        "api-keys", "new", "-e", "4401980AGT", "--role", "clerk", "--expires-days", "90"
    )
    assert (key["tenant"], key["enterprise"]) == (None, "4401980AGT")
    after = shop.json("api-keys", "rotate", key["key"], "-e", "4401980AGT")
    assert after["replaces"] == key["key"]
    shop.ok("api-keys", "revoke", key["key"], "--enterprise", "4401980AGT")
    listed = shop.json("api-keys", "list", "-e", "4401980AGT")["keys"]
    assert [one["revoked_at"] is None for one in listed] == [False, True]
    assert "one of them" in shop.refused("api-keys", "list")
    assert "one of them" in shop.refused("api-keys", "list", "-t", "shop", "-e", "4401980AGT")
    assert "seller" in shop.refused("api-keys", "new", "-e", "4401980AGT", "--role", "seller")

    shop.ok("mandates", "end", "4401980AGT", "agent", "-t", "shop")
    assert "no mandate" in shop.refused("mandates", "end", "4401980AGT", "agent", "-t", "shop")
