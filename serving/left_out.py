"""Why was somebody left out, in words for the screens, and what would mend it?"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Reason:
    """One reason. `en` and `hi` follow a number ("96 heard from us lately"), `hi_one` is said of one person.

    `mend` is for whoever runs Pehle; where a command or a setting mends it, it names it.
    """

    en: str
    hi: str
    hi_one: str
    mend: str
    mend_hi: str


REASONS: Mapping[str, Reason] = {
    "heard_from_us": Reason(
        en="heard from us a short while ago",
        hi="लोगों को हाल ही में मैसेज गया है",
        hi_one="हाल ही में मैसेज गया है",
        mend="They come back by themselves, when the days the playbook sets are over.",
        mend_hi="कुछ दिनों में ये अपने आप फिर सूची में आएँगे।",
    ),
    "do_not_contact": Reason(
        en="asked us not to write",
        hi="लोगों ने मैसेज भेजने से मना किया है",
        hi_one="मैसेज भेजने से मना किया है",
        mend="Nothing to mend: they decided so.",
        mend_hi="कुछ नहीं करना: यह उनका फ़ैसला है।",
    ),
    "no_consent": Reason(
        en="did not agree to be written to about this",
        hi="लोगों ने इस बारे में मैसेज की सहमति नहीं दी",
        hi_one="इस बारे में मैसेज की सहमति नहीं दी",
        mend="Import what they agreed to: `pehle import customers FILE`.",
        mend_hi="उनकी सहमति जोड़िए: `pehle import customers FILE`।",
    ),
    "open_complaint": Reason(
        en="have an open complaint",
        hi="लोगों की शिकायत अभी खुली है",
        hi_one="शिकायत अभी खुली है",
        mend="Solve their cases, import the events (`pehle import events FILE`), then `pehle plan`.",
        mend_hi="उनके मामले सुलझाइए, फिर डेटा जोड़िए (`pehle import events FILE`) और `pehle plan` चलाइए।",
    ),
    "just_escalated": Reason(
        en="have just escalated: people are already helping",
        hi="लोगों का मामला अभी ऊपर गया है, टीम मदद कर रही है",
        hi_one="मामला अभी ऊपर गया है, टीम मदद कर रही है",
        mend="Nothing to mend: they come back when their case has rested.",
        mend_hi="कुछ नहीं करना: मामला शांत होने पर ये फिर सूची में आएँगे।",
    ),
    "not_sure": Reason(
        en="may ask for help, but it is not sure enough with what",
        hi="लोगों को मदद लग सकती है, पर किस बात में, यह पक्का नहीं",
        hi_one="मदद लग सकती है, पर किस बात में, यह पक्का नहीं",
        mend="They come when the signs are clearer: a wrong tutorial helps nobody.",
        mend_hi="संकेत साफ़ होने पर ये सूची में आएँगे: ग़लत बात बताने से किसी को मदद नहीं मिलती।",
    ),
    "no_address": Reason(
        en="have no address we may use",
        hi="लोगों का कोई पता या नंबर हमारे पास नहीं",
        hi_one="कोई पता या नंबर हमारे पास नहीं",
        mend="Import e-mail addresses or numbers: `pehle import customers FILE`.",
        mend_hi="ई-मेल या नंबर जोड़िए: `pehle import customers FILE`।",
    ),
    "over_budget": Reason(
        en="would cost more than what is left of the budget",
        hi="लोगों के लिए बजट नहीं बचा",
        hi_one="बजट नहीं बचा",
        mend="Raise `budget_minor` under [planning] in pehle.toml, then `pehle plan`.",
        mend_hi="pehle.toml के [planning] में `budget_minor` बढ़ाइए, फिर `pehle plan` चलाइए।",
    ),
    "already_planned": Reason(
        en="are on a list already, for this or another message",
        hi="लोग पहले से किसी सूची में हैं",
        hi_one="पहले से किसी सूची में हैं",
        mend="Decide the list that waits: `pehle review`.",
        mend_hi="जो सूची बाकी है, उस पर फ़ैसला कीजिए: `pehle review`।",
    ),
    "no_words": Reason(
        en="lack a fact the message needs",
        hi="लोगों के लिए मैसेज की कोई ज़रूरी जानकारी नहीं मिली",
        hi_one="मैसेज की कोई ज़रूरी जानकारी नहीं मिली",
        mend="`pehle plan --explain ID` names the missing fact.",
        mend_hi="`pehle plan --explain ID` बताता है कि कौन सी जानकारी नहीं मिली।",
    ),
    "too_late": Reason(
        en="would get it too late to be of use",
        hi="लोगों तक मैसेज समय पर नहीं पहुँचता",
        hi_one="मैसेज समय पर नहीं पहुँचता",
        mend="Plan earlier in the day, or lengthen `expires_hours` of the play.",
        mend_hi="सूची दिन में पहले बनाइए, या प्ले का `expires_hours` बढ़ाइए।",
    ),
    "left": Reason(
        en="have left",
        hi="लोग जा चुके हैं",
        hi_one="जा चुके हैं",
        mend="Nothing to mend.",
        mend_hi="कुछ नहीं करना।",
    ),
    "unknown_person": Reason(
        en="are in the events but not among the customers",
        hi="लोग ग्राहकों की सूची में नहीं मिले",
        hi_one="ग्राहकों की सूची में नहीं मिले",
        mend="Import them: `pehle import customers FILE`.",
        mend_hi="इन्हें जोड़िए: `pehle import customers FILE`।",
    ),
    "fine": Reason(
        en="are fine: no message fits",
        hi="लोग ठीक हैं, किसी मैसेज की ज़रूरत नहीं",
        hi_one="ठीक हैं, किसी मैसेज की ज़रूरत नहीं",
        mend="Nothing to mend.",
        mend_hi="कुछ नहीं करना।",
    ),
}

# Why a message that was approved did not go out after all: what `outreach.reason` then says.
NOT_SENT: Mapping[str, Reason] = {
    **REASONS,
    "not_true_any_more": Reason(
        en="what the message says is no longer true",
        hi="मैसेज की बात अब सही नहीं रही",
        hi_one="मैसेज की बात अब सही नहीं रही",
        mend="Nothing to mend.",
        mend_hi="कुछ नहीं करना।",
    ),
    "not_approved": Reason(
        en="nobody approved it",
        hi="इसे किसी ने मंज़ूर नहीं किया",
        hi_one="इसे किसी ने मंज़ूर नहीं किया",
        mend="Plan again, and approve it on the list.",
        mend_hi="फिर सूची बनाइए और उस पर मंज़ूर कीजिए।",
    ),
    "no_play": Reason(
        en="the playbook no longer has this message's play",
        hi="प्लेबुक में अब यह प्ले नहीं है",
        hi_one="प्लेबुक में अब यह प्ले नहीं है",
        mend="Plan again.",
        mend_hi="फिर सूची बनाइए।",
    ),
    "words_changed": Reason(
        en="the words or the address changed after the approval",
        hi="मंज़ूरी के बाद मैसेज या पता बदल गया",
        hi_one="मंज़ूरी के बाद मैसेज या पता बदल गया",
        mend="Plan again, and approve the new words.",
        mend_hi="फिर सूची बनाइए और नए शब्द मंज़ूर कीजिए।",
    ),
    "held_out": Reason(
        en="comparison group, not contacted",
        hi="तुलना वाले, इन्हें मैसेज नहीं जाता",
        hi_one="तुलना वाले, इन्हें मैसेज नहीं जाता",
        mend="Nothing to mend.",
        mend_hi="कुछ नहीं करना।",
    ),
    "expired": Reason(
        en="its time has passed",
        hi="मैसेज का समय निकल गया",
        hi_one="मैसेज का समय निकल गया",
        mend="Run the sender more often: `pehle work`.",
        mend_hi="भेजने वाला ज़्यादा बार चलाइए: `pehle work`।",
    ),
    "no_channel": Reason(
        en="no way out is configured for this channel",
        hi="इस चैनल से भेजने का रास्ता नहीं है",
        hi_one="इस चैनल से भेजने का रास्ता नहीं है",
        mend="Configure [sending] in pehle.toml, or take the channel out of the play.",
        mend_hi="pehle.toml में [sending] भरिए, या प्ले से यह चैनल हटाइए।",
    ),
}


# What planning writes beside a reason (serving.decisions), and how it is said in Hindi.
DETAILS_HI = (
    (re.compile(r"since (\S+)"), r"\1 से"),
    (re.compile(r"this message on (\S+); again after (\d+) days"), r"यही मैसेज \1 को; \2 दिन बाद फिर"),
    (re.compile(r"on (\S+); limit (\d+) days"), r"\1 को; कम से कम \2 दिन का फ़ासला"),
    (re.compile(r"an offer on (\S+); limit (\d+) days"), r"\1 को ऑफ़र गया; कम से कम \2 दिन का फ़ासला"),
)


def detail_hi(detail: str) -> str:
    """The detail of a reason in Hindi; what has no pattern stays as it is."""
    for pattern, said in DETAILS_HI:
        if found := pattern.fullmatch(detail):
            return found.expand(said)
    return detail


def mend_largest(left_out: Mapping[str, int]) -> Reason | None:
    """The most frequent reason that a command or a setting can mend; None if there is none."""
    mendable = [(count, reason) for reason, count in left_out.items() if "`" in REASONS[reason].mend and count]
    return REASONS[max(mendable)[1]] if mendable else None
