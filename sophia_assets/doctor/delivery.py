"""The area `delivery`: whether briefings could go where they are to go, without sending anything."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from sophia_assets.doctor.findings import Finding, Findings
from sophia_assets.errors import SophiaError

if TYPE_CHECKING:
    from sophia_assets.doctor.patient import Patient

AREA = "delivery"
_about = Findings(AREA)


def check_delivery(patient: Patient) -> Iterator[Finding]:
    """Each place that a flag has switched on, once."""
    from sophia_assets.delivery.courier import FLAGS, Courier
    from sophia_assets.delivery.deliver import Outcome

    if not patient.store().is_usable:
        yield _about.skipped("channels", "what is switched on is not known: see the control store")
        return
    services = patient.services
    if not any(services.flags.is_on(flag) for flag in FLAGS.values()):
        yield _about.skipped("channels", f"nothing is delivered: the flags {' and '.join(FLAGS.values())} are off")
        return
    if patient.is_offline:
        yield _about.skipped("channels", "they were not asked (--offline)")
        return
    seen = set()
    for role in patient.settings.editions:
        for channel in Courier(services).channels(role):
            if isinstance(channel, Outcome):
                subject = f"{channel.channel} {role}"
                if channel.status == "failed":
                    yield _about.problem(subject, channel.line, "Set it in .env, or switch the flag off")
                else:
                    yield _about.skipped(subject, channel.line)
            elif (channel.name, channel.place) not in seen:
                seen.add((channel.name, channel.place))
                try:
                    yield _about.ok(f"{channel.name} {role}", channel.look())
                except SophiaError as error:
                    yield _about.failed(f"{channel.name} {role}", error)
