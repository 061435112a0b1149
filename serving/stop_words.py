"""Does this answer ask us to stop writing? English, Hindi in Devanagari, and Hindi in Latin letters.

Three answers: "stop" (act at once), "unsure" (a word of stopping is in it, but it may mean something else: a person
must read it), "no". बंद alone stops us; "बंद हो गया मेरा नेट" tells of a broken line. Guessing wrong either way is bad: so
whole short messages and clear phrases stop, and every other mention is read by a person.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Literal

Meaning = Literal["stop", "unsure", "no"]

# The whole message, after politeness is taken away, is one of these.
_WHOLE = {
    # English; the first two lines are what regulators list
    "stop", "quit", "end", "revoke", "opt out", "optout", "cancel", "unsubscribe", "stopall", "stop all",
    "stop promo", "stop promotions", "unsubscribe all", "do not disturb", "dnd",
    "unsub", "remove me", "stop it", "stop this", "stop that", "go away", "leave me alone", "no more", "no messages",
    "no thanks stop", "spam", "stop offers", "no offers", "i want to stop", "i want to opt out",
    # Hindi
    "बंद", "बंद करो", "बंद करें", "बंद करे", "बंद कर दो", "बंद कर दें", "बंद कीजिए", "बंद कर दीजिए", "सब बंद करो",
    "रोको", "रोकें", "रोके", "रोक दो", "रोक दें", "रोकिए", "रोक दीजिए", "मत भेजो", "मत भेजें", "मत भेजिए", "मत भेजना",
    "न भेजें", "ना भेजें", "स्टॉप", "स्टाप", "परेशान मत करो", "तंग मत करो",
    # Hindi in Latin letters
    "band", "bandh", "band karo", "band kro", "band kar do", "band kardo", "band krdo", "band kare", "band karein",
    "band kijiye", "band kar dijiye", "roko", "rok do", "rokiye", "rokein", "mat bhejo", "mat bhejna", "mat bhejiye",
    "mat bheje", "mat bhejein", "mt bhejo", "pareshan mat karo", "tang mat karo",
}  # fmt: skip
_POLITE = {
    "please", "pls", "plz", "plzz", "kindly", "ok", "okay", "sir", "madam", "mam", "maam", "thanks", "thank", "you",
    "just", "hi", "hello", "hey", "now", "immediately", "asap", "jaldi", "abhi", "bhai", "bhaiya", "ji", "yaar", "yar",
    "कृपया", "प्लीज", "अभी", "भाई", "जी", "सर", "मैडम", "धन्यवाद", "नमस्ते", "तुरंत", "जल्दी", "saral", "सरल", "thx",
    "को", "ko", "mujhe", "muje", "मुझे", "हमें",
}  # fmt: skip

_EN = r"(?:messag\w*|msgs?|texts?|texting|sms|e ?mails?|emailing|mails?|whats ?apps?|offers?|ads?|promo\w*|spam\w*)"
_HI = (
    r"(?:मैसेज\w*|मेसेज\w*|मेसज\w*|संदेश\w*|सन्देश\w*|एसएमएस|एस एम एस|ईमेल\w*|ई मेल|मेल|"
    r"व्हाट्सएप\w*|वाट्सएप\w*|ऑफर\w*|आफर\w*|विज्ञापन\w*)"
)
_LATIN = r"(?:messages?|msgs?|mesage|sms|mails?|e ?mails?|whatsapp|offers?|ads?|spam)"
_DO_NOT = r"(?:do not|dont|never|no longer)\s+(?:ever\s+)?"
_WRITE = r"(?:text|message|msg|email|mail|contact|write|whatsapp|sms|spam|bother)(?:ing)?"
_HI_STOP = r"(?:करो|करें|करे|कर\s*दो|कर\s*दें|कर\s*दीजिए|कीजिए|करिए|करवा\w*|हो\s+जाए)"
_LATIN_STOP = r"(?:karo|kro|kar\s*do|krdo|kardo|kare|karein|kijiye|kar\s*dijiye)"
_PHRASES = [
    re.compile(pattern)
    for pattern in (
        # English
        r"\b(?:stop|quit|cease)\s+(?:sending|texting|messaging|emailing|mailing|writing|contacting|spamming|bothering)\b",
        rf"\bstop\s+(?:all\s+|the\s+|these\s+|those\s+|your\s+|any\s+)*{_EN}\b",
        rf"\b{_DO_NOT}{_WRITE}\s*(?:to\s+)?(?:me|us|again|any ?more|please|$)",
        # "do not send the router" is about a router
        rf"\b{_DO_NOT}send\s*(?:me\s*|us\s*)?(?:any\s+|more\s+|these\s+|such\s+|your\s+)*(?:{_EN}\b|again|any ?more|$)",
        rf"\bno more\s+(?:of\s+)?(?:these\s+|your\s+)*{_EN}\b",
        r"\b(?:unsubscribe|opt)\s+(?:me|us)\b|\bopt(?:ing)?\s+(?:me\s+)?out\b|\bunsubscribe\s+from\b",
        r"\b(?:want|like|wish) to unsubscribe\b",
        r"\b(?:remove|delete|take)\s+(?:me|my (?:number|no|email|mobile|phone|name))\s+(?:from|off|out)\b",
        rf"\b(?:do not|dont)\s+want\s+(?:any\s+|your\s+|these\s+|more\s+|to (?:get|receive)\s+)*{_EN}\b",
        # Hindi
        rf"{_HI}\s+(?:भेजना\s+|करना\s+|आना\s+)?(?:बंद|बन्द)\s*{_HI_STOP}",
        rf"{_HI}\s+(?:मुझे\s+|हमें\s+)?(?:मत|न|ना|नहीं)\s+(?:भेज\w*|कर\w*|चाहिए)",
        rf"(?:मत|न|ना)\s+(?:भेजो|भेजें|भेजिए|भेजा\s+करो|भेजना)\s+{_HI}",
        r"(?:^|\s)(?:अब|आगे से|दोबारा|दुबारा|और)\s+(?:मुझे\s+)?(?:मत|न|ना)\s+(?:भेजो|भेजें|भेजिए|भेजना)",
        rf"(?:नहीं|नही)\s+चाहिए\s+(?:आपके\s+|आपका\s+|ये\s+|यह\s+|कोई\s+)*{_HI}",
        r"मेरा\s+(?:नंबर|नम्बर|ईमेल)\s+(?:हटा\w*|निकाल\w*)",
        # Hindi in Latin letters
        rf"\b{_LATIN}\s+(?:bhejna\s+|karna\s+|aana\s+)?band[h]?\s*{_LATIN_STOP}\b",
        rf"\b{_LATIN}\s+(?:mujhe\s+)?(?:mat|mt|na|nahi|nahin|nhi)\s+(?:bhej\w*|kar\w*|kro|chahiye)\b",
        rf"\b(?:mat|mt|na)\s+bhej\w*\s+(?:mujhe\s+)?{_LATIN}\b",
        r"\b(?:ab|aage se|dobara|aur)\s+(?:mujhe\s+)?(?:mat|mt|na)\s+bhej\w*\b",
        rf"\b(?:nahi|nahin|nhi)\s+chahiye\s+(?:aapke\s+|ye\s+|koi\s+)*{_LATIN}\b",
        r"\bmera\s+(?:number|no|email)\s+(?:hata\w*|nikal\w*)\b",
    )
]
# "don't stop", "bandh mat karo": the opposite of what the words alone say.
_NEGATED = re.compile(
    r"\b(?:do not|dont|never|wont|didnt|cannot|cant|not)\s+(?:\w+\s+)?(?:stop|unsubscribe|cancel|quit|opt)"
    r"|\bno need to\s+(?:stop|unsubscribe|cancel)"
    r"|(?:बंद|बन्द)\s+(?:मत|न|ना|नहीं)\s+कर|मत\s+रोक|(?:मैसेज\w*\s+)?भेजते\s+रह"
    r"|\bbandh?\s+(?:mat|mt|na|nahi)\s+kar|\b(?:mat|mt)\s+rok|\bbhejte\s+rah"
)
# Any of these in a text that is not clear: a person reads it.
_MENTION = re.compile(
    r"\b(?:stop\w*|quit\w*|unsub\w*|opt(?:ed|ing)?\s*out|cancel\w*|revoke\w*|remove\s+me|spam\w*|harass\w*|complain\w*|"
    r"do not|dont|never|not interested|bandh?|roko|rok|mat|mt|hatao|pareshan|n(?:ahi|ahin|hi) chahiye|enough|"
    r"trai|dnd|lawyer|consumer court)\b"
    r"|बंद|बन्द|रोक|मत\s|हटा|परेशान|(?:नहीं|नही) चाहिए|बस कर|शिकायत|उपभोक्ता"
)


def meaning(text: str) -> Meaning:
    """What an answer asks for.

    >>> meaning("STOP!!"), meaning("बंद करो जी"), meaning("बंद हो गया मेरा नेट"), meaning("thank you, works now")
    ('stop', 'stop', 'unsure', 'no')
    """
    plain = normal(text)
    if not plain:
        return "no"
    if _NEGATED.search(plain):
        return "unsure"
    words = plain.split()
    rest = " ".join(word for word in words if word not in _POLITE)
    if plain in _WHOLE or rest in _WHOLE or _doubled(words):
        return "stop"
    if any(phrase.search(plain) for phrase in _PHRASES):
        return "stop"
    return "unsure" if _MENTION.search(plain) else "no"


def normal(text: str) -> str:
    """Lower case, one form per letter, no punctuation or invisible characters, single blanks.

    Nuqtas go (प्लीज़ is प्लीज), full-width letters become plain, three and more of one letter become one.
    """
    folded = unicodedata.normalize("NFKD", text).casefold()
    kept = "".join(
        character
        for character in folded
        # Combining Latin accents and the nuqta go; Devanagari vowel signs (Mc, Mn) stay.
        if character != "\u093c" and not ("\u0300" <= character <= "\u036f")
    )
    kept = unicodedata.normalize("NFC", kept).replace("'", "").replace("’", "").replace("ँ", "ं")
    kept = re.sub(r"[\u200b-\u200f\u2060\ufeff]", "", kept)
    kept = re.sub(r"[^\w\s\u0900-\u0963\u0966-\u097f]|_", " ", kept)
    kept = re.sub(r"([a-z])\1{2,}", r"\1", kept)
    return " ".join(kept.split())


def _doubled(words: list[str]) -> bool:
    """ "stop stop stop" """
    return len(set(words)) == 1 and words[0] in _WHOLE
