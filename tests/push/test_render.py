"""Merchants' templates: defaults, limits, and a fast path that says the same."""

from __future__ import annotations

import pytest

from push import render
from push.model import Content
from wangxin.model.refusals import Refusal


def content(text: str, **defaults: str) -> Content:
    return Content.model_validate(
        {"variants": [{"id": "a", "blocks": [{"k": "text", "text": text}]}], "defaults": defaults}
    )


def test_a_variable_without_default_is_refused() -> None:
    with pytest.raises(Refusal, match=r"template\.default_missing"):
        render.check(content("您有 {{ points }} 积分"))
    render.check(content("您有 {{ points }} 积分", points="0"))


def test_an_unknown_variable_and_a_broken_template_are_refused() -> None:
    with pytest.raises(Refusal, match=r"template\.unknown"):
        render.check(content("{{ password }}", password="x"))
    with pytest.raises(Refusal, match=r"template\.syntax"):
        render.check(content("{% if points %}"))


def test_an_absent_or_empty_value_gives_way_to_its_default() -> None:
    values = render.filled({"name": "", "points": None, "city": "杭州"}, {"name": "亲", "points": "0", "city": "x"})
    assert render.compiled("{{ name }}{{ points }}{{ city }}")(values) == "亲0杭州"


@pytest.mark.parametrize("text", ["您好 {{ name }}，{{event.amount}} 元", "无变量", "{{ name }}{{ name }}"])
def test_the_fast_path_says_what_liquid_says(text: str) -> None:
    values = {"name": "<林晓> & 'x'", "event.amount": 12}
    slow = render.compiled("{% if true %}{% endif %}" + text)
    assert render.compiled(text)(values) == slow(values)


@pytest.mark.parametrize(
    "attack",
    [
        "{% for i in (1..999999999) %}x{% endfor %}",
        "{{ name | replace: 'a', 'aaaaaaaaaaaa' }}",
        "{% include 'secret' %}",
        "{% assign a = 'xxxxxxxxxxxxxxxx' %}" + "{% assign a = a | append: a %}" * 30 + "{{ a }}",
        "{{ name.__class__ }}",
    ],
)
def test_an_attack_is_refused_or_fails_for_that_message_alone(attack: str) -> None:
    with pytest.raises((Refusal, render.RenderFailed)):
        render.compiled(attack)({"name": "aaaa"})


def test_a_message_that_becomes_too_long_fails() -> None:
    with pytest.raises(render.RenderFailed):
        render.compiled("{{ name }}")({"name": "x" * 5_000})
