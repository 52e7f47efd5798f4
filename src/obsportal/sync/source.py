"""What keeps the records up to date: a source that a run reads from.

``eso.EsoSource`` is the ESO archive, ``portal.PortalSource(url)`` another portal; ``sources`` makes
them from the settings and ``runs.run(source, options)`` runs them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from obsportal.sync.job import Job

ESO = "eso"


class Source(Protocol):
    """Something outside whose rows the portal follows."""

    @property
    def name(self) -> str:
        """``eso``, or the address of a portal without a trailing slash: the key of cursors and runs."""

    def run(self, job: Job) -> None:
        """Read what is new, writing rows and cursor together, batch by batch.

        Calls ``job.checkpoint()`` between batches. With ``job.options.dry_run`` it writes nothing.
        Raises obsportal.connectors.http.RemoteError when the source cannot be read at all, and
        SyncError when it answers what cannot be used; the run is then recorded as failed.
        """
