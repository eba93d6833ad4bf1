"""UKeys by the agent's WebSocket, against the sandbox control and its faults."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from adapters.sandbox.ukey import PIN_TRIES, Control, Fault
from signing import Pin, SigningError, UKey, UKeyAgent, UKeySettings, open_ukey, sign, verify_own
from signing.errors import (
    AgentUnreachable,
    CallRefused,
    DeviceFailed,
    DeviceMissing,
    DeviceSlow,
    EnterpriseForeign,
    KeyFailed,
    KeyFileUnreadable,
    PinLocked,
    PinWrong,
    ReaderReset,
    ReplyForeign,
    SignatureIsDER,
)
from signing.keys.ukey import enterprise_of, error_of
from tests.support.ukey import card_of, running_control
from tests.unit.signing.make import BODY, SUBJECT, new_key
from tests.unit.signing.make_sm2 import new_sm2_key

PIN = "246810"


@contextmanager
def plugged(
    control: Control | None = None, *, pin: Pin | None = None, timeout_ms: int = 5000
) -> Iterator[tuple[Control, UKey]]:
    control = control or Control(card_of(new_key()))
    with running_control(control):
        settings = UKeySettings(
            control.url, pin=pin or Pin(PIN), call_timeout_ms=timeout_ms, open_timeout_ms=2000
        )
        key = open_ukey("ukey-1", settings)
        try:
            yield control, key
        finally:
            key.close()


@pytest.mark.parametrize("bits", [1024, 2048])
def test_a_document_is_signed_by_an_rsa_card(bits: int) -> None:
    new = new_key(bits=bits)
    with plugged(Control(card_of(new))) as (control, key):
        assert key.certificate == new.certificate
        assert key.key_name == new.certificate.serial
        signed = sign(BODY, key, canonical=True)
        verify_own(signed, key)
        assert control.calls[-1] == "SpcSignDataAsPEM"
        assert len(signed.signature) == bits // 8


def test_a_document_is_signed_by_an_sm2_card() -> None:
    with plugged(Control(card_of(new_sm2_key()))) as (_, key):
        verify_own(sign(BODY, key, canonical=True), key)


def test_the_cards_own_number_is_the_key_name() -> None:
    control = Control(card_of(new_key(0x1ABCDEF)))
    with plugged(control) as (_, key):
        assert key.key_name == "01abcdef"
        assert sign(BODY, key, canonical=True).key_name == "01abcdef"


@pytest.mark.parametrize(
    "fault, refused",
    [
        (Fault.LIGHT_OFF, DeviceMissing),
        (Fault.OTHER_CARD, DeviceMissing),
        (Fault.READER_RESET, ReaderReset),
        (Fault.UNKNOWN, DeviceFailed),
        (Fault.HANG, DeviceSlow),
        (Fault.DROP, AgentUnreachable),
        (Fault.NOT_JSON, ReplyForeign),
        (Fault.CROSSED, ReplyForeign),
        (Fault.FOREIGN_SIGNATURE, ReplyForeign),
        (Fault.TRUNCATED, KeyFailed),
    ],
)
def test_each_fault_has_its_error_and_passes_when_it_is_over(
    fault: Fault, refused: type[SigningError]
) -> None:
    with plugged(timeout_ms=400) as (control, key):
        control.fault = fault
        with pytest.raises(refused) as raised:
            sign(BODY, key, canonical=True)
        assert type(raised.value) is refused
        assert "张三" not in str(raised.value)
        control.fault = Fault.NONE
        verify_own(sign(BODY, key, canonical=True), key)
        assert control.overlaps == 0


@pytest.mark.parametrize("fault", [Fault.STALE_FIRST, Fault.BARE])
def test_odd_but_honest_replies_are_understood(fault: Fault) -> None:
    with plugged() as (control, key):
        control.fault = fault
        verify_own(sign(BODY, key, canonical=True), key)


def test_der_from_an_sm2_card_is_named_or_converted() -> None:
    control = Control(card_of(new_sm2_key()))
    with plugged(control) as (_, key):
        control.fault = Fault.DER
        with pytest.raises(SignatureIsDER):
            sign(BODY, key, canonical=True)
        settings = UKeySettings(control.url, pin=Pin(PIN), converts_der=True)
        other = open_ukey("converting", settings)
        verify_own(sign(BODY, other, canonical=True), other)
        other.close()


def test_a_wrong_pin_is_tried_once_and_never_again(tmp_path: Path) -> None:
    file = tmp_path / "pin"
    file.write_text("000000\n")
    control = Control(card_of(new_key()))
    with plugged(control, pin=Pin.from_file(file)) as (_, key):
        for _ in range(3):
            with pytest.raises(PinWrong):
                key.sign(b"data")
        assert control.pin_tries == 1
        assert control.card.tries_left == PIN_TRIES - 1
    # A new process reads the same file: still refused, until somebody writes it anew.
    assert Pin.from_file(file).is_refused
    with plugged(control, pin=Pin.from_file(file)) as (_, key):
        with pytest.raises(PinWrong, match="refused before"):
            key.sign(b"data")
        assert control.pin_tries == 1
    file.write_text(PIN)
    assert not Pin.from_file(file).is_refused
    with plugged(control, pin=Pin.from_file(file)) as (_, key):
        key.sign(b"data")


def test_a_locked_pin_is_told_apart() -> None:
    control = Control(card_of(new_key()))
    control.card.tries_left = 0
    with plugged(control) as (_, key), pytest.raises(PinLocked):
        key.sign(b"data")


def test_callers_wait_for_each_other() -> None:
    control = Control(card_of(new_key()), seconds_a_signature=0.02)
    with plugged(control) as (_, key), ThreadPoolExecutor(6) as threads:
        data = [b"data %d" % number for number in range(12)]
        signatures = list(threads.map(key.sign, data))
    assert (control.overlaps, control.signatures, len(set(signatures))) == (0, 12, 12)


def test_an_agent_that_is_down_is_named_and_found_again() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    with pytest.raises(AgentUnreachable):
        open_ukey("down", UKeySettings(f"ws://127.0.0.1:{port}", open_timeout_ms=1000))
    control = Control(card_of(new_key()))
    with plugged(control) as (_, key):
        key.close()
        key.sign(b"data")


def test_a_card_that_was_exchanged_is_named() -> None:
    control = Control(card_of(new_key()))
    with plugged(control) as (_, key):
        other = card_of(new_key(0x99))
        control.card.key_pem, control.card.certificate_pem = other.key_pem, other.certificate_pem
        with pytest.raises(DeviceMissing):
            key.sign(b"data")


def test_a_number_that_is_not_the_certificates_is_refused() -> None:
    control = Control(card_of(new_key()))
    control.card.number = "0300000000000001"
    with running_control(control):
        with pytest.raises(DeviceMissing):
            open_ukey("odd", UKeySettings(control.url))
        control.card.number = "not hex"
        with pytest.raises(KeyFailed):
            open_ukey("odd", UKeySettings(control.url))


def test_the_cards_enterprise_is_asked_for() -> None:
    control = Control(card_of(new_key()))
    with running_control(control):
        agent = UKeyAgent(UKeySettings(control.url))
        assert enterprise_of(agent) == ("3301000001", "示例企业")
        with pytest.raises(CallRefused):
            agent.call("SpcNoSuchMethod")
        agent.close()


def test_no_error_repeats_what_the_control_said() -> None:
    told = [f"{SUBJECT} 的卡有错误", "Err:Custom58888"]
    assert SUBJECT not in str(error_of(told))
    assert type(error_of("密码已锁定")) is PinLocked
    assert type(error_of(["PIN error", ""])) is PinWrong
    assert type(error_of(None)) is DeviceFailed


def test_pin_files_are_read_with_care(tmp_path: Path) -> None:
    with pytest.raises(KeyFileUnreadable):
        Pin.from_file(tmp_path / "none")
    (tmp_path / "empty").write_text("\n")
    with pytest.raises(KeyFileUnreadable, match="empty"):
        Pin.from_file(tmp_path / "empty")
    assert PIN not in repr(UKeySettings(pin=Pin(PIN)))


def test_a_card_of_another_enterprise_is_refused_by_its_own_id() -> None:
    control = Control(card_of(new_key()))
    with running_control(control):
        pin = Pin(PIN)
        own = UKeySettings(control.url, pin, enterprises=frozenset({"3301000001", "91330100X"}))
        open_ukey("own", own).close()
        with pytest.raises(EnterpriseForeign):
            open_ukey("other", UKeySettings(control.url, pin, enterprises=frozenset({"44"})))
        control.card.enterprise_id = ""
        open_ukey("silent", UKeySettings(control.url, pin, enterprises=frozenset({"44"}))).close()
    assert control.pin_tries == 0
