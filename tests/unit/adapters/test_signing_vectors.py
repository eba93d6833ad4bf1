"""Published and computed vectors of the partners' signatures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from adapters.carriers import sf
from adapters.marketplaces import douyin
from adapters.payments import wechat_v3

VECTORS: dict[str, Any] = json.loads(
    (Path(__file__).parents[2] / "samples" / "signing" / "partners.json").read_text()
)


def test_douyin_signs_a_call_as_the_vector_does() -> None:
    vector = VECTORS["douyin-hmac-sha256"]
    given = vector["input"]
    made = douyin.signature(
        given["secret"], given["app_key"], given["method"], given["param_json"], given["timestamp"]
    )
    assert made == vector["expected"]


def test_wechat_signs_the_text_of_the_vector() -> None:
    vector = VECTORS["wechat-v3-authorization-string"]
    given = vector["input"]
    made = wechat_v3.signing_text(
        given["method"], given["url"], given["timestamp"], given["nonce"], given["body"]
    )
    assert made == vector["expected"]


def test_sf_digests_a_message_as_the_vector_does() -> None:
    vector = VECTORS["sf-msgdigest"]
    given = vector["input"]
    assert sf.digest(given["msgData"], given["timestamp"], given["checkword"]) == vector["expected"]
