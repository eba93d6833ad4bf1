"""The notifier: Standard Webhooks over the one HTTP client."""

from collections.abc import Sequence

from adapters.egress import EgressPolicy
from adapters.http import HTTPClient
from adapters.notify import standard
from gateway.app.config import Settings
from gateway.ports import Effect, Endpoint, NoticeResult


def egress_policy(settings: Settings) -> EgressPolicy:
    """What may be called: outside production also plain, private and any port."""
    if settings.environment == "production":
        return EgressPolicy(ports=settings.egress.ports, hosts=settings.egress.hosts)
    return EgressPolicy(
        ports=frozenset(), hosts=settings.egress.hosts, allows_private=True, allows_plain=True
    )


class WebhookNotifier:
    """Delivers notices by POST."""

    def __init__(self, client: HTTPClient) -> None:
        self._client = client

    async def deliver(
        self, endpoint: Endpoint, notices: Sequence[Effect], now: int
    ) -> list[NoticeResult]:
        """One POST; gives the result of each notice."""
        return await self._client.run(standard.deliver(endpoint, notices, now))
