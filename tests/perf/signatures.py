"""What signatures cost beside the bare operation of the same run, and what a UKey carries."""

from __future__ import annotations

import asyncio
import ctypes
import ctypes.util
import hashlib
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from lxml import etree
from signxml.algorithms import CanonicalizationMethod, SignatureConstructionMethod
from signxml.signer import XMLSigner

from adapters.sandbox.ukey import Control
from gateway.app.surroundings import ThreadExecutor
from signing import (
    FileKey,
    KeyKind,
    Pin,
    Ring,
    RingKey,
    UKeySettings,
    VerifyPolicy,
    libcrypto,
    load_pem,
    new_development_key,
    open_ukey,
    sign,
    verify,
)
from signing.libcrypto import SM2PrivateKey
from signing.profiles import CEB_PROFILES, DS_NAMESPACE
from tests.perf.costs import StageCost, process_us
from tests.support.ukey import card_of, running_control

SIGN_RATIO: Final = 1.1
VERIFY_US: Final = 300.0
THREADS_RATIO: Final = 1.7
UKEY_RECORDS_S: Final = 350.0
_RECORDS: Final = 100
_PACE_S: Final = 0.25
_TEST_TIME: Final = re.compile(r"Executed (\d+) tests in ([\d.]+) msec")


def signature_costs(folder: Path, message: bytes, seconds: float) -> list[StageCost]:
    """Measure on one message of a hundred records, for about ``seconds`` a row."""
    folder.mkdir(parents=True, exist_ok=True)
    rsa_key, sm2_key = _key(KeyKind.RSA), _key(KeyKind.SM2)
    small = _small(message)
    return [
        *_rsa_rows(folder, rsa_key, small, seconds),
        *_sm2_rows(sm2_key, small, seconds),
        *_verify_rows(rsa_key, sm2_key, small, seconds),
        *_thread_rows(rsa_key, small, seconds),
        _ukey_row(message),
    ]


def _key(kind: KeyKind) -> FileKey:
    now = datetime.now(UTC)
    made = new_development_key(
        subject="bench",
        serial=0x0300000000000001,
        not_before=now - timedelta(days=1),
        not_after=now + timedelta(days=1),
        kind=kind,
    )
    return load_pem(made.pem(), name="bench")


def _small(message: bytes) -> bytes:
    """The first record alone: digest and parsing weigh least, the operation most."""
    root_end = message.index(b">") + 1
    name = re.match(rb"<[^\s>]+", message[root_end:])
    assert name is not None
    end = b"</" + name[0][1:] + b">"
    record = message[root_end : message.index(end) + len(end)]
    return message[:root_end] + record + message[message.rindex(b"</") :]


def best_us(work: Callable[[], object], seconds: float) -> float:
    """Microseconds of this thread's CPU, the best try in about ``seconds``."""
    return process_us(work, seconds, 1)


def best_of(
    one: Callable[[], object], other: Callable[[], object], seconds: float
) -> tuple[float, float]:
    """Microseconds of two works done in turns, so that both meet the same machine."""
    slice_s = seconds / 10
    turns = [(best_us(one, slice_s), best_us(other, slice_s)) for _ in range(10)]
    return min(first for first, _ in turns), min(second for _, second in turns)


def _rsa_rows(folder: Path, key: FileKey, body: bytes, seconds: float) -> Iterator[StageCost]:
    private: Any = key._private
    scheme, digest = padding.PKCS1v15(), hashes.SHA1()
    bare, ours = best_of(
        lambda: private.sign(body[:700], scheme, digest),
        lambda: sign(body, key, canonical=True),
        seconds,
    )
    yield StageCost("rsa: bare operation", bare, "µs a signature")
    yield StageCost("rsa: sign a message", ours, f"{ours / bare:.2f}× bare", bare * SIGN_RATIO)
    other = best_us(lambda: _by_signxml(body, key), seconds)
    yield StageCost("rsa: the same by signxml", other, f"{other / bare:.2f}× bare")
    if (xmlsec := _by_xmlsec1(folder, body, key)) is not None:
        yield StageCost("rsa: the same by xmlsec1", xmlsec, f"{xmlsec / bare:.2f}× bare")


class _OldSigner(XMLSigner):
    """Signs with SHA-1, which the library else refuses."""

    def check_deprecated_methods(self) -> None:
        """Pass."""


def _by_signxml(body: bytes, key: FileKey) -> bytes:
    private: Any = key._private
    signer = _OldSigner(
        method=SignatureConstructionMethod.enveloped,
        signature_algorithm="rsa-sha1",
        digest_algorithm="sha1",
        c14n_algorithm=CanonicalizationMethod.CANONICAL_XML_1_0,
    )
    signed = signer.sign(etree.fromstring(body), key=private, cert=[key.certificate.parsed])
    return etree.tostring(signed)


