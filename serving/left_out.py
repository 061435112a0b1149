"""Why was somebody left out, in words for the screens, and what would mend it?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Reason:
    """One reason. `en` and `hi` follow a number ("96 heard from us lately"); `mend` is for whoever runs Pehle."""

    en: str
    hi: str
    mend: str


REASONS: Mapping[str, Reason] = {
    "heard_from_us": Reason(
        en="heard from us a short while ago",
        hi="लोगों को हाल ही में मैसेज गया है",
        mend="They come back by themselves; `cool_down_days` and `repeat_days` of the play say when.",
    ),
    "do_not_contact": Reason(
        en="asked us not to write",
        hi="लोगों ने मैसेज भेजने से मना किया है",
        mend="Nothing to mend: they decided so.",
    ),
    "no_consent": Reason(
        en="did not agree to be written to about this",
        hi="लोगों ने इस बारे में मैसेज की सहमति नहीं दी",
        mend="Import what they agreed to: `pehle import customers FILE`.",
    ),
    "open_complaint": Reason(
        en="have an open complaint",
        hi="लोगों की शिकायत अभी खुली है",
        mend="Solve their cases, import the events (`pehle import events FILE`), then `pehle plan`.",
    ),
    "just_escalated": Reason(
        en="have just escalated: people are already helping",
        hi="लोगों का मामला अभी ऊपर गया है, टीम मदद कर रही है",
        mend="Nothing to mend: they come back when their case has rested.",
    ),
    "no_address": Reason(
        en="have no address we may use",
        hi="लोगों का कोई पता या नंबर हमारे पास नहीं",
        mend="Import e-mail addresses or numbers: `pehle import customers FILE`.",
    ),
    "over_budget": Reason(
        en="would cost more than what is left of the budget",
        hi="लोगों के लिए बजट नहीं बचा",
        mend="Raise `budget_minor` under [planning] in pehle.toml, then `pehle plan`.",
    ),
    "already_planned": Reason(
        en="are on a list already, for this or another message",
        hi="लोग पहले से किसी सूची में हैं",
        mend="Decide the list that waits: `pehle review`.",
    ),
    "no_words": Reason(
        en="lack a fact the message needs",
        hi="लोगों के लिए मैसेज की कोई ज़रूरी जानकारी नहीं मिली",
        mend="`pehle plan --explain ID` names the missing fact.",
    ),
    "too_late": Reason(
        en="would get it too late to be of use",
        hi="लोगों तक मैसेज समय पर नहीं पहुँचता",
        mend="Plan earlier in the day, or lengthen `expires_hours` of the play.",
    ),
    "left": Reason(
        en="have left",
        hi="लोग जा चुके हैं",
        mend="Nothing to mend.",
    ),
    "unknown_person": Reason(
        en="are in the events but not among the customers",
        hi="लोग ग्राहकों की सूची में नहीं मिले",
        mend="Import them: `pehle import customers FILE`.",
    ),
    "fine": Reason(
        en="are fine: no message fits",
        hi="लोग ठीक हैं, किसी मैसेज की ज़रूरत नहीं",
        mend="Nothing to mend.",
    ),
}

# Why a message that was approved did not go out after all: what `outreach.reason` then says.
NOT_SENT: Mapping[str, Reason] = {
    **REASONS,
    "not_true_any_more": Reason(
        en="what the message says is no longer true",
        hi="मैसेज की बात अब सही नहीं रही",
        mend="Nothing to mend.",
    ),
    "not_approved": Reason(
        en="nobody approved it",
        hi="इसे किसी ने मंज़ूर नहीं किया",
        mend="Plan again, and approve it on the list.",
    ),
    "no_play": Reason(
        en="the playbook no longer has this message's play",
        hi="प्लेबुक में अब यह प्ले नहीं है",
        mend="Plan again.",
    ),
    "words_changed": Reason(
        en="the words or the address changed after the approval",
        hi="मंज़ूरी के बाद मैसेज या पता बदल गया",
        mend="Plan again, and approve the new words.",
    ),
    "held_out": Reason(
        en="comparison group, not contacted",
        hi="तुलना वाले, इन्हें मैसेज नहीं जाता",
        mend="Nothing to mend.",
    ),
    "expired": Reason(
        en="its time has passed",
        hi="मैसेज का समय निकल गया",
        mend="Run the sender more often: `pehle work`.",
    ),
    "no_channel": Reason(
        en="no way out is configured for this channel",
        hi="इस चैनल से भेजने का रास्ता नहीं है",
        mend="Configure [sending] in pehle.toml, or take the channel out of the play.",
    ),
}


def mend_largest(left_out: Mapping[str, int]) -> str:
    """The remedy for the most frequent reason that can be mended at all; empty if there is none."""
    mendable = [(count, reason) for reason, count in left_out.items() if "`" in REASONS[reason].mend and count]
    return REASONS[max(mendable)[1]].mend if mendable else ""
