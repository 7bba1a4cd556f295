"""The wire as TypeScript, made from the models: ``python -m wangxin.protocol.typescript`` writes it, a test compares.

Frames and bodies are typed as a sender may write them (a field with a default may be left out); answers as a reader
finds them (only what may be null may be absent). Names carry what they are: ``MessageSendFrame``, ``TextBody``,
``WelcomeAnswer``.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel

from wangxin.protocol import answers, bodies, frames
from wangxin.protocol.close_codes import CloseCode

TARGET = Path(__file__).parents[2] / "frontend" / "src" / "shared" / "protocol.ts"
_HEAD = "// Made from wangxin/protocol by `python -m wangxin.protocol.typescript`. Never edited by hand."
_PLAIN = {"string": "string", "integer": "number", "number": "number", "boolean": "boolean", "null": "null"}


def _models(union: Any) -> tuple[type[BaseModel], ...]:
    """The members of an annotated, discriminated union."""
    return get_args(get_args(union)[0])


def _names() -> dict[str, str]:
    suffixed = ((frames.AnyFrame, "Frame"), (bodies.AnyBody, "Body"), (answers.AnyAnswer, "Answer"))
    return {model.__name__: model.__name__ + suffix for union, suffix in suffixed for model in _models(union)}


class _Writer:
    def __init__(self) -> None:
        self._names = _names()
        self.done: dict[str, str] = {}

    def type_of(self, schema: dict[str, Any]) -> str:
        if "$ref" in schema:
            name = str(schema["$ref"]).rsplit("/", 1)[1]
            return self._names.get(name, name)
        if "const" in schema:
            return json.dumps(schema["const"])
        if "enum" in schema:
            return " | ".join(json.dumps(value) for value in schema["enum"])
        for key in ("anyOf", "oneOf"):
            if key in schema:
                parts = dict.fromkeys(self.type_of(part) for part in schema[key])
                bodies_union = [f"{model.__name__}Body" for model in _models(bodies.AnyBody)]
                if set(bodies_union) <= set(parts):
                    parts = dict.fromkeys(["AnyBody", *(part for part in parts if part not in bodies_union)])
                return " | ".join(parts)
        match schema.get("type"):
            case "array":
                item = self.type_of(schema.get("items", {}))
                return f"({item})[]" if "|" in item else f"{item}[]"
            case "object":
                patterns = list(schema.get("patternProperties", {}).values())
                return f"Record<string, {self.type_of(patterns[0] if patterns else {})}>"
            case str(plain):
                return _PLAIN[plain]
        return "unknown"

    def interface(self, name: str, schema: dict[str, Any], *, reading: bool) -> str:
        lines = []
        if doc := schema.get("description"):
            lines.append(f"/** {re.sub(chr(96) * 2, chr(96), ' '.join(doc.split()))} */")
        lines.append(f"export interface {self._names.get(name, name)} {{")
        required = set(schema.get("required", ()))
        for field, about in schema["properties"].items():
            kind = self.type_of(about)
            absent = field not in required and "const" not in about
            if reading:
                absent = kind.endswith("null") or "null |" in kind
            if note := about.get("description"):
                lines.append(f"  /** {note} */")
            lines.append(f"  {field}{'?' if absent else ''}: {kind};")
        return "\n".join([*lines, "}"])

    def add(self, adapter: Any, *, reading: bool) -> None:
        schema = adapter.json_schema(mode="serialization" if reading else "validation")
        for name, definition in schema["$defs"].items():
            if name not in self.done and "properties" in definition:
                self.done[name] = self.interface(name, definition, reading=reading)


def _union(name: str, union: Any, suffix: str) -> str:
    members = "\n".join(f"  | {model.__name__}{suffix}" for model in _models(union))
    return f"export type {name} =\n{members};"


def source() -> str:
    """The whole file."""
    writer = _Writer()
    writer.add(bodies.BODY, reading=False)
    writer.add(frames.FRAME, reading=False)
    writer.add(answers.ANSWER, reading=True)
    codes = "\n".join(f"  {code.name}: {int(code)}," for code in CloseCode)
    parts = [
        _HEAD,
        *writer.done.values(),
        _union("AnyBody", bodies.AnyBody, "Body"),
        _union("AnyFrame", frames.AnyFrame, "Frame"),
        _union("AnyAnswer", answers.AnyAnswer, "Answer"),
        f"export const CLOSE = {{\n{codes}\n}} as const;",
    ]
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    TARGET.write_text(source(), encoding="utf-8")
