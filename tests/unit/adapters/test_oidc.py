"""What an ID token must say before somebody counts as signed in; the issuer is invented."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, OctKey, RSAKey

from adapters.base import Exchange, Request, Response
from adapters.oidc import Client, Provider, claims_of, discover, question, redeem
from gateway.ports.people import SignOnRefused

NOW = 1_800_000_000
CLIENT = Client("https://id.example", "console", "s3cret", "https://gw.example/login/oidc/back")
RSA = RSAKey.generate_key(2048, {"kid": "one", "use": "sig"})
EC = ECKey.generate_key("P-256", {"kid": "two", "use": "sig"})
KEYS = orjson.dumps(KeySet([RSA, EC]).as_dict(private=False))
GOOD = {"iss": CLIENT.issuer, "aud": "console", "sub": "7", "exp": NOW + 300, "iat": NOW - 5,
        "nonce": "n-1", "preferred_username": "chen"}  # fmt: skip


def token(key: Any = RSA, alg: str = "RS256", **changes: Any) -> str:
    claims = {name: value for name, value in (GOOD | changes).items() if value is not None}
    return jwt.encode({"alg": alg, "kid": key.kid}, claims, key, algorithms=[alg])


@pytest.mark.parametrize("key, alg", [(RSA, "RS256"), (RSA, "PS256"), (EC, "ES256")])
def test_a_good_token_is_taken(key: Any, alg: str) -> None:
    assert claims_of(token(key, alg), KEYS, CLIENT, "n-1", NOW)["sub"] == "7"


@pytest.mark.parametrize(
    "changes, reason",
    [
        ({"iss": "https://evil.example"}, "iss"),
        ({"aud": "another"}, "aud"),
        ({"aud": None}, "aud"),
        ({"aud": ["console", "another"]}, "azp"),
        ({"azp": "another"}, "azp"),
        ({"nonce": "n-2"}, "nonce"),
        ({"nonce": None}, "nonce"),
        ({"exp": NOW - 61}, "exp"),
        ({"exp": None}, "exp"),
        ({"iat": NOW + 61}, "iat"),
        ({"iat": NOW - 4000}, "iat"),
        ({"sub": None}, "sub"),
    ],
)
def test_a_claim_that_does_not_hold_is_named(changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(SignOnRefused) as refused:
        claims_of(token(**changes), KEYS, CLIENT, "n-1", NOW)
    assert refused.value.reason == reason


def test_a_signature_of_somebody_else_is_refused() -> None:
    other = RSAKey.generate_key(2048, {"kid": "one"})
    shared = OctKey.import_key("s3cret" * 8, {"kid": "one"})
    plain = ".".join([*token().split(".")[:2], ""])
    for forged in (token(other), token(shared, "HS256"), plain, "x.y.z", ""):
        with pytest.raises(SignOnRefused) as refused:
            claims_of(forged, KEYS, CLIENT, "n-1", NOW)
        assert refused.value.reason == "signature"


def _answered(exchange: Exchange[Any], status: int, doc: Any) -> tuple[Request, Any]:
    request = next(exchange)
    with pytest.raises(StopIteration) as ended:
        exchange.send(Response(status, {}, orjson.dumps(doc)))
    return request, ended.value.value


CONFIGURATION = {
    "issuer": CLIENT.issuer,
    "authorization_endpoint": "https://id.example/authorize",
    "token_endpoint": "https://id.example/token",
    "jwks_uri": "https://id.example/keys",
}


def test_the_issuer_says_where_it_is_asked() -> None:
    request, provider = _answered(discover(CLIENT.issuer), 200, CONFIGURATION)
    assert request.url == "https://id.example/.well-known/openid-configuration"
    assert provider.token == "https://id.example/token"
    address = question(CLIENT, provider, "s", "n", "v" * 43)
    assert "code_challenge_method=S256" in address
    assert "v" * 43 not in address
    asked, got = _answered(redeem(CLIENT, provider, "c", "v"), 200, {"id_token": "t"})
    assert got == "t"
    assert b"code_verifier=v" in asked.body


@pytest.mark.parametrize(
    "changes", [{"issuer": "https://evil.example"}, {"token_endpoint": "http://id.example/token"},
                {"jwks_uri": None}]
)  # fmt: skip
def test_a_configuration_of_somebody_else_is_refused(changes: dict[str, Any]) -> None:
    exchange = discover(CLIENT.issuer)
    next(exchange)
    with pytest.raises(SignOnRefused):
        exchange.send(Response(200, {}, orjson.dumps(CONFIGURATION | changes)))


def test_an_issuer_that_fails_signs_nobody_in() -> None:
    provider = Provider("https://a", "https://b", "https://c", False)
    for status, body in ((500, b"{}"), (200, b"not json"), (200, b"{}"), (0, b"")):
        exchange = redeem(CLIENT, provider, "c", "v")
        next(exchange)
        with pytest.raises(SignOnRefused):
            exchange.send(Response(status, {}, body))
