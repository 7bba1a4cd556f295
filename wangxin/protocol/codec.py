"""Bytes to frames. Everything odd becomes a refusal with a stable code; nothing odd passes."""

from __future__ import annotations

from pydantic import ValidationError

from wangxin.model import limits
from wangxin.model.refusals import Refusal
from wangxin.protocol.frames import FRAME, AnyFrame

_TOO_LONG = {"string_too_long": "message.too_long", "too_long": "frame.too_many_items"}


def _depth(raw: bytes) -> int:
    """How deep brackets nest outside strings; stops counting once past the limit."""
    depth = deepest = 0
    in_string = escaped = False
    for byte in raw:
        if in_string:
            if escaped:
                escaped = False
            elif byte == 0x5C:
                escaped = True
            elif byte == 0x22:
                in_string = False
        elif byte == 0x22:
            in_string = True
        elif byte in (0x7B, 0x5B):
            depth += 1
            deepest = max(deepest, depth)
            if deepest > limits.JSON_DEPTH_MAX:
                return deepest
        elif byte in (0x7D, 0x5D):
            depth -= 1
    return deepest


def decode(raw: bytes) -> AnyFrame:
    """One frame from one websocket text message.

    Raises Refusal: ``frame.not_json``, ``frame.too_deep``, ``frame.unknown_type``, ``frame.unknown_field``,
    ``frame.missing_field``, ``message.too_long``, ``frame.bad_text`` or ``frame.bad_field``.
    """
    try:
        return FRAME.validate_json(raw)
    except ValidationError as why:
        # Only a frame that failed is looked at closely: the good ones stay cheap.
        if raw.count(b"{") + raw.count(b"[") > limits.JSON_DEPTH_MAX and _depth(raw) > limits.JSON_DEPTH_MAX:
            raise Refusal("frame.too_deep", f"brackets nest deeper than {limits.JSON_DEPTH_MAX}") from None
        problems = why.errors(include_url=False, include_context=False, include_input=False)
        problem = problems[0]
        kind = problem["type"]
        field = ".".join(str(part) for part in problem["loc"])[:200]
        if kind == "json_invalid":
            code = "frame.not_json"
        elif kind in ("union_tag_invalid", "union_tag_not_found"):
            code = "frame.unknown_type" if len(problem["loc"]) == 0 else "message.unknown_kind"
        elif kind == "extra_forbidden":
            code = "frame.unknown_field"
        elif kind == "missing":
            code = "frame.missing_field"
        elif kind in _TOO_LONG:
            code = _TOO_LONG[kind]
        elif kind == "value_error" or kind.startswith("string_unicode"):
            code = "frame.bad_text"
        else:
            code = "frame.bad_field"
        raise Refusal(code, problem["msg"][:200], field=field) from None
