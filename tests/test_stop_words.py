"""Whoever says stop, in any of their languages, is heard; whoever speaks of something else is read by a person."""

from __future__ import annotations

import pytest

from serving.stop_words import meaning

STOP = """
STOP | stop | Stop. | STOP!!! | stoppp | Please stop | stop please | Kindly stop sir | ok stop | ｓｔｏｐ | s​top
"STOP" | quit | END | revoke | Opt out | opt-out | OPTOUT | cancel | Unsubscribe | unsubscribe me | unsub
Stop all | STOPALL
please stop texting me | stop sending me messages | Stop your offers please | don't text me | Do not contact me again
dont message me | no more messages | I do not want any more emails | never email me again | Please opt me out
remove me from your list | take my number off this list | please unsubscribe me from this | stop stop stop
leave me alone | I don't want your offers | stop these promotional messages | quit messaging me | no offers
don’t send me any more sms
बंद | बंद करो | बंद करें | बंद कर दो | बंद कीजिए जी | कृपया बंद करें | रोकें | रोको | रोक दो | मत भेजो | मत भेजिए
मैसेज बंद करो | मैसेज मत भेजो | मुझे मैसेज मत भेजिए | ये मैसेज भेजना बंद करें | मैसेज नहीं चाहिए | नहीं चाहिए आपके मैसेज
अब मत भेजना | संदेश न भेजें | ऑफ़र मत भेजो | मेरा नंबर हटाओ | व्हाट्सएप मत करो | स्टॉप | प्लीज़ बंद करो | बंद।
mat bhejo | Mat bhejiye | message mat bhejo | msg band karo | band karo bhai | band kar do | Band | roko | rok do
mujhe message mat karo | offers mat bhejo yaar | sms nahi chahiye | nahi chahiye aapke message | mera number hatao
ab mat bhejna | messages bhejna band kijiye | mt bhejo | pareshan mat karo
"""
UNSURE = """
don't stop | please do not stop these updates | Don't unsubscribe me | never stop sending these | no need to cancel
बंद हो गया मेरा नेट | मेरा इंटरनेट बंद है | net band hai | router band ho gaya | मैसेज बंद मत करो | band mat karo
cancel my order | I want to cancel my plan | stop the recharge | please stop this network problem | बिल कैसे रोकें
do not send the router, I am out of town | not interested | nahi chahiye ye plan | नहीं चाहिए | I will complain to TRAI
when will the outage stop | my payment was stopped by the bank | भेजते रहिए, बंद न करें
"""
NO = """
thank you | works now | हाँ | नहीं | nahi | yes | haan ji theek hai | bill samajh aa gaya | what is this charge of 150
kab tak theek hoga | मेरा बिल कितना है | Husband | end of month I will pay | 👍 | which plan is best
still slow in the evening
"""


def _phrases(table: str) -> list[str]:
    return [phrase.strip() for line in table.strip().splitlines() for phrase in line.split("|")]


def test_the_table_is_as_long_as_we_say() -> None:
    assert len(_phrases(STOP)) >= 60
    assert len(_phrases(UNSURE)) >= 20


@pytest.mark.parametrize("phrase", _phrases(STOP))
def test_who_says_stop_is_heard_at_once(phrase: str) -> None:
    assert meaning(phrase) == "stop"


@pytest.mark.parametrize("phrase", _phrases(UNSURE))
def test_what_may_mean_something_else_is_read_by_a_person(phrase: str) -> None:
    assert meaning(phrase) == "unsure"


@pytest.mark.parametrize("phrase", _phrases(NO))
def test_an_ordinary_answer_stops_nothing(phrase: str) -> None:
    assert meaning(phrase) == "no"
