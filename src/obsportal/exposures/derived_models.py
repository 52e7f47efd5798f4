"""What is worked out from exposures: pointings gathered to targets, observations, calibrator links.

All of it can be made anew from the exposures and the curators' decisions (``obsportal regroup``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings
from django.db import models
from django.db.models import Exists, OuterRef

from obsportal.accounts.access import Visibility

if TYPE_CHECKING:
    from obsportal.accounts.access import Actor


class GatheringBasis(models.TextChoices):
    """Why a pointing belongs to its target."""

    STAR_NAME = "star-name", "the name of a known star, near its path"
    STAR_PLACE = "star-place", "on the path of a known star"
    NAME = "name", "same name, close by"
    PLACE = "place", "same place"
    NAME_ONLY = "name-only", "same name; no position is known"
    ALONE = "alone", "the only pointing of its target"
    CURATED = "curated", "a curator's decision"


class TargetPointing(models.Model):
    """One way a target was pointed at: a typed name and a place, exactly as headers gave them."""

    key = models.CharField(max_length=160, unique=True, help_text="visibility|normalised name|ra|dec")
    target = models.ForeignKey("exposures.Target", on_delete=models.PROTECT, related_name="pointings")
    typed_name = models.CharField(max_length=80, help_text="As its earliest exposure has it.")
    normalised_name = models.CharField(max_length=80, db_index=True)
    ra = models.FloatField(null=True, help_text="deg, J2000 equinox, at the time of the exposures")
    dec = models.FloatField(null=True, help_text="deg")
    hpx = models.BigIntegerField(null=True, db_index=True)
    visibility = models.CharField(max_length=10, default=Visibility.PUBLIC)
    tolerance = models.FloatField(help_text="arcsec within which pointings of one name are one target")
    mjd_first = models.FloatField(null=True)
    mjd_last = models.FloatField(null=True)
    basis = models.CharField(max_length=10, choices=GatheringBasis.choices, default=GatheringBasis.ALONE)
    score = models.FloatField(default=1.0, help_text="0 to 1, see docs/science.md")
    separation = models.FloatField(null=True, help_text="arcsec from the target's place at that time")

    def __str__(self) -> str:
        return self.key


class ObservationBasis(models.TextChoices):
    """What makes exposures one observation."""

    BLOCK = "block", "one execution of an observing block"
    TEMPLATE = "template", "one execution of a template, without a block"
    RUN = "run", "the same target and set-up without a break"


class ObservationQuerySet(models.QuerySet["Observation"]):
    """Observations, with access as a query."""

    def visible_to(self, actor: Actor) -> ObservationQuerySet:
        """The observations of which this actor may see at least one exposure."""
        from obsportal.exposures.models import Exposure

        return self.filter(Exists(Exposure.objects.visible_to(actor).filter(observation=OuterRef("pk"))))


class Observation(models.Model):
    """One execution of an observing block, or what comes nearest to it.

    It holds identity only: times, counts and conditions are summed over the exposures that a reader
    may see.
    """

    key = models.CharField(max_length=120, unique=True, help_text="The same whenever it is made anew.")
    basis = models.CharField(max_length=10, choices=ObservationBasis.choices)
    interferometer_name = models.CharField(max_length=20)
    instrument_name = models.CharField(max_length=20)
    night = models.DateField(null=True)
    obs_id = models.BigIntegerField(null=True, db_index=True)
    obs_start = models.DateTimeField(null=True)

    objects = ObservationQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["night", "interferometer_name"], name="observation_night")]

    def __str__(self) -> str:
        return self.key


class LinkBasis(models.TextChoices):
    """Why a calibrator belongs to a science observation."""

    CONTAINER = "container", "same container"
    TIME = "time", "same night and set-up, close in time"
    MANUAL = "manual", "a curator's decision"


class Confidence(models.TextChoices):
    """How sure a link is."""

    HIGH = "high", "high"
    MEDIUM = "medium", "medium"
    LOW = "low", "low"


class CalibratorLinkQuerySet(models.QuerySet["CalibratorLink"]):
    """Links, with access as a query."""

    def visible_to(self, actor: Actor) -> CalibratorLinkQuerySet:
        """The links of which this actor may see both sides."""
        from obsportal.exposures.models import Exposure

        seen = Exposure.objects.visible_to(actor)
        return self.filter(
            Exists(seen.filter(observation=OuterRef("science"))),
            Exists(seen.filter(observation=OuterRef("calibrator"))),
        )


class CalibratorLink(models.Model):
    """A calibrator observation that serves a science observation, in one instrument variant."""

    science = models.ForeignKey(Observation, on_delete=models.CASCADE, related_name="calibrator_links")
    calibrator = models.ForeignKey(Observation, on_delete=models.CASCADE, related_name="science_links")
    instrument_variant = models.CharField(max_length=20, blank=True)
    basis = models.CharField(max_length=10, choices=LinkBasis.choices)
    confidence = models.CharField(max_length=6, choices=Confidence.choices)
    score = models.FloatField(help_text="0 to 1, see docs/science.md")
    gap_minutes = models.FloatField(null=True, help_text="Between them; negative: the calibrator came first.")
    separation = models.FloatField(null=True, help_text="deg on the sky")

    objects = CalibratorLinkQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["science", "calibrator", "instrument_variant"], name="calibrator_link_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.calibrator_id} calibrates {self.science_id}"


class Decision(models.Model):
    """What a curator decided, with the reason. Rows append; a later row may withdraw an earlier one."""

    reason = models.TextField()
    author = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField()
    withdraws = models.OneToOneField("self", null=True, on_delete=models.PROTECT, related_name="withdrawn_by")

    class Meta:
        abstract = True


class TargetDecision(Decision):
    """Two pointings are one star, or are not. It names them by name and place, so a re-run finds them."""

    class Kind(models.TextChoices):
        """What was decided."""

        SAME = "same", "one and the same star"
        DIFFERENT = "different", "different stars"

    kind = models.CharField(max_length=10, choices=Kind.choices)
    first_name = models.CharField(max_length=80, help_text="Normalised.")
    first_ra = models.FloatField(null=True)
    first_dec = models.FloatField(null=True)
    second_name = models.CharField(max_length=80, help_text="Normalised.")
    second_ra = models.FloatField(null=True)
    second_dec = models.FloatField(null=True)

    def __str__(self) -> str:
        return f"{self.first_name} and {self.second_name}: {self.kind}"


class LinkDecision(Decision):
    """A calibrator serves a science observation, or does not, by the keys of the observations."""

    class Kind(models.TextChoices):
        """What was decided."""

        LINK = "link", "belongs to it"
        UNLINK = "unlink", "does not belong to it"

    kind = models.CharField(max_length=10, choices=Kind.choices)
    science_key = models.CharField(max_length=120, db_index=True)
    calibrator_key = models.CharField(max_length=120, db_index=True)

    def __str__(self) -> str:
        return f"{self.calibrator_key} {self.kind} {self.science_key}"
