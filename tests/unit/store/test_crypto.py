"""Sealed blobs: they open where they were sealed, with the key they were sealed with, unchanged."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.ports import Lookup
from store.crypto import DataKey, StoreKeys
from store.errors import DamagedBlob, WrongMasterKey


class CountingRng:
    """Chance that never repeats and never surprises."""

    def __init__(self) -> None:
        self._next = 0

    def bytes(self, count: int) -> bytes:
        self._next += 1
        return self._next.to_bytes(count, "big")

    def guid(self) -> str:
        return str(self._next)


KEYS = StoreKeys(bytes(range(32)))
# Short and long, repetitive and not: on both sides of every threshold of compression.
PLAINTEXTS = st.one_of(
    st.binary(max_size=700),
    st.builds(lambda unit, times: unit * times, st.binary(min_size=1, max_size=30), st.just(900)),
)


@given(PLAINTEXTS)
def test_a_blob_opens_to_what_was_sealed(plaintext: bytes) -> None:
    key = DataKey(bytes(32))
    blob = key.seal("raw", "id", plaintext, CountingRng())
    assert key.open("raw", "id", blob) == plaintext
    assert len(blob) <= len(plaintext) + 29


def test_what_repeats_is_stored_short() -> None:
    blob = DataKey(bytes(32)).seal("raw", "id", b"<a>1</a>" * 500, CountingRng())
    assert len(blob) < 200


@given(st.binary(min_size=600, max_size=900), st.data())
def test_a_changed_blob_does_not_open(plaintext: bytes, data: st.DataObject) -> None:
    key = DataKey(bytes(32))
    blob = bytearray(key.seal("raw", "id", plaintext, CountingRng()))
    place = data.draw(st.integers(0, len(blob) - 1))
    blob[place] ^= data.draw(st.integers(1, 255))
    with pytest.raises(DamagedBlob):
        key.open("raw", "id", bytes(blob))


@pytest.mark.parametrize("size", range(30))
def test_a_truncated_blob_does_not_open(size: int) -> None:
    key = DataKey(bytes(32))
    blob = key.seal("raw", "id", b"content", CountingRng())
    with pytest.raises(DamagedBlob):
        key.open("raw", "id", blob[:size])


@pytest.mark.parametrize("table, row_id", [("raw", "other"), ("paper", "id"), ("rawi", "d")])
def test_a_moved_blob_does_not_open(table: str, row_id: str) -> None:
    key = DataKey(bytes(32))
    blob = key.seal("raw", "id", b"content", CountingRng())
    with pytest.raises(DamagedBlob):
        key.open(table, row_id, blob)


def test_a_wrapped_key_belongs_to_its_row_and_master() -> None:
    fresh = KEYS.new_key("case_", "c1", CountingRng())
    blob = fresh.key.seal("paper", "p", b"content", CountingRng())
    assert KEYS.unwrap("case_", "c1", fresh.wrapped).open("paper", "p", blob) == b"content"
    for keys, table, row in (
        (KEYS, "case_", "c2"),
        (KEYS, "message", "c1"),
        (StoreKeys(bytes(32)), "case_", "c1"),
    ):
        with pytest.raises(DamagedBlob):
            keys.unwrap(table, row, fresh.wrapped)
    for damaged in (None, b"", b"\x01" + fresh.wrapped[1:], fresh.wrapped[:-1]):
        with pytest.raises(DamagedBlob):
            KEYS.unwrap("case_", "c1", damaged)


def test_each_data_key_is_another() -> None:
    rng = CountingRng()
    blob = KEYS.new_key("case_", "c1", rng).key.seal("raw", "id", b"x", rng)
    with pytest.raises(DamagedBlob):
        KEYS.new_key("case_", "c1", rng).key.open("raw", "id", blob)


def test_a_reference_hashes_by_kind_value_and_master_key() -> None:
    lookups = [Lookup("a", "b"), Lookup("a", "c"), Lookup("ab", ""), Lookup("", "ab")]
    hashes = {KEYS.lookup_hash(lookup) for lookup in lookups}
    assert len(hashes) == 4
    assert {len(one) for one in hashes} == {16}
    assert KEYS.lookup_hash(lookups[0]) in hashes
    assert StoreKeys(bytes(32)).lookup_hash(lookups[0]) not in hashes


def test_secrets_of_the_deployment_are_sealed_too() -> None:
    blob = KEYS.seal_secret("endpoint", "e1", b"whsec", CountingRng())
    assert KEYS.open_secret("endpoint", "e1", blob) == b"whsec"
    with pytest.raises(DamagedBlob):
        KEYS.open_secret("endpoint", "e2", blob)


def test_a_checkpoint_is_ours_or_refused() -> None:
    signature = KEYS.sign_checkpoint(b"heads")
    KEYS.verify_checkpoint(b"heads", signature)
    for content, given_ in ((b"head", signature), (b"heads", bytes(32))):
        with pytest.raises(DamagedBlob):
            KEYS.verify_checkpoint(content, given_)


@pytest.mark.parametrize("size", [0, 16, 31, 33])
def test_a_master_key_has_one_length(size: int) -> None:
    with pytest.raises(WrongMasterKey):
        StoreKeys(bytes(size))


def test_the_check_value_tells_keys_apart_and_nothing_else() -> None:
    assert KEYS.check_value == StoreKeys(bytes(range(32))).check_value
    assert KEYS.check_value != StoreKeys(bytes(32)).check_value
    assert bytes(range(32)).hex() not in KEYS.check_value
