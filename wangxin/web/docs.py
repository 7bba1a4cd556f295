"""The REST interface as a page to read: drawn from the OpenAPI document, without scripts and without other hosts."""

from __future__ import annotations

import html
from typing import Any


def _type(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        name = html.escape(schema["$ref"].rsplit("/", 1)[1])
        return f'<a href="#{name}">{name}</a>'
    for several in ("anyOf", "oneOf"):
        if several in schema:
            return " | ".join(_type(one) for one in schema[several])
    if "enum" in schema or "const" in schema:
        return " | ".join(f"<code>{html.escape(str(one))}</code>" for one in schema.get("enum", [schema.get("const")]))
    if schema.get("type") == "array":
        return f"[{_type(schema.get('items', {}))}]"
    shown = schema.get("format") or schema.get("type") or "any"
    bounds = [
        f"{sign} {schema[key]}"
        for key, sign in (("minLength", "≥"), ("maxLength", "≤"), ("minimum", "≥"), ("maximum", "≤"), ("maxItems", "≤"))
        if key in schema
    ]
    return html.escape(" ".join([str(shown), *bounds]))


def _fields(schema: dict[str, Any]) -> str:
    needed = set(schema.get("required", ()))
    rows = "".join(
        f"<tr><td><code>{html.escape(name)}</code>{' *' if name in needed else ''}</td><td>{_type(field)}</td>"
        f"<td>{html.escape(str(field.get('description', '')))}</td></tr>"
        for name, field in schema.get("properties", {}).items()
    )
    return f"<table>{rows}</table>" if rows else f"<p>{_type(schema)}</p>"


def _content(part: dict[str, Any]) -> str:
    return ", ".join(_type(body.get("schema", {})) for body in part.get("content", {}).values())


def _operation(method: str, path: str, operation: dict[str, Any]) -> str:
    rows = "".join(
        f"<tr><td><code>{html.escape(one['name'])}</code>{' *' if one.get('required') else ''}</td>"
        f"<td>{one['in']}</td><td>{_type(one.get('schema', {}))}</td></tr>"
        for one in operation.get("parameters", ())
    )
    body = _content(operation.get("requestBody", {}))
    answers = "; ".join(
        f"{status}: {_content(answer) or '—'}" for status, answer in operation["responses"].items() if status < "400"
    )
    words = html.escape(operation.get("description", ""))
    return (
        f"<h3><code>{method.upper()} {html.escape(path)}</code></h3><p>{words}</p>"
        + (f"<table>{rows}</table>" if rows else "")
        + (f"<p>Body: {body}</p>" if body else "")
        + f"<p>Answers: {answers}</p>"
    )


def page(document: dict[str, Any]) -> str:
    """The inside of the page, as HTML; every word from the document is escaped."""
    groups: dict[str, list[str]] = {}
    for path, methods in sorted(document["paths"].items()):
        for method, operation in methods.items():
            tag = (operation.get("tags") or ["other"])[0]
            groups.setdefault(tag, []).append(_operation(method, path, operation))
    contents = " · ".join(f'<a href="#tag-{html.escape(tag)}">{html.escape(tag)}</a>' for tag in groups)
    parts = "".join(
        f'<h2 id="tag-{html.escape(tag)}">{html.escape(tag)}</h2>{"".join(operations)}'
        for tag, operations in groups.items()
    )
    schemas = "".join(
        f'<h3 id="{html.escape(name)}">{html.escape(name)}</h3><p>{html.escape(schema.get("description", ""))}</p>'
        f"{_fields(schema)}"
        for name, schema in sorted(document.get("components", {}).get("schemas", {}).items())
    )
    return (
        f"<h1>{html.escape(document['info']['title'])} {html.escape(document['info']['version'])}</h1>"
        "<p>Send <code>Authorization: Bearer &lt;token&gt;</code>: an account's token from"
        " <code>POST /api/v1/login</code>, a guest's from <code>POST /api/v1/visitor</code>, a member's signed by the"
        " shop, or a shop's API key"
        ' (<code>wxk_…</code>). Every error is a <a href="#Problem">Problem</a>.'
        ' <a href="/openapi.json">openapi.json</a></p>'
        f"<p>{contents}</p>{parts}<h2>Shapes</h2>{schemas}"
    )
