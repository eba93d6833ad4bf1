"""The languages of the console: catalogues of messages whose ids are English sentences.

The catalogues are read as text (``locale/<language>/console.po``), so nothing has to be compiled
before an installation works.
"""

from functools import cache
from gettext import NullTranslations
from importlib.resources import files
from io import BytesIO
from typing import Final

from babel.core import negotiate_locale
from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import Translations

DEFAULT: Final = "zh-CN"
PSEUDO: Final = "en-XA"
"""A language of tests: every translated text stands between brackets."""
_FOLDERS: Final = {"zh-CN": "zh_CN", "en": "en"}


class PseudoTranslations(NullTranslations):
    """Shows which texts went through the catalogue, by brackets round them."""

    def gettext(self, message: str) -> str:
        """The message in brackets."""
        return f"⟦{message}⟧"

    def ngettext(self, msgid1: str, msgid2: str, n: int) -> str:
        """The form for a number, in brackets."""
        return f"⟦{msgid1 if n == 1 else msgid2}⟧"


def catalog(language: str) -> Catalog:
    """The catalogue of a language as it is kept."""
    source = files("gateway.web") / "locale" / _FOLDERS[language] / "console.po"
    return read_po(BytesIO(source.read_bytes()), locale=_FOLDERS[language])


@cache
def translations(language: str) -> NullTranslations:
    """The messages of a language."""
    if language == PSEUDO:
        return PseudoTranslations()
    compiled = BytesIO()
    write_mo(compiled, catalog(language))
    compiled.seek(0)
    return Translations(compiled)


def negotiated(wanted: str, accepted: str | None) -> str:
    """The language for somebody: their own choice, else the browser's, else Chinese."""
    if wanted in (*_FOLDERS, PSEUDO):
        return wanted
    asked = [part.split(";")[0].strip() for part in (accepted or "").split(",")][:10]
    found = negotiate_locale([one for one in asked if one], ["zh_CN", "zh", "en"], sep="-")
    found = found or negotiate_locale(
        [one.replace("-", "_") for one in asked if one], ["zh_CN", "zh", "en"]
    )
    return "en" if found == "en" else DEFAULT
