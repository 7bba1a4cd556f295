"""Merchants' words with their variables filled: Liquid with limits, every variable with a default, and a fast path.

Variables are words (``name``, ``points``) or fields of the event (``event.amount``). A value that is absent or empty is
replaced by its default; a variable without default is refused when the rule is saved, so "您有 积分" cannot be sent.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache

from liquid import Environment, Mode, StrictUndefined
from liquid.exceptions import LiquidError

from push.model import Block, CardBlock, Content, MenuBlock, TextBlock
from wangxin.model import limits
from wangxin.model.refusals import Refusal

Values = Mapping[str, str | int]
Renderer = Callable[[Values], str]

VARIABLES = (
    "name", "level", "points", "balance", "city", "province", "orders_n", "spent", "shop", "benefit", "member_days",
)  # fmt: skip
_PLAIN = re.compile(r"\{\{\s*((?:event\.)?[a-z_][a-z0-9_]*)\s*\}\}")
# What could grow without bound inside one expression (replace, split, join, map …) is not offered.
_FILTERS = ("default", "upcase", "downcase", "capitalize", "truncate", "strip", "plus", "minus", "times", "divided_by",
            "modulo", "round", "floor", "ceil", "abs", "at_least", "at_most", "size", "append", "prepend")  # fmt: skip
_TAGS = ("if", "unless", "case", "assign", "comment", "raw", "content", "output", "illegal")


class RenderFailed(Exception):
    """This recipient's message cannot be made; the text says why."""


class _Environment(Environment):
    block_nesting_limit = 6
    context_depth_limit = 8
    loop_iteration_limit = 100
    local_namespace_limit = 20_000
    output_stream_limit = limits.TEMPLATE_OUTPUT_CHARS_MAX * 4


def _environment() -> _Environment:
    env = _Environment(tolerance=Mode.STRICT, undefined=StrictUndefined, strict_filters=True)
    env.filters = {name: env.filters[name] for name in _FILTERS if name in env.filters}
    kept = {name: tag for name, tag in env.tags.items() if name in _TAGS}
    env.tags = kept
    return env


_ENV = _environment()


@lru_cache(maxsize=4_096)
def compiled(template: str) -> Renderer:
    """A renderer for one template. Raises :class:`Refusal` ``template.syntax`` for what does not parse."""
    plain = _plain(template)
    if plain is not None:
        return plain
    try:
        bound = _ENV.from_string(template)
    except LiquidError as error:
        raise Refusal("template.syntax", str(error)) from error

    def render(values: Values) -> str:
        try:
            text = bound.render(**_nested(values))
        except (LiquidError, ArithmeticError, ValueError) as error:
            raise RenderFailed(str(error)) from error
        return _bounded(text)

    return render


def _plain(template: str) -> Renderer | None:
    """Text with plain outputs only: one join, no interpreter."""
    pieces = _PLAIN.split(template)
    if any("{{" in text or "{%" in text for text in pieces[::2]):
        return None

    def render(values: Values) -> str:
        try:
            return _bounded("".join(str(values[p]) if i % 2 else p for i, p in enumerate(pieces)))
        except KeyError as missing:
            raise RenderFailed(f"no value for {missing.args[0]}") from missing

    return render


def _bounded(text: str) -> str:
    if len(text) > limits.TEMPLATE_OUTPUT_CHARS_MAX:
        raise RenderFailed(f"longer than {limits.TEMPLATE_OUTPUT_CHARS_MAX} characters")
    return text


def _nested(values: Values) -> dict[str, object]:
    event = {name[6:]: value for name, value in values.items() if name.startswith("event.")}
    return {**{name: value for name, value in values.items() if "." not in name}, "event": event}


@lru_cache(maxsize=4_096)
def variables(template: str) -> frozenset[str]:
    """The variables a template reads, as ``word`` or ``event.word``."""
    if _plain(template) is not None:
        return frozenset(_PLAIN.findall(template))
    try:
        paths = _ENV.from_string(template).global_variable_segments()
    except LiquidError as error:
        raise Refusal("template.syntax", str(error)) from error
    return frozenset(".".join(str(segment) for segment in path) for path in paths)


def templates(blocks: Iterable[Block]) -> Iterable[str]:
    for block in blocks:
        match block:
            case TextBlock(text=text):
                yield text
            case MenuBlock(text=text):
                yield text
            case CardBlock(title=title, text=text):
                yield title
                if text:
                    yield text


def check(content: Content, at: str = "content") -> None:
    """Refusal ``template.syntax``, ``template.unknown`` or ``template.default_missing``, placed below ``at``."""
    for number, variant in enumerate(content.variants):
        for place, block in enumerate(variant.blocks):
            for template in templates([block]):
                _check(template, content, at, f"{at}.variants.{number}.blocks.{place}")


def _check(template: str, content: Content, at: str, block: str) -> None:
    try:
        names = sorted(variables(template))
        for name in names:
            if name not in VARIABLES and not name.startswith("event."):
                raise Refusal("template.unknown", f"there is no variable {name}", field=f"{at}.defaults.{name}")
            if name not in content.defaults:
                raise Refusal("template.default_missing", f"{name} needs a default", field=f"{at}.defaults.{name}")
        compiled(template)(dict(content.defaults))
    except Refusal as refusal:
        if refusal.code != "template.syntax":
            raise
        raise Refusal(refusal.code, refusal.detail, field=block) from refusal
    except RenderFailed as failure:
        raise Refusal("template.syntax", str(failure)[:200], field=block) from failure


def filled(values: Mapping[str, str | int | None], defaults: Mapping[str, str]) -> dict[str, str | int]:
    """``values`` with defaults where a value is absent or empty."""
    whole: dict[str, str | int] = dict(defaults)
    whole.update({name: value for name, value in values.items() if value is not None and value != ""})
    return whole
