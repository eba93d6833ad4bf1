"""Filing profiles as files: in step with the domain, every fault named."""

from __future__ import annotations

import tomllib
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

import orjson
import pytest

from gateway.app.profile_file import ProfileFaulty, ProfileFile, read_profile
from gateway.domain.codec import to_doc
from gateway.domain.ids import TenantId
from gateway.domain.papers import PaperKind
from gateway.domain.profile import FiledBy, FilingProfile, Party, TradeMode

SAMPLE = Path(__file__).parents[2] / "samples" / "profile-1210.toml"
SHOP = TenantId("shop")


def sample() -> dict[str, Any]:
    return tomllib.loads(SAMPLE.read_text(encoding="utf-8"))


def written(folder: Path, doc: Any) -> Path:
    path = folder / "profile.json"
    path.write_bytes(doc if isinstance(doc, bytes) else orjson.dumps(doc))
    return path


def faults(path: Path) -> dict[str, str]:
    with pytest.raises(ProfileFaulty) as caught:
        read_profile(path, SHOP)
    return {fault.path: fault.message for fault in caught.value.faults}


def test_the_sample_is_a_profile() -> None:
    profile = read_profile(SAMPLE, SHOP)
    assert (profile.tenant, profile.mode, profile.version) == (SHOP, TradeMode.BONDED, 1)
    assert profile.carriers == (Party("3301980009", "示例快递有限公司"),)


def test_a_stored_profile_can_be_put_again(tmp_path: Path) -> None:
    profile = read_profile(SAMPLE, SHOP)
    doc = to_doc(profile)
    del doc["tenant"], doc["version"]
    assert read_profile(written(tmp_path, doc), SHOP) == profile


def test_filings_are_read(tmp_path: Path) -> None:
    filing = {"filed_by": "us", "confirmed_by": "receipt", "max_wait_s": 60}
    profile = read_profile(written(tmp_path, {**sample(), "filings": {"order": filing}}), SHOP)
    found = profile.filing(PaperKind.ORDER)
    assert (found.filed_by, found.max_wait_s) == (FiledBy.US, 60)


def test_the_file_is_in_step_with_the_domain() -> None:
    ours = {field.name: field for field in fields(FilingProfile)}
    del ours["tenant"], ours["version"]
    assert set(ProfileFile.model_fields) == set(ours)
    for name, info in ProfileFile.model_fields.items():
        field = ours[name]
        is_required = field.default is MISSING and field.default_factory is MISSING
        assert info.is_required() == is_required, name
        if info.default == []:
            # JSON knows lists only: the domain's empty tuple or set.
            assert field.default in ((), frozenset()), name
        elif field.default is not MISSING and name != "direction":
            assert info.default == field.default, name


def test_exports_go_to_the_export_side_of_the_e_port_unless_told_otherwise(tmp_path: Path) -> None:
    assert read_profile(SAMPLE, SHOP).receiver_id == "DXPEDCCEB0000002"
    doc = sample() | {"direction": "export", "mode": "9610", "rule_pack": "export-default"}
    doc |= {"country": "502", "wrap_type": "2", "export": {"destination_port": "USA3"}}
    profile = read_profile(written(tmp_path, doc), SHOP)
    assert profile.receiver_id == "DXPEDCCEB0000003"
    named = {**doc, "receiver_id": "DXPEDCCEB0000009"}
    assert read_profile(written(tmp_path, named), SHOP).receiver_id == "DXPEDCCEB0000009"


def test_all_faults_are_named_at_once(tmp_path: Path) -> None:
    doc = sample()
    doc |= {"mode": "1210", "customs_code": "29", "color": "red", "cop_no_prefix": "TOOLONG"}
    doc["platform"] = {"code": "33", "name": ""}
    del doc["area"], doc["dxp_id"]
    found = faults(written(tmp_path, doc))
    assert set(found) == {
        "customs_code", "color", "cop_no_prefix", "platform.code", "platform.name", "area",
        "dxp_id",
    }  # fmt: skip
    assert "10-character customs code" in found["platform.code"]


@pytest.mark.parametrize(
    "raw, words",
    [
        (b"{", "is no JSON"),
        (b"[]", "one object"),
        (b'{"a": "\xd5\xc5"}', "UTF-8"),
        (b" " * (1024 * 1024 + 1), "1 MiB"),
    ],
)
def test_a_file_that_is_no_profile_is_told(tmp_path: Path, raw: bytes, words: str) -> None:
    assert words in faults(written(tmp_path, raw))[""]


def test_a_firm_that_is_entrusted_files_all_four_papers(tmp_path: Path) -> None:
    doc = sample()
    ours = {"filed_by": "us", "confirmed_by": "receipt"}
    doc["filings"] = {"payment": ours, "waybill": ours}
    assert "filings.payment.filed_by" in faults(written(tmp_path, doc))
    doc["entrusted"] = ["payment", "waybill"]
    profile = read_profile(written(tmp_path, doc), TenantId("shop"))
    assert profile.entrusted == {PaperKind.PAYMENT, PaperKind.WAYBILL}
