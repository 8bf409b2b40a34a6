"""What the web process holds while it runs, and how a request finds it.

Belongs here: the process's own state. Does not belong here: users, sessions, data; they lie in the stores.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from starlette.requests import HTTPConnection

from sophia_assets.desk import Desk
from sophia_assets.web.counting import Counts
from sophia_assets.web.limits import Limits
from sophia_assets.web.local_login import LocalLogin
from sophia_assets.web.status import StatusBoard
from sophia_assets.web.work import WorkPool

if TYPE_CHECKING:
    from sophia_assets.services import Services
    from sophia_assets.settings.web import WebSettings


@dataclass
class WebState:
    """The state of one process.

    `answers` runs what questions need, `reads` everything else that touches a store or a file, so that logging in and
    reading go on while answers queue.
    """

    services: Services
    settings: WebSettings
    answers: WorkPool
    reads: WorkPool
    limits: Limits
    local: LocalLogin | None = None
    is_behind_proxy: bool = False
    counts: Counts = field(default_factory=Counts)
    is_warm: bool = False
    asking_store: asyncio.Lock = field(default_factory=asyncio.Lock)
    reaches_store: bool = False
    store_asked_at: float = float("-inf")
    desk: Desk = field(init=False)
    board: StatusBoard = field(init=False)

    def __post_init__(self) -> None:
        self.desk = Desk(self.services)
        self.board = StatusBoard(self.services)


def state_of(connection: HTTPConnection) -> WebState:
    """The state of the process that serves a request."""
    return cast(WebState, connection.app.state.web)
