"""The route that offers signing to a platform which builds its messages itself.

It signs whole CEB messages, or a SignedInfo of the profile that the platform built over one: never
any other bytes, so that it is no oracle for strings of a caller's choice. A key is offered to a
tenant by its settings; to everybody else it does not exist.
"""

import base64
import binascii
from typing import Final

import orjson
from pydantic import TypeAdapter

from gateway.api.call import Answer, Call
from gateway.api.decode import decode
from gateway.api.edge import SignatureIn
from gateway.api.faults import Fault, InvalidFields
from gateway.api.problems import P, Problem, Refusal, refuse
from gateway.api.services import Made, OffersSigning, Services
from signing.errors import DocumentError, SettingError, SigningError

SIGNATURE: Final[TypeAdapter[SignatureIn]] = TypeAdapter(SignatureIn)
_AGAIN_S: Final = "5"


class Signatures:
    """The signing route."""

    def __init__(self, services: Services, offered: OffersSigning | None) -> None:
        self._services = services
        self._offered = offered

    async def sign(self, call: Call) -> Answer:
        """Sign a message, or the SignedInfo of one."""
        given = decode(SIGNATURE, call.body)
        if self._offered is None:
            raise refuse(P.NOT_FOUND)
        name = "document" if given.document is not None else "data"
        text = given.document if given.document is not None else given.data
        if text is None or (given.document is not None and given.data is not None):
            raise InvalidFields(
                [Fault("", "give document or data, one of them", "document 与 data 请二选一")]
            )
        content = _decoded(name, text)
        try:
            if given.document is not None:
                made = await self._offered.sign_document(call.tenant, given.key, content)
            else:
                made = await self._offered.sign_info(call.tenant, given.key, content)
        except (DocumentError, SettingError) as error:
            words = f"cannot be signed: {error} [{error.code}]"
            raise InvalidFields([Fault(name, words, f"无法签名（{error.code}）")]) from error
        except SigningError as error:
            raise Refusal(
                Problem(
                    P.OVERLOADED, extra={"reason": error.code}, headers={"Retry-After": _AGAIN_S}
                )
            ) from error
        if made is None:
            raise refuse(P.NOT_FOUND)
        return Answer(orjson.dumps(_doc(made)))


def _decoded(name: str, text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error) as error:
        fault = Fault(name, "must be base64", "必须是 base64")
        raise InvalidFields([fault]) from error


def _doc(made: Made) -> dict[str, str | None]:
    return {
        "signature": base64.b64encode(made.signature).decode(),
        "key_name": made.key_name,
        "certificate": made.certificate_base64,
        "profile": made.profile,
        "digest": made.digest_base64,
        "document": None if made.document is None else base64.b64encode(made.document).decode(),
    }
