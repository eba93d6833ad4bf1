"""What of a person is shown: first character of a name, last four of a number, the district."""

from typing import Final

from gateway.domain.papers import Masked

_KEEPS: Final = 4
_DISTRICT: Final = 6
# Elements of messages that name a person; shown masked wherever bytes are shown on a page.
PERSONAL: Final[dict[str, str]] = {
    "buyerName": "name",
    "buyerIdNumber": "number",
    "buyerTelephone": "number",
    "buyerRegNo": "number",
    "payerName": "name",
    "payerIdNumber": "number",
    "telephone": "number",
    "consignee": "name",
    "consigneeTelephone": "number",
    "consigneeTelephoneAddress": "address",
    "consigneeAddress": "address",
}


def masked(value: str | Masked | None, kind: str) -> str | None:
    """A value as a page shows it. ``kind`` is ``name``, ``number``, ``address`` or ``open``."""
    if value is None or value == "":
        return None
    if isinstance(value, Masked):
        return value.shown
    match kind:
        case "name":
            return value[:1] + "*" * min(max(len(value) - 1, 1), 8)
        case "number":
            return "*" * min(max(len(value) - _KEEPS, 4), 14) + value[-_KEEPS:] * (
                len(value) > _KEEPS
            )
        case "address":
            return value[:_DISTRICT] + "****"
        case _:
            return value
