"""The OpenAPI 3.1 document, generated from edge models, answers and route table."""

import re
from collections.abc import Iterator, Sequence
from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from gateway.api.answers import ProblemOut
from gateway.api.call import JSON_TYPE, NDJSON_TYPE, XML_TYPE, Body, Route
from gateway.api.problems import PROBLEM_TYPE

Doc = dict[str, Any]  # Any: JSON

_REF: Final = "#/components/schemas/{model}"
_PARAMETER: Final = re.compile(r"\{([a-z_]+)\}")
_RETRY_AFTER: Final = {
    "description": "Seconds to wait before the same request is sent again.",
    "required": True,
    "schema": {"type": "integer", "minimum": 1},
}
_BATCH: Final = (
    "Lines of JSON objects, each with its type: order, payment, waybill or goods; at most 5,000"
    " lines and 10 MiB after decompression. Ask for application/x-ndjson to get one result a line."
)
_MESSAGE: Final = (
    "Customs' XML: a CEB311, CEB411, CEB511 or CEB621 message, or several below one root; at most"
    " 100 records. The answer is then a report over all orders in it."
)


def document(routes: Sequence[Route], version: str) -> Doc:
    """The whole document."""
    paths: Doc = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Clearance gateway",
            "version": version,
            "description": "Papers in, matched, declared, followed until customs releases them.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": _schemas(routes),
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
        },
    }


def _schemas(routes: Sequence[Route]) -> Doc:
    taken = {route.takes for route in routes if _is_model(route.takes)}
    given = {
        kind
        for one in routes
        for kind in (one.gives, one.gives_else, one.gives_later)
        if _is_model(kind)
    }
    given |= {ProblemOut}
    wanted = [(model, "validation") for model in taken]
    wanted += [(model, "serialization") for model in given]
    wanted.sort(key=lambda pair: pair[0].__name__)
    _, schemas = models_json_schema(wanted, ref_template=_REF)  # type: ignore[arg-type]
    found: Doc = schemas["$defs"]
    return found


def _operation(route: Route) -> Doc:
    operation: Doc = {
        "operationId": _name(route),
        "summary": route.summary,
        "responses": _responses(route),
    }
    if route.roles is not None:
        operation["security"] = [{"key": []}]
        operation["x-roles"] = sorted(route.roles)
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in _PARAMETER.findall(route.path)
    ] + [
        {"name": name, "in": "query", "description": text, "schema": {"type": "string"}}
        for name, text in route.query
    ]
    parameters += [
        {"name": name, "in": "header", "description": text, "schema": {"type": "string"}}
        for name, text in _headers(route)
    ]
    if parameters:
        operation["parameters"] = parameters
    if route.body in (Body.OBJECT, Body.PAPERS):
        content = {JSON_TYPE: {"schema": _ref(route.takes)}}
        if route.body is Body.PAPERS:
            content[XML_TYPE] = {"schema": {"type": "string", "description": _MESSAGE}}
        operation["requestBody"] = {"required": True, "content": content}
    elif route.body is Body.BATCH:
        content = {NDJSON_TYPE: {"schema": {"type": "string", "description": _BATCH}}}
        operation["requestBody"] = {"required": True, "content": content}
    return operation


def _headers(route: Route) -> Iterator[tuple[str, str]]:
    """Request headers that change what a route does."""
    if route.roles is not None:
        yield "Clearance-Tenant", "For which tenant, when the key spans several; see /v1/tenants."
    if route.method == "POST" and route.roles is not None:
        yield "Idempotency-Key", "1 to 128 visible ASCII characters: the same key and body once."
    if route.gives_later is not None:
        yield "Prefer", "respond-async: answer (202) as soon as it is checked and durable."
    if route.method == "POST" and "{case_id}" in route.path:
        yield "If-Match", "The ETag of the case: the command is refused (412) when it has moved."
    if route.media == XML_TYPE:
        yield "Clearance-Reason", "Why the bytes are taken, 1 to 200 characters: it is recorded."
    if "text/event-stream" in route.other_media:
        yield "Last-Event-ID", "Where a broken stream of Server-Sent Events goes on."


def _responses(route: Route) -> Doc:
    schema = _ref(route.gives) if _is_model(route.gives) else {"type": "string"}
    if _is_model(route.gives_else):
        schema = {"oneOf": [schema, _ref(route.gives_else)]}
    content: Doc = {route.media: {"schema": schema}}
    content |= {media: {"schema": {"type": "string"}} for media in route.other_media}
    good = {"description": route.summary, "content": content}
    problem = {
        "description": "A problem: see code, errors and detail.",
        "content": {PROBLEM_TYPE: {"schema": _ref(ProblemOut)}},
    }
    answers: Doc = {str(status): good for status in route.status}
    if _is_model(route.gives_later):
        kinds = [_ref(route.gives_later), *([schema] if "202" in answers else [])]
        waits = {"schema": {"oneOf": kinds}}
        answers["202"] = {"description": "It waits.", "content": {JSON_TYPE: waits}}
    later = problem | {"headers": {"Retry-After": _RETRY_AFTER}}
    if route.roles is not None:
        answers |= dict.fromkeys(("401", "403"), problem) | {"429": later}
    answers |= {str(status): problem for status in route.problems}
    if route.body is not Body.NONE:
        answers |= dict.fromkeys(("400", "408", "413", "415", "422"), problem) | {"503": later}
    answers["default"] = problem
    return answers


def _name(route: Route) -> str:
    words = re.sub(r"[^a-z]+", "_", f"{route.method.lower()}_{route.path.lower()}")
    return words.strip("_")


def _ref(model: type[BaseModel]) -> Doc:
    return {"$ref": _REF.format(model=model.__name__)}


def _is_model(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)
