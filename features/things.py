"""What can be counted, and how is it called in English and in spoken Hindi?"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Thing:
    """Something that can be counted, in both languages."""

    one: str
    many: str
    hi_one: str
    hi_many: str
    hi_none: str = ""  # "none of it", where "कोई … नहीं" does not do
    hi_last: str = "पिछला"  # पिछली for what is feminine


ACTIVITY = Thing("activity", "activities", "गतिविधि", "गतिविधियां", hi_last="पिछली")
BILL_PAGE = Thing("bill page view", "bill page views", "बार बिल पेज देखा", "बार बिल पेज देखा", "बिल पेज एक बार भी नहीं देखा")
CANCEL_PAGE = Thing(
    "cancel page view", "cancel page views", "बार बंद करने का पेज देखा", "बार बंद करने का पेज देखा", "बंद करने का पेज नहीं देखा"
)
DELIVERY = Thing("delivery", "deliveries", "डिलीवरी", "डिलीवरी", hi_last="पिछली")
FAILED_PAYMENT = Thing("failed payment", "failed payments", "पेमेंट फ़ेल", "पेमेंट फ़ेल")
HELP_PAGE = Thing("help page view", "help page views", "बार हेल्प पेज देखा", "बार हेल्प पेज देखा", "हेल्प पेज एक बार भी नहीं देखा")
INCIDENT = Thing(
    "outage in their area", "outages in their area", "बार इलाक़े में सेवा बंद", "बार इलाक़े में सेवा बंद", "इलाक़े में सेवा बंद नहीं हुई"
)
ITEM = Thing("item ordered", "items ordered", "चीज़ का ऑर्डर", "चीज़ों का ऑर्डर", "कुछ ऑर्डर नहीं किया")
LATE_DELIVERY = Thing("late delivery", "late deliveries", "डिलीवरी देर से", "डिलीवरी देर से")
LOW_RATING = Thing("low rating", "low ratings", "कम रेटिंग", "कम रेटिंग", hi_last="पिछली")
MENTION = Thing("public mention", "public mentions", "सोशल पोस्ट", "सोशल पोस्ट")
MESSAGE = Thing("message from us", "messages from us", "मैसेज हमारी ओर से", "मैसेज हमारी ओर से", "हमारा कोई मैसेज नहीं")
MISSING_ITEM = Thing("missing item", "missing items", "चीज़ कम मिली", "चीज़ें कम मिलीं", "कोई चीज़ कम नहीं मिली")
ORDER = Thing("order", "orders", "ऑर्डर", "ऑर्डर")
PLAN_CHANGE = Thing("plan change", "plan changes", "बार प्लान बदला", "बार प्लान बदला", "प्लान नहीं बदला")
PLAN_PAGE = Thing(
    "plan page view", "plan page views", "बार प्लान पेज देखा", "बार प्लान पेज देखा", "प्लान पेज एक बार भी नहीं देखा"
)
PRODUCT = Thing("product bought", "products bought", "प्रोडक्ट ख़रीदा", "प्रोडक्ट ख़रीदे", "कोई प्रोडक्ट नहीं ख़रीदा")
REFUND = Thing("refund", "refunds", "रिफ़ंड", "रिफ़ंड")
SEVERE_TICKET = Thing("serious ticket", "serious tickets", "गंभीर टिकट", "गंभीर टिकट")
TICKET = Thing("support ticket", "support tickets", "सपोर्ट टिकट", "सपोर्ट टिकट")
UNHAPPY_TEXT = Thing("unhappy message", "unhappy messages", "नाराज़ मैसेज", "नाराज़ मैसेज")
VISIT = Thing("visit", "visits", "विज़िट", "विज़िट", hi_last="पिछली")
WISH = Thing(
    "wish-list product", "wish-list products", "प्रोडक्ट विश लिस्ट में", "प्रोडक्ट विश लिस्ट में", "विश लिस्ट में कुछ नया नहीं"
)
