"""A fake of the preflight of customs' XML."""

from __future__ import annotations

from typing import Any

from gateway.domain.ids import TenantId


class Reporter:
    """Says of customs' XML only what it was given."""

    async def foresee(self, tenant: TenantId, body: bytes, profile: str | None) -> dict[str, Any]:
        counts = dict.fromkeys(("rows", "orders", "clean", "blocked"), len(body))
        lists: dict[str, list[str]] = {"results": [], "row_faults": []}
        told: dict[str, Any] = {
            "files": [str(tenant)],
            "unlinked": [profile or ""],
            "by_rule": {},
            "profile": None,
        }
        return counts | lists | told
