"""From facts to a briefing that can be trusted: candidates, writers, verification, rendering.

Belongs here: choosing what is worth telling, putting it into words through slots, checking every
figure, name, period and direction against the facts, and the forms a reader sees.
To check any text against facts, take `verification.verify_text`; each finding says what, where and why.
Does not belong here: computing values (`metrics`), reading systems (`sources`), running (`orchestration`).
"""
