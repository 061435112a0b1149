"""Templates: printing and asking, and nothing of the rest of Jinja."""

from __future__ import annotations

import pytest

from records.errors import WordsError
from serving.templating import filled, names_used

# Each would read, call, loop or include something if templates were more than printing and asking.
HOSTILE = (
    "{{ ''.__class__ }}",
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{{ name.__class__ }}",
    "{{ name['__class__'] }}",
    "{{ name|attr('__class__') }}",
    "{{ name.__init__.__globals__ }}",
    "{{ request }}",
    "{{ config }}",
    "{{ self }}",
    "{{ self.__init__ }}",
    "{{ self._TemplateReference__context }}",
    "{{ cycler.__init__.__globals__.os }}",
    "{{ lipsum() }}",
    "{{ lipsum.__globals__['os'].popen('id').read() }}",
    "{{ joiner() }}",
    "{{ namespace(a=1) }}",
    "{{ dict(a=1) }}",
    "{{ range(10**9) }}",
    "{{ 'a' * 10**9 }}",
    "{{ 'a' ~ 'b' }}",
    "{{ 9 ** 9 ** 9 }}",
    "{{ 7*7 }}",
    "{{ '%s' % name }}",
    "{{ '{0.__class__}'.format(name) }}",
    "{{ ('{0.__class__}').format_map({}) }}",
    "{{ name.format() }}",
    "{{ name.replace('a','b') }}",
    "{{ name.delete() }}",
    "{{ name() }}",
    "{{ name[0] }}",
    "{{ name[1:] }}",
    "{{ name|upper }}",
    "{{ name|safe }}",
    "{{ name|map('upper') }}",
    "{{ name|selectattr('x') }}",
    "{{ name|default('x') }}",
    "{{ name|pprint }}",
    "{{ name|indent(10**9) }}",
    "{{ name|center(10**9) }}",
    "{{ name|format('x') }}",
    "{{ name|tojson }}",
    "{{ [1,2] }}",
    "{{ (1,2) }}",
    "{{ {'a':1} }}",
    "{{ name if name else 'x' }}",
    "{{ name == 'x' }}",
    "{{ name is defined }}",
    "{{ name in 'abc' }}",
    "{{ -1 }}",
    "{{ 'text' }}",
    "{{ 1 }}",
    "{{ true }}",
    "{{ name.x }}",
    "{% for i in name %}x{% endfor %}",
    "{% for i in range(9) recursive %}{{ loop(i) }}{% endfor %}",
    "{% set a = name %}",
    "{% set a %}x{% endset %}",
    "{% with a = 1 %}x{% endwith %}",
    "{% macro m() %}x{% endmacro %}",
    "{% call m() %}x{% endcall %}",
    "{% filter upper %}x{% endfilter %}",
    "{% include 'x' %}",
    "{% include name %}",
    "{% import 'x' as y %}",
    "{% from 'x' import y %}",
    "{% extends 'x' %}",
    "{% block b %}x{% endblock %}",
    "{% autoescape false %}{{ name }}{% endautoescape %}",
    "{% raw %}{{ name }}",
    "{% debug %}",
    "{% do name.x() %}",
    "{% if name == 'x' %}a{% endif %}",
    "{% if name.x %}a{% endif %}",
    "{% if name|length %}a{% endif %}",
    "{% if name() %}a{% endif %}",
    "{% if name is string %}a{% endif %}",
    "{% trans %}x{% endtrans %}",
    "{{ _('x') }}",
    "{{ }}",
    "{{ name",
    "{% if name %}",
    "{% endif %}",
    "{% unknown %}",
    "{{ name }} }} {{",
)


@pytest.mark.parametrize("source", HOSTILE)
def test_what_is_more_than_printing_and_asking_is_refused(source: str) -> None:
    with pytest.raises(WordsError) as caught:
        filled(source, {"name": "Sunita"}, "sms.en.txt")
    assert "sms.en.txt" in caught.value.message
    assert caught.value.remedy


@pytest.mark.parametrize("value", [h for h in HOSTILE if "name" not in h or "{" in h])
def test_the_same_text_as_a_value_stays_text(value: str) -> None:
    assert filled("Hello {{ name }}.", {"name": value}, "x") == f"Hello {value}."


def test_html_escapes_values_and_text_does_not() -> None:
    source = '<b title="{{ name }}">{{ name }}</b>'
    hostile = "\"'><script>&"
    assert filled(source, {"name": hostile}, "x") == f'<b title="{hostile}">{hostile}</b>'
    escaped = "&#34;&#39;&gt;&lt;script&gt;&amp;"
    assert filled(source, {"name": hostile}, "x", html=True) == f'<b title="{escaped}">{escaped}</b>'


def test_a_missing_name_is_an_error_and_not_an_empty_place() -> None:
    for source in ("{{ gone }}", "{% if gone %}x{% endif %}", "{% if not gone %}x{% endif %}"):
        with pytest.raises(WordsError, match="'gone' is undefined"):
            filled(source, {"name": "x"}, "sms.en.txt")


def test_asking_with_and_or_not_works() -> None:
    source = "{% if a and not b %}1{% elif a or b %}2{% else %}3{% endif %}"
    answers = [filled(source, {"a": a, "b": b}, "x") for a, b in (("y", ""), ("y", "y"), ("", "y"), ("", ""))]
    assert answers == ["1", "2", "2", "3"]


def test_names_are_found() -> None:
    assert names_used("{% if a %}{{ b }}{% elif not c %}x{% endif %}", "x") == {"a", "b", "c"}


def test_a_huge_template_is_refused() -> None:
    with pytest.raises(WordsError, match="too long"):
        names_used("x" * 200_001, "email.en.mjml")
