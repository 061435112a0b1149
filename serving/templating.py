"""How do words become text without customer data ever becoming code?

Templates may print a variable and ask whether one is there: `{{ name }}`, `{% if name %}…{% elif … %}…{% else %}…{%
endif %}` with `not`, `and`, `or`. Nothing else of Jinja passes: the sandbox alone would still let a template call
methods of objects, loop for ever or read attributes. Values are plain strings, never parsed as a template; an unknown
name is an error.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from jinja2 import StrictUndefined, Template, TemplateSyntaxError, UndefinedError, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

from records.errors import WordsError

ALLOWED = (nodes.Template, nodes.Output, nodes.TemplateData, nodes.Name, nodes.If, nodes.Not, nodes.And, nodes.Or)
# Names Jinja itself gives a meaning; a template could print its own insides with them.
RESERVED = frozenset({"self", "super", "loop", "caller", "varargs", "kwargs"})
LIMIT_CHARACTERS = 200_000


@cache
def _environment(html: bool) -> ImmutableSandboxedEnvironment:
    environment = ImmutableSandboxedEnvironment(
        autoescape=html, undefined=StrictUndefined, keep_trailing_newline=True, trim_blocks=not html, cache_size=0
    )
    environment.globals.clear()
    environment.filters.clear()
    environment.tests.clear()
    return environment


def names_used(source: str, where: str) -> set[str]:
    """Which variables does a template use? Raises WordsError for anything but printing and asking."""
    if len(source) > LIMIT_CHARACTERS:
        raise WordsError(f"{where} is too long.", remedy=f"At most {LIMIT_CHARACTERS} characters.", rule="template")
    try:
        tree = _environment(False).parse(source)
    except (TemplateSyntaxError, RecursionError) as error:
        raise WordsError(
            f"{where} cannot be read as a template: {error}.",
            remedy="Use {{ name }} and {% if name %}…{% endif %} only.",
            file=where,
            rule="template",
        ) from error
    names: set[str] = set()
    for node in [tree, *tree.find_all(nodes.Node)]:
        reserved = isinstance(node, nodes.Name) and node.name in RESERVED
        if reserved or not isinstance(node, ALLOWED):
            what = "a name of Jinja's own" if reserved else type(node).__name__
            raise WordsError(
                f"{where}, line {node.lineno}: {what} is not allowed in words.",
                remedy="Use {{ name }} and {% if name %}…{% endif %} only.",
                file=where,
                rule="template",
            )
        if isinstance(node, nodes.Name):
            names.add(node.name)
    return names


@cache
def compiled(source: str, html: bool, where: str) -> Template:
    """The template, checked and compiled once."""
    names_used(source, where)
    return _environment(html).from_string(source)


def filled(source: str, values: Mapping[str, str], where: str, *, html: bool = False) -> str:
    """The words with the values in them. Raises WordsError naming a variable that is missing."""
    template = compiled(source, html, where)
    try:
        return template.render(values)
    except UndefinedError as error:
        raise WordsError(
            f"{where}: {error}.", remedy="Declare it in meta.toml and give it a value.", file=where, rule="variables"
        ) from error
