"""As much of DER as signing needs: reading fields, writing them, and the two forms of a signature.

An SM2 signature is DER `SEQUENCE { r, s }` inside OpenSSL and some devices, and the raw 64 bytes
`r || s` on the wire of customs. Here is the one place that turns one into the other.
"""

from collections.abc import Iterator
from typing import Final

_SEQUENCE: Final = 0x30
_INTEGER: Final = 0x02
RAW_BYTES: Final = 64
"""Length of a raw SM2 signature."""
_HALF: Final = RAW_BYTES // 2


def raw_of_der(signature: bytes) -> bytes:
    """Turn DER into raw r||s. Raises `ValueError` for anything but two strict positive integers."""
    r, s = _integers(signature)
    return r.to_bytes(_HALF, "big") + s.to_bytes(_HALF, "big")


def der_of_raw(signature: bytes) -> bytes:
    """Turn raw r||s into DER. Raises `ValueError` unless there are 64 bytes."""
    if len(signature) != RAW_BYTES:
        raise ValueError("a raw signature has 64 bytes")
    halves = (signature[:_HALF], signature[_HALF:])
    return write(_SEQUENCE, *(integer(int.from_bytes(half, "big")) for half in halves))


def is_der_signature(signature: bytes) -> bool:
    """Tell whether the bytes are a DER signature where a raw one may be due."""
    try:
        _integers(signature)
    except ValueError:
        return False
    return True


def _integers(signature: bytes) -> tuple[int, int]:
    tag, content, end = read(signature, 0)
    if tag != _SEQUENCE or end != len(signature):
        raise ValueError("not one DER sequence")
    fields = list(fields_of(content))
    if [tag for tag, _ in fields] != [_INTEGER, _INTEGER]:
        raise ValueError("not two DER integers")
    numbers = [int.from_bytes(value, "big", signed=True) for _, value in fields]
    for (_, value), number in zip(fields, numbers, strict=True):
        if integer(number)[2:] != value or not 0 < number < 1 << (8 * _HALF):
            raise ValueError("integer out of range or not in its shortest form")
    return numbers[0], numbers[1]


def read(data: bytes, at: int) -> tuple[int, bytes, int]:
    """Read one element: tag, content and where the next begins. Raises `ValueError`."""
    if at + 2 > len(data):
        raise ValueError("truncated DER")
    tag, length, start = data[at], data[at + 1], at + 2
    if length >= 0x80:
        count = length & 0x7F
        if not 1 <= count <= 4 or start + count > len(data):
            raise ValueError("length of a DER element")
        length = int.from_bytes(data[start : start + count], "big")
        start += count
    if start + length > len(data):
        raise ValueError("truncated DER")
    return tag, data[start : start + length], start + length


def fields_of(content: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield tag and content of each element in turn. Raises `ValueError`."""
    at = 0
    while at < len(content):
        tag, value, at = read(content, at)
        yield tag, value


def write(tag: int, *contents: bytes) -> bytes:
    """Write one element of these contents."""
    content = b"".join(contents)
    if len(content) < 0x80:
        return bytes((tag, len(content))) + content
    length = len(content).to_bytes((len(content).bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(length))) + length + content


def integer(value: int) -> bytes:
    """Write an INTEGER of 0 or more in its shortest form."""
    return write(_INTEGER, value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True))
