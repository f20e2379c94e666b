"""/docs: the API for people, made from the OpenAPI document. One page and one style sheet, both ours; no script."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from importlib import resources
from typing import Any, Final, NamedTuple

from fastapi import APIRouter, Request
from fastapi.responses import Response
from jinja2 import Environment
from markupsafe import Markup, escape

router = APIRouter(include_in_schema=False)

_FOLDER: Final = resources.files("service.web.api") / "reference_page"
_HEADERS: Final = {
    "content-security-policy": "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "cache-control": "public, max-age=300",
}
_METHODS: Final = ("get", "post", "put", "patch", "delete")
_CODE: Final = re.compile(r"`([^`]+)`")


class Field(NamedTuple):
    """A parameter, or a member of a body."""

    name: str
    where: str
    type: str
    required: bool
    description: str


class Operation(NamedTuple):
    """A call."""

    id: str
    method: str
    path: str
    summary: str
    description: str
    scope: bool
    parameters: list[Field]
    body: list[Field]
    body_example: str | None
    answers: list[tuple[str, str]]
    answer: list[Field]
    answer_example: str | None


@router.get("/docs")
def docs(request: Request) -> Response:
    """The page."""
    text = _page(json.dumps(request.app.openapi()))
    return Response(text, media_type="text/html; charset=utf-8", headers=_HEADERS)


@router.get("/docs/style.css")
def style() -> Response:
    """Its style sheet."""
    return Response((_FOLDER / "style.css").read_bytes(), media_type="text/css; charset=utf-8", headers=_HEADERS)


@lru_cache(maxsize=4)
def _page(openapi: str) -> str:
    document = json.loads(openapi)
    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.filters["prose"] = _prose
    template = environment.from_string((_FOLDER / "page.html").read_text(encoding="utf-8"))
    groups: dict[str, list[Operation]] = {}
    for tag, operation in _operations(document):
        groups.setdefault(tag, []).append(operation)
    return template.render(info=document["info"], groups=groups)


def _prose(text: str) -> Markup:
    """Paragraphs, and code between backticks."""
    paragraphs = [_CODE.sub(r"<code>\1</code>", str(escape(part))) for part in text.split("\n\n") if part.strip()]
    return Markup("".join(f"<p>{paragraph}</p>" for paragraph in paragraphs))  # noqa: S704 - escaped above


def _operations(document: Mapping[str, Any]) -> Iterator[tuple[str, Operation]]:
    for path, calls in document["paths"].items():
        for method in _METHODS:
            if method in calls:
                yield calls[method].get("tags", ["other"])[0], _operation(document, path, method, calls[method])


def _operation(document: Mapping[str, Any], path: str, method: str, call: Mapping[str, Any]) -> Operation:
    parameters = [
        Field(
            each["name"],
            each["in"],
            _type(document, each["schema"]).removesuffix(" or null"),
            each.get("required", False),
            each.get("description", ""),
        )
        for each in call.get("parameters", ())
    ]
    body = _json_of(call.get("requestBody", {}))
    success = next(code for code in call["responses"] if code.startswith("2"))
    given = _json_of(call["responses"][success])
    return Operation(
        call["operationId"],
        method.upper(),
        path,
        call.get("summary", ""),
        call.get("description", ""),
        bool(call.get("security")),
        parameters,
        _members(document, body.get("schema", {})),
        _example(document, body),
        [(code, each["description"]) for code, each in sorted(call["responses"].items())],
        _members(document, given.get("schema", {})),
        _example(document, given),
    )


def _json_of(part: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Mapping[str, Any] = part.get("content", {}).get("application/json", {})
    return found


def _resolved(document: Mapping[str, Any], schema: Mapping[str, Any]) -> Mapping[str, Any]:
    if "$ref" not in schema:
        return schema
    found: Mapping[str, Any] = document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
    return found


def _members(document: Mapping[str, Any], schema: Mapping[str, Any]) -> list[Field]:
    """The members of an object; of a list in it, those of its items below it."""
    schema = _resolved(document, schema)
    fields: list[Field] = []
    for name, member in schema.get("properties", {}).items():
        required = name in schema.get("required", ())
        fields.append(Field(name, "", _type(document, member), required, _described(document, member)))
        fields += [
            inner._replace(name=f"{name}[].{inner.name}") for inner in _members(document, _items(document, member))
        ]
    return fields


def _items(document: Mapping[str, Any], schema: Mapping[str, Any]) -> Mapping[str, Any]:
    for option in (schema, *schema.get("anyOf", ())):
        if "items" in option:
            return _resolved(document, option["items"])
    return {}


def _described(document: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    own = schema.get("description") or _resolved(document, schema).get("description") or ""
    return str(own)


def _type(document: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    """A schema in a few words: an object by its name, a closed list by its words."""
    resolved = _resolved(document, schema)
    if "enum" in resolved:
        return ", ".join(map(str, resolved["enum"]))
    if "$ref" in schema:
        return str(schema["$ref"].rsplit("/", 1)[1])
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(_type(document, option) for option in schema["anyOf"]))
    if "const" in schema:
        return str(schema["const"])
    if schema.get("type") == "array":
        return f"list of {_type(document, schema.get('items', {}))}"
    return " ".join(str(schema[key]) for key in ("type", "format") if key in schema) or "anything"


def _example(document: Mapping[str, Any], content: Mapping[str, Any]) -> str | None:
    named = [each["value"] for each in content.get("examples", {}).values()]
    examples = named or _resolved(document, content.get("schema", {})).get("examples", [])
    return json.dumps(examples[-1], indent=2, ensure_ascii=False) if examples else None
