"""A briefing in Slack: the short form as blocks that Slack takes, in which nothing that people typed can act."""

from __future__ import annotations

import copy
import re
from typing import Any

import pytest

from sophia_assets.delivery.deliver import deliver, whole
from sophia_assets.delivery.log import DeliveryLog
from sophia_assets.delivery.message import message_of
from sophia_assets.delivery.slack import SlackChannel, blocks_of, escape
from sophia_assets.sandbox.standins.slack.arguments import Refused
from sophia_assets.sandbox.standins.slack.posting import check_blocks
from sophia_assets_tests.delivery.parts import Json, posted
from sophia_assets_tests.sandbox.small_company import Served

ATTACKS = [
    "<!channel> <!here> <@U1UNASELLER> <#C0GENERAL>",
    "<https://evil.example|click>",
    "https://evil.example and www.evil.example",
    "@channel @here @everyone",
    "*bold* _it_ ~no~ `code` ```block```",
    ":tada: :skull:",
    "a & b &lt;!channel&gt;",
    "mailto:x@evil.example",
]


def texts(blocks: list[Json]) -> list[str]:
    found: list[str] = []
    for block in blocks:
        found += [block["text"]["text"]] if "text" in block else []
        found += [element["text"] for element in block.get("elements", [])]
    return found


def test_it_tells_the_bottom_line_the_steps_the_sections_the_confidence_and_where_the_whole_is(
    sandbox: Served, filed: Json, log: DeliveryLog, slack: SlackChannel
) -> None:
    deliver(filed, [slack], log)
    message = posted(sandbox)[-1]
    told = "\n".join(texts(message["blocks"]))
    assert message["blocks"][0]["text"]["text"] == "Meridian Software: executive briefing, Friday, 20 March 2026"
    assert filed["bottom_line"].split(".")[0] in told and "*Next steps*" in told and "*Risks*" in told
    assert "Confidence: high." in told and "`sophia briefing show" not in told
    assert "briefings/2026-03-20" in told
    assert (message["unfurl_links"], message["unfurl_media"]) == (False, False)
    assert message["text"].startswith("Meridian Software: executive briefing")


@pytest.mark.parametrize("attack", ATTACKS)
def test_nothing_that_people_typed_can_act(
    sandbox: Served, filed: Json, log: DeliveryLog, slack: SlackChannel, attack: str
) -> None:
    content: Json = copy.deepcopy(filed)
    content["company"] = content["bottom_line"] = content["confidence"]["reason"] = attack
    content["since_last"] = {"title": attack, "lines": [{"text": attack}]}
    for section in content["sections"]:
        section["title"] = attack
        for sentence in section["sentences"]:
            sentence["text"] = attack
    deliver(content, [slack], log)
    message = posted(sandbox)[-1]
    for text in [message["text"], *texts(message["blocks"][1:])]:
        assert not set(text) & {"<", ">"}
        assert not re.search(r"&(?!(amp|lt|gt);)", text)
        assert not re.search(r"(?<!\w)[@#:]\w|://\w", text)
    assert all(
        block["text"]["type"] == "plain_text" or block["text"]["verbatim"]
        for block in message["blocks"]
        if "text" in block
    )


@pytest.mark.parametrize("text", ["Söder Health - Marrowfen Hub", "$1.24M, up 14.5%", "R&D", "株式会社", "a_b*c 3*4"])
def test_ordinary_names_read_as_they_are(text: str) -> None:
    assert escape(text).replace("&amp;", "&").replace("\u2060", "") == text


def test_however_long_a_briefing_is_slack_takes_it(filed: Json) -> None:
    content: Json = copy.deepcopy(filed)
    content["company"] = "Long " * 100
    content["bottom_line"] = "<&>" * 3000
    for section in content["sections"]:
        section["sentences"] = [{**sentence, "text": "&" * 900} for sentence in section["sentences"]] * 5
    message = message_of(content)
    blocks = blocks_of(message, whole(message))
    check_blocks(blocks)
    assert not any(re.search(r"&[a-z]*\u2026", text) for text in texts(blocks)[1:])


def test_an_empty_briefing_is_a_message_all_the_same(filed: Json) -> None:
    content: Json = {**filed, "bottom_line": "", "sections": [], "since_last": None}
    message = message_of(content)
    check_blocks(blocks_of(message, whole(message)))


@pytest.mark.parametrize(
    ("blocks", "where"),
    [
        ([{"type": "divider"}] * 51, "/blocks"),
        ([{"type": "section", "text": {"type": "mrkdwn", "text": "x" * 3001}}], "/blocks/0/text/text"),
        ([{"type": "section", "text": {"type": "mrkdwn", "text": ""}}], "/blocks/0/text/text"),
        ([{"type": "header", "text": {"type": "mrkdwn", "text": "x"}}], "/blocks/0/text"),
        ([{"type": "header", "text": {"type": "plain_text", "text": "x" * 151}}], "/blocks/0/text/text"),
        ([{"type": "context", "elements": []}], "/blocks/0/elements"),
        ([{"type": "section"}], "/blocks/0"),
        ([{"type": "blink"}], "/blocks/0"),
        (["text"], "/blocks/0"),
    ],
)
def test_the_stand_in_refuses_blocks_that_slack_would_refuse(blocks: list[Any], where: str) -> None:
    with pytest.raises(Refused) as refusal:
        check_blocks(blocks)
    assert refusal.value.error == "invalid_blocks" and f"[json-pointer:{where}]" in refusal.value.details["errors"][0]
