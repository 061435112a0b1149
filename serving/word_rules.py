"""Which words may not stand in a message, and why?

Each rule is a list of patterns over plain words (no tags, no template marks), per language. They catch what a program
can catch; a person still reads every message before it is published.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

DEVANAGARI = re.compile("[\u0904-\u0939\u0958-\u0961]")


@dataclass(frozen=True, kw_only=True)
class WordRule:
    """One thing that is not said, and what to do instead."""

    name: str
    patterns: tuple[str, ...]
    remedy: str
    language: str = ""  # empty: both
    unless_sells: bool = False  # allowed in a message that sells

    def found(self, text: str) -> str | None:
        """The first forbidden words in the text."""
        for pattern in self.patterns:
            hit = re.search(pattern, text, re.IGNORECASE)
            if hit:
                return hit[0]
        return None


def _english(words: str) -> str:
    """Whole English words, alternatives parted by a bar."""
    return rf"\b(?:{words})\b"


def _hindi(words: str) -> str:
    """Beginnings of Hindi words: \\b does not know that a matra belongs to its letter."""
    return f"(?<![\u0900-\u097f])(?:{words})"


# "आप" as the subject (not आपका, आपको, आपने) with a verb that says he or she.
ADDRESSED_BY_GENDER = (
    r"(?<![\u0900-\u097f])आप(?![\u0900-\u097f])(?!\s+(?:को|से|का|की|के|में|पर|ने)(?![\u0900-\u097f]))"
    r"[^।?\n:]{0,60}?(?:[तन]े|ती|रहे|रही|चुके|चुकी|गए|गई|पाए|पाई|एँगे|एँगी|ेंगे|ेंगी|ओगे|ओगी)"
    r"(?:\s+(?:हैं|हों|थे|थीं|होंगे|होंगी))?(?=[\s।,?]|$)"
)

RULES = (
    WordRule(
        name="urgency",
        patterns=(
            _english(
                "hurry|last chance|act (?:now|fast)|only (?:today|now|a few|[0-9]+ (?:left|hours?|days?))"
                "|(?:ends|expires?) (?:soon|today|tonight)|before it'?s too late|don'?t miss|immediately|urgent(?:ly)?"
                "|limited (?:time|stock|period)|while stocks? lasts?|final (?:notice|reminder|warning)"
                "|will be (?:disconnected|blocked|suspended)"
            ),
            _hindi(
                "जल्दी (?:करें|कीजिए)|फ़ौरन|तुरंत|आख़िरी मौका|सिर्फ़ आज|आज ही|मौका न (?:गँवाएँ|चूकें|छोड़ें)"
                "|सीमित (?:समय|स्टॉक)|स्टॉक ख़त्म होने|अंतिम (?:चेतावनी|सूचना)|(?:बंद|ब्लॉक) (?:कर दिया|हो) जाएगा"
            ),
        ),
        remedy="Say the real date, or nothing: no pressure.",
    ),
    WordRule(
        name="prediction",
        patterns=(
            r"\bwe (?:noticed|saw|see|think|believe|know|predict|expect)\b[^.]*\byou\b",
            _english(
                "may (?:leave|switch|cancel)|(?:lose|losing|miss(?:ed)?) you|at risk|churn|(?:come|welcome) back"
                "|thinking of leaving|our (?:system|model|data|records?) (?:shows?|says?|suggests?|predicts?)"
                "|haven'?t seen you"
            ),
            _hindi(
                "हमें लगता है|हमने देखा कि आप|खोना नहीं चाहते|छोड़कर (?:न|मत) जा|छोड़ने वाले|आपकी कमी|याद आ रही"
                "|वापस आ जा|अनुमान है कि आप"
            ),
        ),
        remedy="Write about the thing that happened, not about what we think of the person.",
    ),
    WordRule(
        name="short link",
        patterns=(
            r"\b(?:bit\.ly|tinyurl\.com|t\.co|goo\.gl|ow\.ly|is\.gd|cutt\.ly|rb\.gy|lnkd\.in|rebrand\.ly|shorturl\.at"
            r"|buff\.ly|t\.ly|tiny\.cc|s\.id|wa\.me|surl\.li|urlz\.fr|soo\.gd|clck\.ru)\b",
        ),
        remedy="Use {{ button_url }} or {{ link }}: people trust the company's own address.",
    ),
    WordRule(
        name="selling",
        unless_sells=True,
        patterns=(
            _english(
                "coupons?|discount(?:s|ed)?|offers?|sale|cash ?back|free|upgrade|buy (?:now|one|two)|deals?|rewards?"
                "|promo|shop now"
            ),
            r"(?:₹ ?\d[\d,]*|\d+ ?%) (?:off|less)\b",
            _hindi("कूपन|छूट|ऑफ़र|सेल(?![\u0900-\u097f])|डिस्काउंट|मुफ़्त|फ़्री|कैशबैक|इनाम|अपग्रेड|अभी ख़रीदें"),
            "₹ ?[0-9]+ (?:कम|बचाएँ|बचत)",
        ),
        remedy="Nothing is sold inside a bill, payment, apology or outage message: make it a message of its own.",
    ),
    WordRule(
        name="shouting",
        patterns=("!", _english("oops|simply|congratulations|exciting|awesome|amazing"), _hindi("बधाई हो|वाह")),
        remedy="Say it plainly, without exclamation marks and praise.",
    ),
    WordRule(
        name="gender",
        language="hi",
        patterns=(
            ADDRESSED_BY_GENDER,
            "[तर](?:ा|ी|हा|ही) हूँ",
            "(?:प्रिय|आदरणीय) (?:श्री|श्रीमती|महोदय|महोदया)",
            _hindi("(?:महोदय|महोदया|सर|मैडम)(?![\u0900-\u097f])"),
        ),
        remedy="Use कीजिए/करें, or make the thing the subject: nobody is taken for a man or a woman.",
    ),
    WordRule(
        name="gender",
        language="en",
        patterns=(_english("(?:dear )?(?:sir|madam|ma'am|mr|mrs|ms)|he|she|his|her|him"),),
        remedy="Use the name, or you.",
    ),
    WordRule(
        name="nuqta",
        language="hi",
        patterns=(
            _hindi(
                "ज्यादा|फोन|खरीद|खराब|खबर|तारीख(?!़)|माफ(?!़)|सिर्फ(?!़)|जरूर|रोज(?!़)|गलत|आखिर|ऑफर|मुफ्त|फायदा|अफसोस"
                "|बाजार|हफ्त|चीज(?!़)|साफ(?!़)|तरफ(?!़)|फरवरी|फाइबर|खत्म|खास"
            ),
        ),
        remedy="Write the dot: ज़्यादा, फ़ोन, ख़रीद, तारीख़, माफ़, ग़लत.",
    ),
    WordRule(
        name="stiff Hindi",
        language="hi",
        patterns=(
            "[०-९]",
            _hindi(
                "कृपया|सदस्यता समाप्त|प्राथमिकता|संचार|देय राशि|विगत|अवधि|प्राप्तकर्ता|प्रबंधित|क्लिक करें|उपभोक्ता"
                "|असुविधा के लिए खेद|हेतु|उपरोक्त|भुगतान"
            ),
        ),
        remedy="Write what people say: बिल, पेमेंट, मैसेज, करें; digits as 1, 2, 3.",
    ),
)

SECRETS = re.compile(
    r"\b(?:OTP|M?PIN|KYC|CVV|Aadhaar)\b|ओटीपी|केवाईसी|आधार नंबर|(?<![\u0900-\u097f])पिन(?![\u0900-\u097f])"
)
NEVER_ASKS = re.compile(r"\bnever asks?\b|कभी नहीं माँग")
SENTENCE = re.compile(r"[^.।?!\n]+[.।?!\n]?")
TAG = re.compile(r"<style.*?</style>|<mj-style>.*?</mj-style>|<mj-attributes>.*?</mj-attributes>|<[^>]*>", re.DOTALL)
TEMPLATE = re.compile(r"\{%.*?%\}|\{\{.*?\}\}", re.DOTALL)
LATIN_RUN = re.compile(r"(?:[A-Za-z][A-Za-z'’-]*[ ,]+){4,}[A-Za-z]+")


def plain_words(source: str) -> str:
    """The words of a template file: no tags; each template mark becomes a dash, so that words do not run together."""
    text = TAG.sub(" ", source)
    return unicodedata.normalize("NFC", TEMPLATE.sub("–", text)).replace("&nbsp;", " ")


def asks_for_secrets(text: str) -> str | None:
    """A sentence that speaks of OTP, PIN or KYC other than to say that we never ask for it."""
    for sentence in SENTENCE.findall(text):
        if SECRETS.search(sentence) and not NEVER_ASKS.search(sentence):
            return str(sentence.strip())
    return None


def wrong_language(text: str, language: str) -> str | None:
    """Words of the other language: an English sentence in Hindi words, or any Devanagari in English ones."""
    if language == "en":
        hit = DEVANAGARI.search(text)
        return text[hit.start() : hit.start() + 30] if hit else None
    run = LATIN_RUN.search(text)
    if run:
        return run[0]
    return None if DEVANAGARI.search(text) else text[:30] or "(empty)"
