"""Can everybody read the screens, in both themes? The numbers are those the look was decided with."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

PAGES = Path(__file__).resolve().parents[1] / "templates" / "pages"
WEB = Path(__file__).resolve().parents[1] / "serving" / "web"
TOKEN = re.compile(r"--([a-z0-9-]+): light-dark\((#[0-9A-F]{6}), (#[0-9A-F]{6})\)")
TOKENS = {name: (light, dark) for name, light, dark in TOKEN.findall((PAGES / "tokens.css").read_text())}
THEMES = {"light": 0, "dark": 1}
HEX = re.compile(r"#[0-9a-fA-F]{3,8}\b(?![\w-])")


def luminance(colour: str) -> float:
    """Relative luminance by WCAG 2."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def picked(theme: int) -> str:
    """A selected row: 38 % of the wash over the sheet."""
    wash, sheet = TOKENS["neel-wash"][theme], TOKENS["sheet"][theme]
    parts = [
        round(0.38 * int(wash[place : place + 2], 16) + 0.62 * int(sheet[place : place + 2], 16)) for place in (1, 3, 5)
    ]
    return "#" + "".join(f"{part:02X}" for part in parts)


# token, ground, contrast in the light theme, in the dark theme
DECIDED = (
    ("edge", "neel-wash", 3.33, 3.78),
    ("edge", "sheet", 4.01, 4.64),
    ("ink", "neel-wash", 14.40, 11.93),
    ("ink", "sheet", 17.34, 14.65),
    ("ink2", "neel-wash", 7.48, 7.81),
    ("ink2", "sheet", 9.01, 9.59),
    ("ink3", "neel-wash", 5.15, 5.30),
    ("ink3", "sheet", 6.20, 6.51),
    ("neel", "neel-wash", 7.71, 7.46),
    ("neel", "sheet", 9.29, 9.16),
    ("on-neel", "neel-fill", 9.29, 9.37),
    ("on-neel", "neel-hover", 12.27, 11.62),
)


@pytest.mark.parametrize(("token", "ground", "light", "dark"), DECIDED)
def test_contrast_is_what_was_decided(token: str, ground: str, light: float, dark: float) -> None:
    assert round(contrast(TOKENS[token][0], TOKENS[ground][0]), 2) == pytest.approx(light, abs=0.02)
    assert round(contrast(TOKENS[token][1], TOKENS[ground][1]), 2) == pytest.approx(dark, abs=0.02)


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("ground", ["paper", "sheet", "well", "neel-wash", "picked"])
@pytest.mark.parametrize("text", ["ink", "ink2", "ink3", "neel"])
def test_text_reads_on_every_ground(text: str, ground: str, theme: str) -> None:
    number = THEMES[theme]
    under = picked(number) if ground == "picked" else TOKENS[ground][number]
    assert contrast(TOKENS[text][number], under) >= 4.5


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize(("text", "wash"), [("ok", "ok-wash"), ("warn", "warn-wash"), ("bad", "bad-wash")])
def test_a_note_reads_on_its_own_wash(text: str, wash: str, theme: str) -> None:
    number = THEMES[theme]
    assert contrast(TOKENS[text][number], TOKENS[wash][number]) >= 4.5
    assert contrast(TOKENS["ink"][number], TOKENS[wash][number]) >= 4.5


@pytest.mark.parametrize("theme", THEMES)
def test_risk_bands_are_told_apart_by_lightness(theme: str) -> None:
    number = THEMES[theme]
    sheet = TOKENS["sheet"][number]
    high, medium, low = (contrast(TOKENS[band][number], sheet) for band in ("high", "medium", "low"))
    assert high > medium >= 3.39 - 0.02
    assert medium > low


def test_operable_borders_are_seen_on_every_ground() -> None:
    for number in THEMES.values():
        for ground in ("paper", "sheet", "neel-wash"):
            assert contrast(TOKENS["edge"][number], TOKENS[ground][number]) >= 3.0


def colours_written_out(text: str) -> list[str]:
    """Colours given as a value instead of a token; anchors and entities are not colours."""
    return list(HEX.findall(re.sub(r"&#\w+;|href=\"#[\w-]+\"|url\(#\w+\)", "", text)))


@pytest.mark.parametrize("file", sorted(PAGES.glob("*.html")), ids=lambda file: file.name)
def test_no_template_names_a_colour(file: Path) -> None:
    assert colours_written_out(file.read_text()) == []


@pytest.mark.parametrize("file", sorted(WEB.glob("*.py")), ids=lambda file: file.name)
def test_no_chart_names_a_colour(file: Path) -> None:
    assert colours_written_out(file.read_text()) == []


@pytest.mark.parametrize("name", ["page.css", "list.css", "screens.css"])
def test_stylesheets_take_colours_from_the_tokens(name: str) -> None:
    assert colours_written_out((PAGES / name).read_text()) == []


def test_every_token_used_is_defined() -> None:
    defined = set(re.findall(r"--([a-z0-9-]+):", (PAGES / "tokens.css").read_text()))
    for file in [*PAGES.glob("*.css"), *PAGES.glob("*.html"), *WEB.glob("*.py")]:
        used = set(re.findall(r"var\(--([a-z0-9-]+)\)", file.read_text()))
        assert used - defined <= {"{band}", "{colour}"}, file.name


def test_no_page_carries_style_or_script_of_its_own() -> None:
    for file in PAGES.glob("*.html"):
        text = file.read_text()
        assert 'style="' not in text, file.name
        assert not re.search(r"\son[a-z]+=", text), file.name
        assert not re.search(r"<script(?! src=)", text), file.name
