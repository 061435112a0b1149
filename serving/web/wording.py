"""What do we call a reason, a state, a topic or a channel on the screens?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from markupsafe import Markup, escape

from serving.left_out import REASONS
from serving.web.language import Language


def left_out_words(code: str, language: Language) -> Markup:
    """Why somebody was left out: "have an open complaint"."""
    found = REASONS.get(code)
    return escape((found.hi if language.code == "hi" else found.en) if found else code.replace("_", " "))


def left_out_one(code: str, language: Language) -> Markup:
    """The same of one person: "Has an open complaint" in Hindi, where the words for many do not fit one."""
    found = REASONS.get(code)
    return escape(found.hi_one) if found and language.code == "hi" else left_out_words(code, language)


def state_words(state: str, language: Language) -> Markup:
    """In which state an outreach is: "May or may not have arrived"."""
    return language.either(f"states.{state}", state)


def topic_words(topic: str, language: Language) -> Markup:
    """What a customer is likely to ask about: "Bill and charges"."""
    return language.either(f"topics.{topic}", topic.replace("_", " ").capitalize())


def channel_words(channel: str, language: Language) -> Markup:
    """WhatsApp, E-mail, SMS"""
    return language.either(f"channels.{channel}", channel)


def reason_sentence(reason: Mapping[str, Any], language: Language) -> str:
    """One reason of a score in the reader's language."""
    return str(reason.get(language.code) or reason.get("en") or "")
