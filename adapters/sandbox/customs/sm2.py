"""The authority's own SM2 arithmetic: whether a signature over SM3(ZA || M) holds (GB/T 32918.2).

Plain integers on the recommended curve (GB/T 32918.5); slow beside a library and owed to nobody.
"""

from typing import Final

from cryptography.hazmat.primitives import hashes

SIGNER_ID: Final = b"1234567812345678"

_P: Final = 0xFFFFFFFE_FFFFFFFF_FFFFFFFF_FFFFFFFF_FFFFFFFF_00000000_FFFFFFFF_FFFFFFFF
_A: Final = _P - 3
_B: Final = 0x28E9FA9E_9D9F5E34_4D5A9E4B_CF6509A7_F39789F5_15AB8F92_DDBCBD41_4D940E93
_N: Final = 0xFFFFFFFE_FFFFFFFF_FFFFFFFF_FFFFFFFF_7203DF6B_21C6052B_53BBF409_39D54123
_G: Final = (
    0x32C4AE2C_1F198119_5F990446_6A39C994_8FE30BBF_F2660BE1_715A4589_334C74C7,
    0xBC3736A2_F4F6779C_59BDCEE3_6B692153_D0A9877C_C62A4740_02DF32E5_2139F0A0,
)
# id-ecPublicKey on the SM2 curve (1.2.156.10197.1.301), then an uncompressed point.
_KEY: Final = bytes.fromhex("301306072a8648ce3d020106082a811ccf5501822d03420004")
_BYTES: Final = 32

Point = tuple[int, int]
# x = X / Z², y = Y / Z³; Z is 0 for the point at infinity.
_Jacobian = tuple[int, int, int]
_INFINITY: Final[_Jacobian] = (1, 1, 0)


def sm3(data: bytes) -> bytes:
    """Hash data with SM3."""
    state = hashes.Hash(hashes.SM3())
    state.update(data)
    return state.finalize()


def public_point(certificate: bytes) -> Point | None:
    """Cut the public key out of a DER certificate; None where it holds no SM2 key."""
    if certificate.count(_KEY) != 1:
        return None
    start = certificate.index(_KEY) + len(_KEY)
    x, y = (int.from_bytes(certificate[at : at + _BYTES], "big") for at in (start, start + _BYTES))
    is_on_curve = max(x, y) < _P and (y * y - (x * x * x + _A * x + _B)) % _P == 0
    return (x, y) if is_on_curve and len(certificate) >= start + 2 * _BYTES else None


def holds(key: Point, signature: bytes, data: bytes) -> bool:
    """Tell whether raw ``r || s`` is the key's signature of the data under the usual signer id."""
    if len(signature) != 2 * _BYTES:
        return False
    r, s = (int.from_bytes(half, "big") for half in (signature[:_BYTES], signature[_BYTES:]))
    t = (r + s) % _N
    if not (0 < r < _N and 0 < s < _N and t):
        return False
    digest = int.from_bytes(sm3(_za(key) + data), "big")
    x = _affine_x(_add(_times(s, _G), _times(t, key)))
    return x is not None and (digest + x) % _N == r


def _za(key: Point) -> bytes:
    head = (8 * len(SIGNER_ID)).to_bytes(2, "big") + SIGNER_ID
    return sm3(head + b"".join(one.to_bytes(_BYTES, "big") for one in (_A, _B, *_G, *key)))


def _affine_x(point: _Jacobian) -> int | None:
    x, _, z = point
    return None if z == 0 else x * pow(z, -2, _P) % _P


def _times(factor: int, point: Point) -> _Jacobian:
    result, base = _INFINITY, (*point, 1)
    for bit in bin(factor)[2:]:
        result = _double(result)
        if bit == "1":
            result = _add(result, base)
    return result


def _double(point: _Jacobian) -> _Jacobian:
    x, y, z = point
    if z == 0 or y == 0:
        return _INFINITY
    square = y * y % _P
    s = 4 * x * square % _P
    m = (3 * x * x + _A * pow(z, 4, _P)) % _P
    u = (m * m - 2 * s) % _P
    return u, (m * (s - u) - 8 * square * square) % _P, 2 * y * z % _P


def _add(one: _Jacobian, other: _Jacobian) -> _Jacobian:
    (x1, y1, z1), (x2, y2, z2) = one, other
    if z1 == 0:
        return other
    if z2 == 0:
        return one
    square1, square2 = z1 * z1 % _P, z2 * z2 % _P
    u1, u2 = x1 * square2 % _P, x2 * square1 % _P
    s1, s2 = y1 * square2 * z2 % _P, y2 * square1 * z1 % _P
    if u1 == u2:
        return _double(one) if s1 == s2 else _INFINITY
    h, r = u2 - u1, s2 - s1
    cube, v = h * h * h % _P, u1 * h * h % _P
    x = (r * r - cube - 2 * v) % _P
    return x, (r * (v - x) - s1 * cube) % _P, h * z1 * z2 % _P
