"""Laws of the authority that hold for any input and any interleaving."""

from __future__ import annotations

import base64
from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from adapters.sandbox.customs import CustomsAuthority, OutgoingFile, ScenarioName, Settings
from adapters.sandbox.customs.checks import identity_holds
from adapters.sandbox.customs.receipts import escape, return_time
from tests.unit.sandbox import wire

SIGNER = wire.make_signer()
GOOD = wire.envelope(SIGNER.sign(wire.message(wire.order("A"))))
INNER = wire.message(wire.order("A"))
MODES = (Settings.demo(), Settings.bench())


def answers(data: bytes, settings: Settings) -> list[OutgoingFile]:
    authority = CustomsAuthority(1, settings)
    authority.receive(data, wire.NOW)
    return authority.due(wire.NOW + timedelta(hours=1))


def readable(files: list[OutgoingFile]) -> None:
    for file in files:
        root = etree.fromstring(file.data)
        data = root.findtext(f"{{{wire.DXP}}}Data")
        if data is not None:
            etree.fromstring(base64.b64decode(data))


edits = st.lists(
    st.tuples(st.integers(0, 10**6), st.integers(0, 3), st.binary(max_size=12)), max_size=4
)


def edited(data: bytes, changes: list[tuple[int, int, bytes]]) -> bytes:
    for at, length, new in changes:
        position = at % (len(data) + 1)
        data = data[:position] + new + data[position + length :]
    return data


@given(changes=edits, mode=st.sampled_from(MODES))
def test_any_envelope_is_answered_readably(
    changes: list[tuple[int, int, bytes]], mode: Settings
) -> None:
    readable(answers(edited(GOOD, changes), mode))


@given(changes=edits, mode=st.sampled_from(MODES))
def test_any_message_is_answered_readably(
    changes: list[tuple[int, int, bytes]], mode: Settings
) -> None:
    envelope = wire.envelope(edited(INNER, changes), msg_type="CEB311Message")
    files = answers(envelope, mode)
    readable(files)
    if mode.checking:
        assert files


@given(st.binary(max_size=200), st.sampled_from(MODES))
def test_noise_is_answered(data: bytes, mode: Settings) -> None:
    files = answers(data, mode)
    readable(files)
    assert len(files) == 1


@given(st.text())
def test_escaped_text_is_xml(text: str) -> None:
    usable = "".join(mark for mark in text if not 0xD800 <= ord(mark) <= 0xDFFF)
    etree.fromstring(f"<a>{escape(usable)}</a>".encode())


@given(st.datetimes(timezones=st.just(wire.NOW.tzinfo)))
def test_return_time_has_17_digits(moment: datetime) -> None:
    if moment.year < 9999:
        text = return_time(moment)
        assert len(text) == 17
        assert text.isdigit()


# REVOKE takes a release back, after which the order may be released once more.
_LAWFUL = [name for name in ScenarioName if name is not ScenarioName.REVOKE]
numbers = st.sampled_from([f"SIM-{name}-1" for name in _LAWFUL] + ["PLAIN-1"])


@given(
    st.lists(st.tuples(numbers, st.booleans(), st.integers(0, 2)), min_size=1, max_size=12),
    st.integers(0, 1000),
)
def test_an_order_never_has_two_live_inventories(
    steps: list[tuple[str, bool, int]], seed: int
) -> None:
    """At most one live inventory per order, one 800 each, whatever is sent in which order."""
    authority = CustomsAuthority(seed, Settings.bench())
    now = wire.NOW
    for index, (order_no, is_order, variant) in enumerate(steps):
        stamp = f"202611111{index:05d}"
        if is_order:
            draft = wire.order(order_no, appTime=stamp)
        else:
            draft = wire.inventory(order_no, appTime=stamp, copNo=f"{order_no[-12:]}-{variant}")
        authority.receive(wire.envelope(wire.message(draft)), now)
        readable(authority.due(now))
        now += timedelta(seconds=variant)
    readable(authority.due(now + timedelta(days=1)))
    assert authority.next_due() is None
    for order in authority.ledger.by_order:
        assert len(authority.ledger.live_inventories(order)) <= 1
        released = [f for f in authority.ledger.inventories_of(*order) if "800" in f.trail]
        assert len(released) <= 1
        assert all(f.trail.count("800") == 1 for f in released)


@given(st.from_regex(r"[1-9][0-9]{16}", fullmatch=True))
def test_exactly_one_check_digit_holds(body: str) -> None:
    assert sum(identity_holds(body + digit) for digit in "0123456789X") == 1
