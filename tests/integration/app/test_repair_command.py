"""Repairs on the command line: seen, tried, applied, asked for, confirmed by others."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.app.test_rule_packs import differing, done, place, ran, stage_of

__all__ = ["place"]
SHOP = ("--tenant", "shop")
NO, PATH = "MIX-0001", "payment.amount"


def by(who: str, role: str = "operator") -> tuple[str, ...]:
    return (*SHOP, "--by", who, "--role", role, "--json")


def test_a_difference_is_mended_by_two_persons(place: Path) -> None:
    fixes = done("repair", "fixes", NO, *SHOP, "--json")["fixes"]
    found = {one["path"]: (one["rule"], one["kind"], one["needs"]) for one in fixes}
    assert found[PATH] == ("PAYMENT-AMOUNT", "fact", ["owner", "second_person"])
    tried = done("repair", "preview", NO, PATH, *SHOP, "--json")
    assert (tried["dry_run"], tried["items"][0]["status"]) == (True, "repaired")
    assert done("repair", "list", *SHOP, "--json")["repairs"] == []
    assert stage_of(NO) == "mismatch"
    made = done("repair", "apply", NO, PATH, "--reason", "as agreed", *by("li", "clerk"))
    assert (made["stage"], made["open_needs"]) == ("proposed", ["owner", "second_person"])
    code, output = ran("repair", "confirm", made["repair"], *by("li", "clerk"))
    assert (code, "needs somebody else" in output) == (2, True)
    confirmed = ("--statement", "statement 17 of the payment company")
    ended = done("repair", "confirm", made["repair"], *confirmed, *by("wang", "supervisor"))
    assert (ended["stage"], ended["items"][0]["status"]) == ("applied", "repaired")
    assert stage_of(NO) == "waiting_filings"
    (listed,) = done("repair", "list", *SHOP, "--stage", "applied", "--json")["repairs"]
    assert listed == done("repair", "show", made["repair"], *SHOP, "--json")
    assert listed["approvals"][0]["by"] == "cli:wang"


def test_an_owner_is_asked_and_a_proposal_refused(place: Path) -> None:
    why = ("--reason", "which is right")
    asked = done("repair", "ask", NO, PATH, *why, "--hours", "2", *by("li", "clerk"))
    assert asked["stage"] == "asked"
    code, output = ran("repair", "confirm", asked["repair"], *by("wang", "supervisor"))
    assert (code, "is what was asked for" in output) == (2, True)
    ended = done("repair", "refuse", asked["repair"], "--reason", "no", *by("wang", "supervisor"))
    assert ended["stage"] == "refused"


@pytest.mark.parametrize(
    "arguments, told",
    [
        (("preview", NO, "order.buyer.name"), "no finding of this case proposes"),
        (("preview", "NO-SUCH", PATH), "no case with this number"),
        (("show", "f" * 24), "there is no repair"),
        (("refuse", "f" * 24, "--reason", "no", "--by", "li"), "there is no repair"),
        (("apply", NO, PATH, "--reason", "x", "--by", "li", "--role", "king"), "there is no role"),
    ],
)
def test_what_cannot_be_done_is_said(place: Path, arguments: tuple[str, ...], told: str) -> None:
    code, output = ran("repair", *arguments, *SHOP)
    assert (code, told in output) == (2, True), output


def test_all_cases_with_one_cause_are_tried_and_one_that_is_not_mended_tells_why(
    place: Path,
) -> None:
    done("import", str(differing(place, "MIX-0002")), *SHOP)
    tried = done("repair", "preview", NO, PATH, "--everywhere", *SHOP, "--json")
    assert [one["status"] for one in tried["items"]] == ["repaired"] * 2
    wrong = done("repair", "preview", NO, PATH, "--value", "a lot", *SHOP, "--json")
    assert [one["reason"] for one in wrong["items"]] == ["value_invalid"]
