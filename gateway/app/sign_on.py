"""Signing in through an issuer of OpenID Connect, as the settings name it."""

from importlib.util import find_spec
from typing import TYPE_CHECKING, Final

from adapters.http import HTTPClient
from gateway.app.config import ConfigError, OIDCSection
from gateway.ports import Clock
from gateway.ports.people import SignOn, SignOnRefused

if TYPE_CHECKING:
    from adapters import oidc

_SECOND_US: Final = 1_000_000
_KEPT_US: Final = 3600 * _SECOND_US
_AGAIN_US: Final = 60 * _SECOND_US


def open_sign_on(section: OIDCSection | None, client: HTTPClient, clock: Clock) -> SignOn | None:
    """The way to sign in that is configured. Raises :class:`ConfigError`."""
    if section is None:
        return None
    if find_spec("joserfc") is None:
        raise ConfigError(
            "console.oidc: needs the optional package, clearance-gateway[oidc]",
            "需要安装可选依赖 clearance-gateway[oidc]",
        )
    try:
        secret = section.client_secret_file.read_text("utf-8").strip()
    except OSError as error:
        raise ConfigError(
            f"console.oidc.client_secret_file: cannot be read: {section.client_secret_file}",
            "文件无法读取",
        ) from error
    from adapters.oidc import Client  # noqa: PLC0415 - optional

    known = Client(section.issuer, section.client_id, secret, section.redirect_uri)
    return IssuerSignOn(section, known, client, clock)


class IssuerSignOn:
    """Implements ``ports.people.SignOn`` over one issuer; its configuration is kept for an hour."""

    def __init__(
        self, section: OIDCSection, known: "oidc.Client", client: HTTPClient, clock: Clock
    ) -> None:
        self.name: str = section.name
        self._section = section
        self._known = known
        self._client = client
        self._clock = clock
        self._provider: oidc.Provider | None = None
        self._provider_at = 0
        self._keys = b""
        self._keys_at = 0

    async def begin(self, state: str, nonce: str, verifier: str) -> str:
        """Where the browser goes to sign in. Raises ``SignOnRefused``."""
        from adapters import oidc  # noqa: PLC0415 - optional

        return oidc.question(self._known, await self._asked(), state, nonce, verifier)

    async def finish(self, code: str, issuer: str | None, nonce: str, verifier: str) -> str:
        """The login that the issuer vouches for. Raises ``SignOnRefused``."""
        from adapters import oidc  # noqa: PLC0415 - optional

        provider = await self._asked()
        if (issuer is not None or provider.says_issuer) and issuer != self._known.issuer:
            raise SignOnRefused("iss")
        token = await self._client.run(oidc.redeem(self._known, provider, code, verifier))
        now_s = self._clock.now() // _SECOND_US
        try:
            keys = await self._key_set(provider, _KEPT_US)
            claims = oidc.claims_of(token, keys, self._known, nonce, now_s)
        except SignOnRefused as error:
            if error.reason != "signature":
                raise
            # It may have been signed with a key that is newer than ours.
            keys = await self._key_set(provider, _AGAIN_US)
            claims = oidc.claims_of(token, keys, self._known, nonce, now_s)
        login = claims.get(self._section.login_claim)
        if not isinstance(login, str) or not login:
            raise SignOnRefused(self._section.login_claim)
        return login.lower()

    async def _asked(self) -> "oidc.Provider":
        from adapters import oidc  # noqa: PLC0415 - optional

        now = self._clock.now()
        if self._provider is None or now - self._provider_at > _KEPT_US:
            self._provider = await self._client.run(oidc.discover(self._known.issuer))
            self._provider_at = now
        return self._provider

    async def _key_set(self, provider: "oidc.Provider", kept_us: int) -> bytes:
        from adapters import oidc  # noqa: PLC0415 - optional

        now = self._clock.now()
        if not self._keys or now - self._keys_at > kept_us:
            self._keys = await self._client.run(oidc.fetch_keys(provider))
            self._keys_at = now
        return self._keys
