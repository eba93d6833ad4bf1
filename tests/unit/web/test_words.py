"""Every text of the console is translated, and every closed set has its word."""

from __future__ import annotations

from dataclasses import fields
from enum import StrEnum
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest
from babel.messages.extract import extract_from_dir

from adapters.base import NO_ANSWER, Limits, Response
from adapters.notify.standard import interpret
from gateway.app.config import BrokerSection, FolderSection, RelaySection
from gateway.domain.case import CaseStage
from gateway.domain.declaration import DeclarationKind, DeclarationStage, Word
from gateway.domain.events import Alarm, EventKind
from gateway.domain.findings import Severity
from gateway.domain.ids import EffectId
from gateway.domain.papers import PaperKind
from gateway.flow.incoming import IntakeStatus
from gateway.ports import Effect, EffectKind, MessageStage
from gateway.ports.people import Role
from gateway.web import words
from gateway.web.language import catalog, negotiated
from gateway.web.render import HTMX, HTMX_SHA256, assets, renderer

WEB = Path(words.__file__).parent
METHODS = [("**/templates/**.html", "jinja2.ext:babel_extract"), ("**.py", "python")]
OPTIONS = {"**/templates/**.html": {"trim_blocks": "True", "lstrip_blocks": "True"}}
KEYWORDS: dict[str, Any] = {"_": None, "gettext": None, "N_": None, "ngettext": (1, 2)}


def _messages() -> set[str | tuple[str, ...]]:
    found = extract_from_dir(WEB, METHODS, OPTIONS, keywords=KEYWORDS)
    return {message for _, _, message, _, _ in found}


@pytest.mark.parametrize("language", ["zh-CN", "en"])
def test_no_text_is_without_a_translation(language: str) -> None:
    kept = catalog(language)
    missing = []
    for message in _messages():
        entry = kept.get(message if isinstance(message, str) else message[0])
        forms = [] if entry is None else entry.string
        forms = [forms] if isinstance(forms, str) else list(forms or ())
        if not forms or not all(forms):
            missing.append(message)
    assert missing == []


@pytest.mark.parametrize("language", ["zh-CN", "en"])
def test_no_translation_is_without_a_text(language: str) -> None:
    used = _messages()
    assert [entry.id for entry in catalog(language) if entry.id and entry.id not in used] == []


def test_chinese_is_not_english() -> None:
    same = [
        entry.id
        for entry in catalog("zh-CN")
        if entry.id and isinstance(entry.string, str) and entry.string == entry.id
    ]
    assert same == []


@pytest.mark.parametrize(
    "table,values",
    [
        (words.STAGES, CaseStage),
        (words.DECLARATION_STAGES, DeclarationStage),
        (words.DECLARATIONS, DeclarationKind),
        (words.EVENTS, EventKind),
        (words.ALARMS, Alarm),
        (words.SEVERITIES, Severity),
        (words.PAPERS, PaperKind),
        (words.MESSAGE_STAGES, MessageStage),
        (words.ROLES, Role),
        (words.RECEIPTS, Word),
        (words.INTAKE, IntakeStatus),
    ],
)
def test_every_value_has_its_word(table: dict[str, Any], values: type[StrEnum]) -> None:
    assert {value.value for value in values} <= set(table)


def test_channels_and_the_limits_of_adapters_have_their_words() -> None:
    sections = (FolderSection, BrokerSection, RelaySection)
    kinds = [get_type_hints(one)["kind"] for one in sections]
    assert {name for kind in kinds for name in get_args(kind)} == set(words.CHANNEL_KINDS)
    assert {one.name for one in fields(Limits)} == set(words.LIMITS)


@pytest.mark.parametrize(
    "wanted,accepted,language",
    [
        ("", None, "zh-CN"),
        ("", "en-GB,en;q=0.9", "en"),
        ("", "zh-Hans-CN, en;q=0.5", "zh-CN"),
        ("", "fr", "zh-CN"),
        ("en", "zh-CN", "en"),
        ("xx", "en", "en"),
    ],
)
def test_languages_are_negotiated(wanted: str, accepted: str | None, language: str) -> None:
    assert negotiated(wanted, accepted) == language


def test_the_script_of_others_is_the_one_that_was_looked_at() -> None:
    import hashlib

    assert hashlib.sha256(assets()[HTMX].body).hexdigest() == HTMX_SHA256


def test_scripts_and_styles_stay_within_their_budget() -> None:
    import gzip

    sizes = {
        media: sum(len(gzip.compress(one.body)) for one in assets().values() if one.media == media)
        for media in ("text/javascript", "text/css")
    }
    assert sizes["text/javascript"] <= 60 * 1024
    assert sizes["text/css"] <= 25 * 1024


def test_no_template_marks_anything_safe() -> None:
    for template in (WEB / "templates").rglob("*.html"):
        text = template.read_text("utf-8")
        assert "|safe" not in text.replace(" ", "")
        assert "style=" not in text
        assert "onclick" not in text


def test_every_template_compiles() -> None:
    environment = renderer("en", "UTC")._environment
    for template in (WEB / "templates").rglob("*.html"):
        environment.get_template(template.relative_to(WEB / "templates").as_posix())


@pytest.mark.parametrize(
    "response",
    [
        Response(NO_ANSWER, {}, b""),
        Response(410, {}, b""),
        Response(200, {}, b"thanks"),
        Response(200, {}, b'{"results": []}'),
        Response(200, {}, b'{"results": [{"id": "e1", "status": "perhaps"}]}'),
    ],
)
def test_what_we_say_of_a_delivery_has_its_word(response: Response) -> None:
    notice = Effect(EffectId("e1"), EffectKind.NOTICE, "endpoint", 0)
    (result,) = interpret([notice], response, single=False)
    assert result.detail in words.NOTICE_DETAILS
