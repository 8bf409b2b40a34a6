"""Which home is looked at: the one that was last run, also when that changes while the exporter runs."""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import TYPE_CHECKING

from sophia_assets.home import Home, current_home
from sophia_assets.services import Services
from sophia_assets.settings import Settings

if TYPE_CHECKING:
    import dagster as dg

Identity = tuple[str, int, int]


class Ground:
    """The services and the Dagster instance of the current home, opened when first needed. Safe for threads.

    `follow` notices that another company was made current, or that a store was removed and made anew; its files would
    else be read on for ever, although nobody writes into them any more.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._lock = threading.RLock()
        self._services: Services | None = None
        self._instance: dg.DagsterInstance | None = None
        self._identity: Identity | None = None
        self.generation = 0

    def follow(self) -> bool:
        """Whether what is looked at has changed since the last time."""
        home = current_home(self.settings)
        found = (str(home.path), _inode(home, "control.db"), _inode(home, "dagster/history/runs.db"))
        with self._lock:
            if found == self._identity:
                return False
            self.close()
            self._identity = found
            self.generation += 1
            return True

    def services(self) -> Services:
        """The services of the current home."""
        with self._lock:
            if self._services is None:
                self._services = Services(self.settings, current_home(self.settings))
            return self._services

    def instance(self) -> dg.DagsterInstance | None:
        """The Dagster instance of the current home; None where nothing has ever been run there."""
        from sophia_assets.orchestration.instance import instance_for

        with self._lock:
            if self._instance is None:
                home = self.services().home
                # Looking must not make anything: an empty home stays empty.
                if not self._is_elsewhere() and not (home.dagster / "history" / "runs.db").exists():
                    return None
                self._instance = instance_for(home, self.settings)
            return self._instance

    def has_store(self) -> bool:
        """Whether there is a control store to be read; the first one who writes makes it."""
        services = self.services()
        return bool(self.settings.control_url) or (services.home.path / "control.db").exists()

    def _is_elsewhere(self) -> bool:
        """Whether Dagster's storage is a server's, so that no file here says whether there is one."""
        return self.settings.dagster.config is not None

    def close(self) -> None:
        """Lets go of both; connections that are in use end with their use."""
        with self._lock:
            services, self._services = self._services, None
            instance, self._instance = self._instance, None
        with suppress(Exception):
            if services is not None:
                services.close()
        with suppress(Exception):
            if instance is not None:
                instance.dispose()


def _inode(home: Home, name: str) -> int:
    try:
        return (home.path / name).stat().st_ino
    except OSError:
        return 0
