"""A small typed client of the HTTP API; stands on aiohttp and cryptography alone."""

from gateway.client.client import ClearanceClient, Retrying
from gateway.client.errors import (
    Busy,
    ClientError,
    Conflict,
    Fault,
    InvalidRequest,
    Moved,
    NotAllowed,
    NotFound,
    Refused,
    SignatureInvalid,
    Unreachable,
)
from gateway.client.webhooks import verify

__all__ = [
    "Busy",
    "ClearanceClient",
    "ClientError",
    "Conflict",
    "Fault",
    "InvalidRequest",
    "Moved",
    "NotAllowed",
    "NotFound",
    "Refused",
    "Retrying",
    "SignatureInvalid",
    "Unreachable",
    "verify",
]