def _by_xmlsec1(folder: Path, body: bytes, key: FileKey) -> float | None:
    tool = shutil.which("xmlsec1")
    if tool is None:
        return None
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        NoEncryption,
        PrivateFormat,
    )

    private: Any = key._private
    (folder / "key.pem").write_bytes(
        private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
    template = sign(body, key, canonical=True).content
    for name in (b"DigestValue", b"SignatureValue"):
        template = re.sub(rb"<ds:%b>[^<]*<" % name, b"<ds:%b><" % name, template)
    assert DS_NAMESPACE.encode() in template
    (folder / "template.xml").write_bytes(template)
    command = [tool, "--sign", "--repeat", "300", "--privkey-pem", str(folder / "key.pem")]
    done = subprocess.run(
        [*command, "--output", str(folder / "out.xml"), str(folder / "template.xml")],
        capture_output=True,
        check=False,
        text=True,
    )
    found = _TEST_TIME.search(done.stdout + done.stderr)
    return float(found[2]) * 1000 / int(found[1]) if found else None


def _bare_sm2(private: SM2PrivateKey, data: bytes) -> Callable[[], object]:
    """libcrypto's own calls for one SM2-SM3 signature and nothing around them."""
    libcrypto.probe()
    library = ctypes.CDLL(ctypes.util.find_library("crypto"))
    for name in ("EVP_MD_fetch", "EVP_PKEY_CTX_new", "EVP_MD_CTX_new"):
        getattr(library, name).restype = ctypes.c_void_p
    sm3 = ctypes.c_void_p(library.EVP_MD_fetch(None, b"SM3", None))
    key, signer = ctypes.c_void_p(private._key.pointer), libcrypto.SIGNER_ID
    space, length = ctypes.create_string_buffer(80), ctypes.c_size_t(80)
    taken, size = ctypes.byref(length), ctypes.c_size_t(len(data))

    def operation() -> None:
        length.value = 80
        context = ctypes.c_void_p(library.EVP_MD_CTX_new())
        of_key = ctypes.c_void_p(library.EVP_PKEY_CTX_new(key, None))
        library.EVP_PKEY_CTX_set1_id(of_key, signer, len(signer))
        library.EVP_MD_CTX_set_pkey_ctx(context, of_key)
        library.EVP_DigestSignInit(context, None, sm3, None, key)
        assert library.EVP_DigestSign(context, space, taken, data, size) == 1
        library.EVP_MD_CTX_free(context)
        library.EVP_PKEY_CTX_free(of_key)

    return operation


def _sm2_rows(key: FileKey, body: bytes, seconds: float) -> Iterator[StageCost]:
    private = key._private
    assert isinstance(private, SM2PrivateKey)
    bare, ours = best_of(
        _bare_sm2(private, body[:700]), lambda: sign(body, key, canonical=True), seconds
    )
    yield StageCost("sm2: bare libcrypto operation", bare, "µs a signature")
    yield StageCost("sm2: sign a message", ours, f"{ours / bare:.2f}× bare", bare * SIGN_RATIO)


def _verify_rows(
    rsa_key: FileKey, sm2_key: FileKey, body: bytes, seconds: float
) -> Iterator[StageCost]:
    for name, key in (("rsa", rsa_key), ("sm2", sm2_key)):
        moment = datetime.now(UTC)
        policy = VerifyPolicy(
            profiles=CEB_PROFILES, at=moment, pinned=(key.certificate,), weak_until=moment
        )
        content = sign(body, key, canonical=True).content
        cost = best_us(lambda content=content, policy=policy: verify(content, policy), seconds)  # type: ignore[misc]
        gate = VERIFY_US if name == "rsa" else None
        yield StageCost(f"{name}: verify a message", cost, "µs a message", gate)


def _thread_rows(key: FileKey, body: bytes, seconds: float) -> Iterator[StageCost]:
    def many(count: int) -> None:
        for _ in range(count):
            sign(body, key, canonical=True)

    def hashes_of(count: int) -> None:
        hashlib.pbkdf2_hmac("sha256", b"x", b"y", count * 500)

    each = max(50, int(seconds * 200))
    best: dict[tuple[str, int], float] = {}
    for _ in range(6):
        for name, work in (("ours", many), ("machine", hashes_of)):
            for threads in (1, 2):
                took = _wall_us(work, each, threads)
                best[name, threads] = min(took, best.get((name, threads), took))
    machine = best["machine", 1] / best["machine", 2]
    yield StageCost(
        "machine: two threads that share nothing", best["machine", 2], f"{machine:.2f}× one thread"
    )
    gain = best["ours", 1] / best["ours", 2]
    unit = f"{gain:.2f}× one thread"
    yield StageCost(
        "rsa: two threads, a signature", best["ours", 2], unit, best["ours", 1] / THREADS_RATIO
    )


def _wall_us(work: Callable[[int], object], each: int, threads: int) -> float:
    """Microseconds of the wall clock for one of so many threads' units together."""
    with ThreadPoolExecutor(threads) as pool:
        started = time.perf_counter()
        list(pool.map(work, [each] * threads))
        return (time.perf_counter() - started) * 1e6 / (each * threads)


def _ukey_row(message: bytes) -> StageCost:
    """One sandbox UKey at four signatures a second, driven through a ring."""
    now = datetime.now(UTC)
    new = new_development_key(
        subject="bench",
        serial=0x0300000000000002,
        not_before=now - timedelta(days=1),
        not_after=now + timedelta(days=1),
    )
    control = Control(card_of(new), seconds_a_signature=_PACE_S)
    with running_control(control):
        key = open_ukey("bench", UKeySettings(control.url, pin=Pin(control.card.pin)))
        messages = 12
        took = asyncio.run(_through_ring(key, message, messages))
        key.close()
    each = took * 1e6 / (messages * _RECORDS)
    unit = f"{1e6 / each:,.0f} declarations/s"
    return StageCost("UKey at 4/s: a declaration", each, unit, 1e6 / UKEY_RECORDS_S)


async def _through_ring(key: Any, message: bytes, count: int) -> float:
    executor = ThreadExecutor(1)
    ring = Ring("bench", [RingKey(key, executor.run)])
    started = time.perf_counter()
    async with asyncio.TaskGroup() as tasks:
        for _ in range(count):
            tasks.create_task(ring.sign(message))
    executor.close()
    return time.perf_counter() - started
