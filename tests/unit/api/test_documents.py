from __future__ import annotations

import re
from importlib.resources import files
from typing import Any

import pytest

from gateway.api.docs_page import problems_page
from gateway.api.faults import Fault
from gateway.api.openapi import document
from gateway.api.problems import P, Problem, language_of
from gateway.api.settings import APISettings


@pytest.fixture
def openapi() -> dict[str, Any]:
    import asyncio

    from gateway.api.app import route_table
    from tests.unit.api.fakes import world

    return document(route_table(world().services, APISettings(), asyncio.Event()), "1")


def test_the_document_describes_every_body_by_its_model(openapi: dict[str, Any]) -> None:
    assert openapi["openapi"] == "3.1.0"
    order = openapi["paths"]["/v1/orders"]["post"]
    body = order["requestBody"]["content"]["application/json"]["schema"]
    assert body == {"$ref": "#/components/schemas/OrderIn"}
    schema = openapi["components"]["schemas"]["OrderIn"]
    assert schema["additionalProperties"] is False
    assert {"profile", "order_no", "lines", "paid"} <= set(schema["required"])
    assert "ordered_at" not in schema["required"]
    assert schema["properties"]["paid"]["oneOf"][0]["type"] == "string"
    assert "number" not in str(schema["properties"]["paid"])
    assert order["responses"]["201"]
    assert order["x-roles"] == ["operator", "seller"]


def test_every_reference_leads_somewhere(openapi: dict[str, Any]) -> None:
    references = set(re.findall(r"#/components/schemas/(\w+)", str(openapi)))
    assert references <= set(openapi["components"]["schemas"])


def test_operations_have_names_of_their_own(openapi: dict[str, Any]) -> None:
    names = [
        operation["operationId"]
        for path in openapi["paths"].values()
        for operation in path.values()
    ]
    assert len(names) == len(set(names))


def test_path_parameters_are_declared(openapi: dict[str, Any]) -> None:
    for path, operations in openapi["paths"].items():
        for operation in operations.values():
            given = {p["name"] for p in operation.get("parameters", ()) if p["in"] == "path"}
            assert given == set(re.findall(r"\{(\w+)\}", path))


def test_problems_have_codes_anchors_and_two_languages() -> None:
    kinds = [kind.value for kind in P]
    assert len({kind.code for kind in kinds}) == len(kinds)
    assert len({kind.slug for kind in kinds}) == len(kinds)
    for kind in kinds:
        assert re.search("[\u4e00-\u9fff]", kind.title_zh)
        assert re.search("[\u4e00-\u9fff]", kind.detail_zh)
        assert kind.title.isascii()
        assert 400 <= kind.status < 600


def test_a_problem_document() -> None:
    problem = Problem(P.FROZEN, (Fault("paid", "differs", "不一致"),), {"case": "c"})
    doc = problem.to_doc("zh", "r1")
    assert doc["title"] == "单证已申报，不可更改"
    assert doc["type"] == "/v1/docs/problems#frozen"
    assert doc["errors"] == [{"path": "paid", "message": "differs", "message_zh": "不一致"}]
    assert (doc["case"], doc["request_id"]) == ("c", "r1")
    assert "request_id" not in problem.to_doc("en", None)
    many = Problem(P.INVALID_FIELDS, tuple(Fault(str(n), "m", "m") for n in range(500)))
    assert len(many.to_doc("en", "r")["errors"]) == 100


@pytest.mark.parametrize(
    "header,language",
    [
        (None, "en"),
        ("", "en"),
        ("fr", "en"),
        ("zh", "zh"),
        ("zh-Hans-CN", "zh"),
        ("en-GB,zh;q=0.9", "en"),
        ("en;q=0.8, zh;q=0.9", "zh"),
        ("zh;q=0.12,en;q=0.2", "en"),
        ("fr, zh;q=0.1", "zh"),
        ("zh;q=oops, en;q=0.5", "en"),
        ("ZH", "zh"),
    ],
)
def test_the_language_follows_the_header(header: str | None, language: str) -> None:
    assert language_of(header) == language


def test_the_page_of_problems_has_every_anchor_and_both_languages() -> None:
    page = problems_page().decode()
    for kind in P:
        assert f'id="{kind.value.slug}"' in page
        assert kind.value.detail_zh in page
    assert "<script" not in page


def test_the_roles_in_the_documentation_are_those_of_the_routes(openapi: dict[str, Any]) -> None:
    text = (files("gateway.api") / "docs.md").read_text(encoding="utf-8")
    rows = [line.strip("|").split("|") for line in text.splitlines() if line.startswith("|")]
    roles = [cell.strip() for cell in rows[0][1:]]
    written = {}
    for row in rows[2:]:
        allowed = sorted(role for role, cell in zip(roles, row[1:], strict=True) if "x" in cell)
        methods, paths = re.fullmatch(r"((?:[A-Z]+(?:, )?)+) (.*)", row[0].strip()).groups()  # type: ignore[union-attr]
        base = ""
        for name in paths.split(", "):
            base = name.rpartition("/")[0] if "/" in name else base
            full = name if "/" in name or not base.endswith("}") else f"{base}/{name}"
            for method in methods.split(", "):
                written[method, f"/v1/{full}".replace("{id}", "{}")] = allowed
    actual = {
        (method.upper(), re.sub(r"\{\w+\}", "{}", path)): operation["x-roles"]
        for path, operations in openapi["paths"].items()
        for method, operation in operations.items()
        if "x-roles" in operation
    }
    assert written == actual
