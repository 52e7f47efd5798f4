"""Where each source stands, what its archive rows were, and what each run did."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import models
from django.db.models import Exists, OuterRef

from obsportal.accounts.access import is_curator, visible_rows
from obsportal.exposures.models import Exposure, RefusedHeader

if TYPE_CHECKING:
    from obsportal.accounts.access import Actor


class SyncCursor(models.Model):
    """How far one source has been read, per instrument; it moves only after rows are written."""

    source = models.CharField(max_length=200, help_text="eso, or the address of a portal.")
    instrument = models.CharField(max_length=20, blank=True)
    position = models.DateTimeField(null=True, help_text="Rows modified before this are read.")
    backfilled_to = models.DateTimeField(
        null=True, help_text="The back-fill has come to this exposure start."
    )
    updated_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["source", "instrument"], name="sync_cursor_once")]

    def __str__(self) -> str:
        return f"{self.source} {self.instrument} {self.position}"


class ArchiveRowQuerySet(models.QuerySet["ArchiveRow"]):
    """Rows of archives, with access as a query."""

    def visible_to(self, actor: Actor) -> ArchiveRowQuerySet:
        """The rows of files whose exposures and refusals, if any, this actor may see.

        A file whose header the archive keeps from the public is for curators too.
        """
        unseen = ~visible_rows(actor)
        exposures = Exposure.objects.filter(unseen, exp_header_id=OuterRef("dp_id"))
        refused = RefusedHeader.objects.filter(unseen, header_id=OuterRef("dp_id"))
        found = self.filter(~Exists(exposures), ~Exists(refused))
        return found if is_curator(actor) else found.exclude(ArchiveRow.withheld())


class ArchiveRow(models.Model):
    """The newest row of an archive for one file, and whether its header has been taken in."""

    class State(models.TextChoices):
        """What has become of it."""

        WAITING = "waiting", "its header is to be fetched"
        DONE = "done", "taken in"
        FAILED = "failed", "its header could not be fetched"
        VANISHED = "vanished", "no longer listed by the archive"

    source = models.CharField(max_length=200)
    instrument = models.CharField(max_length=20)
    dp_id = models.CharField(max_length=120)
    modified_at = models.DateTimeField(help_text="last_mod_date of the archive")
    exp_start = models.DateTimeField(null=True)
    row = models.JSONField()
    state = models.CharField(max_length=10, choices=State.choices, default=State.WAITING)
    attempts = models.IntegerField(default=0)
    retry_at = models.DateTimeField(null=True)
    problem = models.CharField(max_length=300, blank=True)

    WITHHELD = "not public:"
    """How the problem of a row begins whose header the archive refuses to strangers (401, 403)."""

    objects = ArchiveRowQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["source", "dp_id"], name="archive_row_once")]
        indexes = [
            models.Index(fields=["source", "state", "retry_at"], name="archive_row_state"),
            models.Index(fields=["source", "instrument", "exp_start"], name="archive_row_start"),
        ]

    def __str__(self) -> str:
        return self.dp_id

    @classmethod
    def withheld(cls) -> models.Q:
        """The condition of rows whose header the archive keeps from the public."""
        return models.Q(state=cls.State.FAILED, problem__startswith=cls.WITHHELD)


class SyncRun(models.Model):
    """One run of one source. A run whose lease has passed was killed; the next one goes on after it."""

    class Status(models.TextChoices):
        """How it ended."""

        RUNNING = "running", "running"
        DONE = "done", "done"
        FAILED = "failed", "failed"
        CANCELLED = "cancelled", "cancelled"
        KILLED = "killed", "killed"

    source = models.CharField(max_length=200, db_index=True)
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    lease_until = models.DateTimeField()
    holder = models.CharField(max_length=100, help_text="Host and process.")
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.RUNNING)
    counts = models.JSONField(default=dict)
    problem = models.TextField(blank=True)

    def __str__(self) -> str:
        return f"{self.source} {self.started_at} {self.status}"
