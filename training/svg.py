"""How is a drawing written? One SVG element at a time, every value escaped."""

from __future__ import annotations

from markupsafe import Markup, escape


def element(name: str, *children: str | Markup, **attributes: object) -> Markup:
    """One SVG element; values are escaped, `_` in a name stands for `-`, None leaves an attribute away.

    >>> element("text", "a < b", x=12.5, class_="strong")
    Markup('<text x="12.5" class="strong">a &lt; b</text>')
    """
    written = Markup("").join(
        Markup(' {}="{}"').format(key.rstrip("_").replace("_", "-"), _short(value))
        for key, value in attributes.items()
        if value is not None
    )
    inside = Markup("").join(escape(child) for child in children)
    return Markup("<{}{}>{}</{}>").format(name, written, inside, name)


def _short(value: object) -> object:
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else value
