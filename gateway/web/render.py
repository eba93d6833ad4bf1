"""Templates: one environment a language, filters that write numbers and times as people read them,
and files served under names that contain their digest.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from functools import cache
from importlib.resources import files
from typing import Any, Final
from zoneinfo import ZoneInfo

import orjson
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from gateway.domain.codec import from_micros
from gateway.domain.findings import finding_id
from gateway.web import words
from gateway.web.call import BASE
from gateway.web.compare import place_of
from gateway.web.language import translations
from gateway.web.mending import can_mend
from gateway.web.shortcuts import KEYS, key_of, keys_of

HTMX: Final = "htmx.min.js"
HTMX_SHA256: Final = "491955cd1810747d7d7b9ccb936400afb760e06d25d53e4572b64b6563b2784e"
_OURS: Final = (
    ("console.css", "text/css"),
    ("keys.js", "text/javascript"),
    ("palette.js", "text/javascript"),
    ("live.js", "text/javascript"),
    ("icon.svg", "image/svg+xml"),
)
_SECOND: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Asset:
    """One file that pages need, under its name with a digest."""

    name: str
    media: str
    body: bytes

    @property
    def address(self) -> str:
        """Where it is served."""
        digest = hashlib.sha256(self.body).hexdigest()[:12]
        stem, _, suffix = self.name.partition(".")
        return f"{BASE}/static/{stem}.{digest}.{suffix}"


@cache
def assets() -> Mapping[str, Asset]:
    """Every file by its plain name."""
    ours = files("gateway.web") / "static"
    found = {name: Asset(name, media, (ours / name).read_bytes()) for name, media in _OURS}
    source = files("js_lib_htmx") / "static" / "htmx" / HTMX
    found[HTMX] = Asset(HTMX, "text/javascript", source.read_bytes())
    return found


class Renderer:
    """Renders pages in one language."""

    def __init__(self, language: str, time_zone: str) -> None:
        self.language = language
        self._zone = ZoneInfo(time_zone)
        self._words = translations(language)
        self._environment = _environment(self)

    def gettext(self, message: str) -> str:
        """A message in this language."""
        return self._words.gettext(message) if message else ""

    def render(self, template: str, values: Mapping[str, Any]) -> str:
        """A whole page (Any: each template takes its own values)."""
        return self._environment.get_template(template).render(values)

    def moment(self, micros: int | None) -> datetime | None:
        """A time in the console's zone."""
        return None if micros is None else from_micros(micros).astimezone(self._zone)

    def time(self, micros: int | None, pattern: str = "%Y-%m-%d %H:%M:%S") -> Markup:
        """A time as an element: local to read, UTC for machines."""
        moment = self.moment(micros)
        if moment is None:
            return Markup('<span class="none">–</span>')
        utc = from_micros(micros or 0).strftime("%Y-%m-%dT%H:%M:%SZ")
        shown = moment.strftime(pattern)
        return Markup('<time datetime="{}">{}</time>').format(utc, shown)

    def span(self, micros: int | None) -> str:
        """A length of time in its largest units."""
        if micros is None:
            return "–"
        seconds = max(micros, 0) // _SECOND
        days, hours, minutes = seconds // 86400, seconds // 3600 % 24, seconds // 60 % 60
        if days:
            return self.gettext("%(days)s d %(hours)s h") % {"days": days, "hours": hours}
        if hours:
            text = self.gettext("%(hours)s h %(minutes)s min")
            return text % {"hours": hours, "minutes": minutes}
        if minutes:
            return self.gettext("%(minutes)s min") % {"minutes": minutes}
        if seconds >= 10 or micros == 0:
            return self.gettext("%(seconds)s s") % {"seconds": seconds}
        return self.gettext("%(seconds)s s") % {"seconds": f"{micros / _SECOND:.1f}"}


def money(text: str | None) -> str:
    """An amount with its currency, ``1234.5 CNY``, as people read it: ``1,234.50 CNY``."""
    number, _, currency = (text or "").partition(" ")
    try:
        amount = Decimal(number)
    except InvalidOperation:
        return text or ""
    exponent = amount.as_tuple().exponent
    places = max(-exponent, 2) if isinstance(exponent, int) else 2
    return f"{amount:,.{places}f} {currency}".strip()


def _environment(renderer: Renderer) -> Environment:
    environment = Environment(
        loader=PackageLoader("gateway.web"),
        autoescape=True,
        undefined=StrictUndefined,
        extensions=["jinja2.ext.i18n"],
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.install_gettext_translations(  # type: ignore[attr-defined]
        translations(renderer.language), newstyle=True
    )
    environment.filters.update(
        time=renderer.time,
        minute=lambda micros: renderer.time(micros, "%m-%d %H:%M"),
        span=renderer.span,
        money=money,
        compact=lambda value: orjson.dumps(value).decode(),
        number=lambda value: f"{value:,}",
        pretty=lambda value: orjson.dumps(value, option=orjson.OPT_INDENT_2).decode(),
    )
    environment.tests["in_list"] = lambda path, page: path.partition("?")[0] == page
    environment.globals.update(
        key_of=key_of,
        keys_of=keys_of,
        single_keys=KEYS,
        words=words,
        base=BASE,
        finding_key=finding_id,
        place_of=place_of,
        can_mend=lambda finding: any(map(can_mend, finding.fixes)),
        asset={name: one.address for name, one in assets().items()},
        language=renderer.language,
    )
    return environment


@cache
def renderer(language: str, time_zone: str) -> Renderer:
    """The renderer of a language."""
    return Renderer(language, time_zone)
