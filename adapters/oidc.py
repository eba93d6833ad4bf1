"""OpenID Connect, authorisation code flow with PKCE: what is asked of an issuer, and what of its
answer must hold before somebody counts as signed in.

Sources: OpenID Connect Core 1.0 sections 3.1.2 and 3.1.3, Discovery 1.0 section 4, RFC 7636 (PKCE),
RFC 9207 (``iss`` of the answer). Needs the optional package joserfc.
"""

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote, urlencode, urlsplit

import orjson
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from adapters.base import Exchange, Request
from gateway.ports.people import SignOnRefused

ALGORITHMS: Final = ("RS256", "PS256", "ES256")
"""Signatures that are taken; none of them is made with a secret that we share."""
_LEEWAY_S: Final = 60
_LONGEST_S: Final = 3600
_SCOPES: Final = "openid profile email"
_PLACES: Final = ("authorization_endpoint", "token_endpoint", "jwks_uri")
_CONFIGURATION: Final = "/.well-known/openid-configuration"


@dataclass(frozen=True, slots=True)
class Client:
    """This gateway at an issuer: what it is known as there, and where answers come back to."""

    issuer: str
    client_id: str
    secret: str = field(repr=False)
    redirect_uri: str


@dataclass(frozen=True, slots=True)
class Provider:
    """Where an issuer is asked what."""

    authorize: str
    token: str
    keys: str
    says_issuer: bool


def discover(issuer: str) -> Exchange[Provider]:
    """Read where an issuer is asked. Raises :class:`SignOnRefused`."""
    answer = yield Request("GET", issuer.rstrip("/") + _CONFIGURATION)
    doc = _object(answer.status, answer.body)
    if doc.get("issuer") != issuer:
        raise SignOnRefused("issuer")
    places = [str(doc.get(name, "")) for name in _PLACES]
    if not all(_is_as_safe(one, issuer) for one in places):
        raise SignOnRefused("configuration")
    says = doc.get("authorization_response_iss_parameter_supported") is True
    return Provider(places[0], places[1], places[2], says)


def _is_as_safe(url: str, issuer: str) -> bool:
    """Whether an address is asked over the same scheme as its issuer."""
    parts = urlsplit(url)
    return parts.scheme == urlsplit(issuer).scheme and bool(parts.netloc)


def question(client: Client, provider: Provider, state: str, nonce: str, verifier: str) -> str:
    """The address that a browser is sent to."""
    digest = hashlib.sha256(verifier.encode()).digest()
    query = {
        "response_type": "code",
        "client_id": client.client_id,
        "redirect_uri": client.redirect_uri,
        "scope": _SCOPES,
        "state": state,
        "nonce": nonce,
        "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
        "code_challenge_method": "S256",
    }
    mark = "&" if "?" in provider.authorize else "?"
    return f"{provider.authorize}{mark}{urlencode(query)}"


def redeem(client: Client, provider: Provider, code: str, verifier: str) -> Exchange[str]:
    """Trade a code for an ID token. Raises :class:`SignOnRefused`."""
    pair = f"{quote(client.client_id, safe='')}:{quote(client.secret, safe='')}"
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": client.redirect_uri,
        "code_verifier": verifier,
    }
    answer = yield Request(
        "POST",
        provider.token,
        {
            "Authorization": "Basic " + base64.b64encode(pair.encode()).decode(),
            "Content-Type": "application/x-www-form-urlencoded",
            "Accept": "application/json",
        },
        urlencode(form).encode(),
    )
    token = _object(answer.status, answer.body).get("id_token")
    if not isinstance(token, str):
        raise SignOnRefused("token")
    return token


def fetch_keys(provider: Provider) -> Exchange[bytes]:
    """The issuer's keys as they came. Raises :class:`SignOnRefused`."""
    answer = yield Request("GET", provider.keys)
    _object(answer.status, answer.body)
    return answer.body


def claims_of(
    token: str, keys: bytes, client: Client, nonce: str, now_s: int
) -> Mapping[str, Any]:  # Any: JSON values
    """What a token says, once its signature and every claim holds.

    Raises :class:`SignOnRefused` with ``signature``, or the name of the claim that does not hold.
    """
    try:
        known = KeySet.import_key_set(orjson.loads(keys))
        decoded = jwt.decode(token, known, algorithms=list(ALGORITHMS))
    except (JoseError, ValueError, TypeError, KeyError) as error:
        raise SignOnRefused("signature") from error
    claims = decoded.claims
    registry = jwt.JWTClaimsRegistry(
        now=now_s,
        leeway=_LEEWAY_S,
        iss={"essential": True, "value": client.issuer},
        aud={"essential": True, "value": client.client_id},
        exp={"essential": True},
        iat={"essential": True},
        sub={"essential": True},
        nonce={"essential": True, "value": nonce},
    )
    try:
        registry.validate(claims)
    except JoseError as error:
        raise SignOnRefused(_CLAIMS.get(error.error, getattr(error, "claim", "claims"))) from error
    audience = claims["aud"]
    if isinstance(audience, list) and len(audience) > 1 and claims.get("azp") != client.client_id:
        raise SignOnRefused("azp")
    if claims.get("azp", client.client_id) != client.client_id:
        raise SignOnRefused("azp")
    if not now_s - _LONGEST_S <= int(claims["iat"]) <= now_s + _LEEWAY_S:
        raise SignOnRefused("iat")
    return claims


_CLAIMS: Final = {"expired_token": "exp"}


def _object(status: int, body: bytes) -> Mapping[str, Any]:  # Any: JSON values
    if status != 200:
        raise SignOnRefused("no_answer")
    try:
        doc = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise SignOnRefused("no_answer") from error
    if not isinstance(doc, dict):
        raise SignOnRefused("no_answer")
    return doc
