"""The notifier: Standard Webhooks over the one HTTP client."""

from collections.abc import Sequence

from adapters.http import HTTPClient
from adapters.notify import standard
from gateway.ports import Effect, Endpoint, NoticeResult


class WebhookNotifier:
    """Delivers notices by POST."""

    def __init__(self, client: HTTPClient) -> None:
        self._client = client

    async def deliver(
        self, endpoint: Endpoint, notices: Sequence[Effect], now: int
    ) -> list[NoticeResult]:
        """One POST; gives the result of each notice."""
        return await self._client.run(standard.deliver(endpoint, notices, now))
