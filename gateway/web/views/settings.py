"""How somebody wants to see the console, and the people who may."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from gateway.domain.errors import Conflict
from gateway.domain.ids import TenantId
from gateway.ports.people import ALL_TENANTS, LANGUAGES, Prefs, Role, SavedView, User
from gateway.web.call import Answer, Call, Go, Grid, Missing, Page
from gateway.web.passwords import Passwords, weakness
from gateway.web.services import WebServices
from gateway.web.shortcuts import KEYS, chosen_keys, key_of
from gateway.web.words import N_

LOGIN: Final = re.compile(r"[a-z0-9][a-z0-9._-]{1,63}", re.ASCII)
THEMES: Final = {
    "system": N_("As the system"),
    "light": N_("Light"),
    "dark": N_("Dark"),
}
DENSITIES: Final = {"comfortable": N_("Comfortable"), "compact": N_("Compact")}


MOST_VIEWS: Final = 30
"""How many views somebody may keep."""
_LONGEST_PATH: Final = 500
_LISTS: Final = ("/review", "/cases", "/deliveries", "/notices", "/repairs", "/audit")


def _is_list(path: str) -> bool:
    """Whether this is a list of the console, so that going there leads nowhere else."""
    return path.partition("?")[0] in _LISTS and path.isprintable()


class Settings:
    """The pages under ``/settings``."""

    def __init__(self, services: WebServices) -> None:
        self._services = services
        self._passwords = Passwords(is_cheap=services.settings.cheap_passwords)

    async def show(self, call: Call) -> Answer:
        """One's own settings."""
        return self._own(call, {})

    def _own(
        self, call: Call, faults: dict[str, str], keys: Mapping[str, str] | None = None
    ) -> Page:
        settings = self._services.settings
        model = {
            "preferences": call.session.user.prefs,
            "faults": faults,
            "four_eyes_above": settings.four_eyes_above,
            "idle_minutes": settings.idle_s // 60,
            "time_zone": settings.time_zone,
        }
        chosen = keys if keys is not None else call.session.user.prefs.keys
        extra = {
            "themes": THEMES,
            "densities": DENSITIES,
            "languages": LANGUAGES,
            "keys": [(name, key_of(chosen, name), text) for name, (_, text) in KEYS.items()],
        }
        return Page("settings.html", N_("Settings"), model, 422 if faults else 200, extra=extra)

    async def save(self, call: Call) -> Answer:
        """Language, theme, density and shortcuts."""
        language = call.field("language")
        keys, faults = chosen_keys(call.form)
        if faults:
            return self._own(call, faults, keys)
        prefs = Prefs(
            views=call.session.user.prefs.views,
            keys=keys,
            language=language if language in LANGUAGES else "",
            theme=call.field("theme") if call.field("theme") in THEMES else "system",
            density=(
                call.field("density") if call.field("density") in DENSITIES else "comfortable"
            ),
            shortcuts=call.field("shortcuts") == "yes",
        )
        await self._services.people.change(replace(call.session.user, prefs=prefs))
        return Go("/settings", "saved")

    async def keep_view(self, call: Call) -> Answer:
        """Keep a list with its filter under a name, or forget it; a name is used once."""
        prefs = call.session.user.prefs
        name, path = call.field("name", 40), call.field("path", _LONGEST_PATH)
        if not _is_list(path):
            raise Missing
        kept = [one for one in prefs.views if one.name != name]
        if call.field("do") == "forget":
            done = "view_forgotten"
        elif not name or len(kept) >= MOST_VIEWS:
            return Go(path, "view_not_kept")
        else:
            kept.append(SavedView(name, path))
            done = "view_kept"
        user = replace(call.session.user, prefs=replace(prefs, views=tuple(kept)))
        await self._services.people.change(user)
        return Go(path, done)

    async def password(self, call: Call) -> Answer:
        """One's own password; every session ends."""
        user = call.session.user
        secret = await self._services.people.secret(user.login)
        run = self._services.executor.run
        stored = secret.password_hash if secret else None
        if not await run(self._passwords.holds, stored, call.form.get("current", "")):
            return self._own(call, {"current": "not_current"})
        wanted = call.form.get("password", "")
        fault = weakness(wanted, user.login)
        if fault is not None:
            return self._own(call, {"password": fault})
        hashed = await run(self._passwords.hash, wanted)
        await self._services.people.set_password(user.user_id, hashed)
        await self._services.log.note(None, user.actor, "password_changed")
        return Go("/login")

    async def tenant(self, call: Call) -> Answer:
        """Look at another tenant."""
        wanted = call.field("tenant")
        known = {one[0] for one in await self._services.tenants()}
        if wanted not in known or not call.session.user.sees(wanted):
            raise Missing
        await self._services.people.set_tenant(call.session.token_hash, TenantId(wanted))
        return Go("/", "tenant")

    async def extend(self, call: Call) -> Answer:
        """Stay signed in: being asked is all it takes."""
        return Go("/", "extended")

    async def people(self, call: Call) -> Answer:
        """Everybody who has an account."""
        return await self._people(call, {})

    async def _people(self, call: Call, faults: dict[str, str]) -> Page:
        users = await self._services.people.users()
        lines = [
            {
                "login": one.login,
                "name": one.name,
                "role": one.role.value,
                "tenants": one.tenants,
                "is_active": one.is_active,
                "is_locked": one.locked_until > call.now,
                "created_at": one.created_at,
            }
            for one in users
        ]
        grid = Grid(
            "people",
            (N_("Login"), N_("Name"), N_("Role"), N_("Tenants"), N_("Active")),
            [
                (one.login, one.name, one.role.value, " ".join(one.tenants), str(one.is_active))
                for one in users
            ],
        )
        extra = {"roles": [role.value for role in Role], "form": call.form}
        model = {"people": lines, "faults": faults}
        status = 422 if faults else 200
        return Page("people.html", N_("People"), model, status, grid=grid, extra=extra)

    async def add(self, call: Call) -> Answer:
        """A new account."""
        login = call.field("login").lower()
        password = call.form.get("password", "")
        tenants = tuple(call.field("tenants").split())
        known = {one[0] for one in await self._services.tenants()} | {ALL_TENANTS}
        faults = {
            "login": "" if LOGIN.fullmatch(login) else "login",
            "name": "" if call.field("name") else "name",
            "role": "" if call.field("role") in set(Role) else "role",
            "tenants": "" if tenants and set(tenants) <= known else "tenants",
            "password": weakness(password, login or "-") or "",
        }
        faults = {field: fault for field, fault in faults.items() if fault}
        if faults:
            return await self._people(call, faults)
        user = User(
            user_id=self._services.rng.bytes(8).hex(),
            login=login,
            name=call.field("name", 100),
            role=Role(call.field("role")),
            tenants=tenants,
            created_at=call.now,
        )
        hashed = await self._services.executor.run(self._passwords.hash, password)
        try:
            await self._services.people.add(user, hashed)
        except Conflict:
            return await self._people(call, {"login": "taken"})
        await self._services.log.note(
            None, call.actor, "user_added", login, {"role": user.role.value, "tenants": tenants}
        )
        return Go("/settings/people", "user")

    async def switch(self, call: Call) -> Answer:
        """Switch an account on or off; nobody switches off their own."""
        login = call.match("login")
        users = {one.login: one for one in await self._services.people.users()}
        if login not in users or login == call.session.user.login:
            raise Missing
        is_on = call.field("on") == "yes"
        await self._services.people.change(replace(users[login], is_active=is_on))
        await self._services.log.note(None, call.actor, "user_changed", login, {"active": is_on})
        return Go("/settings/people", "user")
