"""Records of level 0: header versions, the exposures they describe, targets, refusals.

Column names are those the portal publishes (the ObsPortal contract and ObsCore). Angles are
degrees (J2000), times MJD UTC in days or aware UTC datetimes, lengths metres, tau0 seconds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings
from django.db import models
from django.db.models import Exists, OuterRef, Q

from obsportal.accounts.access import Visibility, visible_rows
from obsportal.exposures.derived_models import (
    CalibratorLink,
    Confidence,
    GatheringBasis,
    LinkBasis,
    LinkDecision,
    Observation,
    ObservationBasis,
    TargetDecision,
    TargetPointing,
)
from obsportal.stars.models import Star

if TYPE_CHECKING:
    from obsportal.accounts.access import Actor


__all__ = [
    "FACET_COLUMNS",
    "CalibratorLink",
    "Confidence",
    "ContinuationFile",
    "Exposure",
    "ExposureQuerySet",
    "GatheringBasis",
    "HeaderVersion",
    "Heartbeat",
    "LinkBasis",
    "LinkDecision",
    "Observation",
    "ObservationBasis",
    "Override",
    "Provenance",
    "RefusedHeader",
    "RefusedQuerySet",
    "TableVersion",
    "Target",
    "TargetDecision",
    "TargetPointing",
    "TargetQuerySet",
]


class TableVersion(models.Model):
    """A counter per published table, bumped in the transaction that changes its rows.

    ETags, cached counts and publishing start from it.
    """

    name = models.CharField(max_length=40, primary_key=True)
    counter = models.BigIntegerField(default=0)
    modified_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.name} {self.counter}"


class HeaderVersion(models.Model):
    """One version of a header as it was received; versions append and are never changed."""

    header_id = models.CharField(max_length=120, db_index=True)
    sha256 = models.CharField(max_length=64)
    text_zstd = models.BinaryField(help_text="The header text (latin-1), zstd-compressed.")
    size = models.IntegerField(help_text="Bytes before compression.")
    source = models.CharField(max_length=300, help_text="Where it was read: a path inside its container.")
    received_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["header_id", "sha256"], name="header_version_once"),
        ]

    def __str__(self) -> str:
        return f"{self.header_id} {self.sha256[:8]}"


class RefusedQuerySet(models.QuerySet["RefusedHeader"]):
    """Refusals, with access as a query."""

    def visible_to(self, actor: Actor) -> RefusedQuerySet:
        """The refusals this actor may see."""
        return self.filter(visible_rows(actor))


class RefusedHeader(models.Model):
    """A header that is not an exposure, or could not be read, and which test said so."""

    header_id = models.CharField(max_length=300, help_text="Its identifier, else its source.")
    code = models.CharField(max_length=40, db_index=True)
    reason = models.TextField()
    source = models.CharField(max_length=300)
    instrument_name = models.CharField(max_length=20, db_index=True, blank=True)
    exp_mjd_start = models.FloatField(null=True)
    header_version = models.ForeignKey(HeaderVersion, null=True, on_delete=models.PROTECT)
    visibility = models.CharField(max_length=10, default=Visibility.PUBLIC)
    first_seen = models.DateTimeField()
    last_seen = models.DateTimeField(db_index=True)

    objects = RefusedQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["header_id", "code"], name="refusal_once")]

    def __str__(self) -> str:
        return f"{self.header_id}: {self.code}"


class TargetQuerySet(models.QuerySet["Target"]):
    """Targets, with access as a query."""

    def visible_to(self, actor: Actor) -> TargetQuerySet:
        """The targets of which this actor may see at least one exposure."""
        mine = Exposure.objects.visible_to(actor)
        return self.filter(
            Exists(mine.filter(target=OuterRef("pk"))) | Exists(mine.filter(ft_target=OuterRef("pk")))
        )


class Target(models.Model):
    """A star that exposures point at. Its one position is served, bit-identical, with all of them.

    That is the J2000 place of the known star, else the pointing of its earliest exposure.
    """

    name = models.CharField(
        max_length=80, help_text="Of the known star, else as the earliest exposure has it."
    )
    star = models.ForeignKey(Star, null=True, on_delete=models.SET_NULL, related_name="+")
    visibility = models.CharField(
        max_length=10,
        default=Visibility.PUBLIC,
        help_text="Of the exposure that named it: public rows never take name or place of a protected one.",
    )
    normalised_name = models.CharField(max_length=80, db_index=True)
    ra = models.FloatField(null=True, help_text="deg, J2000")
    dec = models.FloatField(null=True, help_text="deg, J2000")
    hpx = models.BigIntegerField(null=True, db_index=True, help_text="HEALPix, nested, order 29")
    x = models.FloatField(null=True)
    y = models.FloatField(null=True)
    z = models.FloatField(null=True)

    objects = TargetQuerySet.as_manager()

    def __str__(self) -> str:
        return self.name


class Provenance(models.Model):
    """Where the values of an exposure came from: field name to keyword or rule, as JSON.

    Most exposures of an instrument share one row, found by its hash.
    """

    sha256 = models.CharField(max_length=64, unique=True)
    origins = models.JSONField()

    def __str__(self) -> str:
        return self.sha256[:8]


FACET_COLUMNS = (
    "interferometer_name",
    "instrument_name",
    "instrument_mode",
    "configuration",
    "obs_type",
    "exp_validation_level",
    "fringe_tracker",
    "technical",
)
"""Columns whose values the search page counts."""


class ExposureQuerySet(models.QuerySet["Exposure"]):
    """Exposures, with access as a query."""

    def visible_to(self, actor: Actor) -> ExposureQuerySet:
        """The exposures this actor may see."""
        return self.filter(visible_rows(actor))


class Exposure(models.Model):
    """The current projection of a header: one exposure on the sky in one instrument mode."""

    exp_id = models.CharField(max_length=120, unique=True)
    exp_header_id = models.CharField(max_length=120, db_index=True)
    header = models.ForeignKey(HeaderVersion, null=True, on_delete=models.PROTECT, db_index=False)
    provenance = models.ForeignKey(Provenance, null=True, on_delete=models.PROTECT, db_index=False)
    visibility = models.CharField(max_length=10, default=Visibility.PUBLIC)
    authority = models.CharField(max_length=60, help_text="Who gave the identifier: eso.org, chara, ...")
    product_category = models.CharField(max_length=60, blank=True)

    exp_mjd_start = models.FloatField(null=True, db_index=True)
    exp_mjd_end = models.FloatField(null=True)
    exp_time = models.FloatField(null=True, help_text="s, total integration")
    dit = models.FloatField(null=True, help_text="s")
    ndit = models.IntegerField(null=True)
    time_origin = models.CharField(max_length=10, default="header")
    night = models.DateField(null=True, help_text="Local date of the noon the night begins at.")

    exp_projected_baselines = models.TextField(blank=True)
    baselines_origin = models.CharField(max_length=20, blank=True)
    exp_validation_level = models.SmallIntegerField(default=1)
    exp_validation_log = models.TextField(blank=True, help_text="JSON list of sentences, as published.")
    exp_messages = models.TextField(blank=True, help_text="JSON list of [code, level, sentence].")
    exp_date_updated = models.DateTimeField(db_index=True)
    exp_date_release = models.DateTimeField(null=True)
    vanished_at = models.DateTimeField(null=True, help_text="Since when its archive no longer lists it.")

    exp_tau0 = models.FloatField(null=True, help_text="s")
    exp_seeing = models.FloatField(null=True, help_text="arcsec")
    exp_temperature = models.FloatField(null=True, help_text="degC")
    exp_humidity = models.FloatField(null=True, help_text="%")
    exp_wind_speed = models.FloatField(null=True, help_text="m/s")
    exp_wind_direction = models.FloatField(null=True, help_text="deg")
    exp_iwv = models.FloatField(null=True, help_text="mm")
    exp_airmass = models.FloatField(null=True)

    obs_id = models.BigIntegerField(null=True, db_index=True)
    obs_name = models.CharField(max_length=120, blank=True)
    obs_start = models.DateTimeField(null=True)
    obs_container_id = models.BigIntegerField(null=True)
    obs_container_type = models.CharField(max_length=10, blank=True)
    obs_type = models.CharField(max_length=10)
    obs_type_header = models.CharField(max_length=40, blank=True)
    obs_type_reason = models.CharField(max_length=200, blank=True)
    obs_program = models.CharField(max_length=40, blank=True, db_index=True)
    obs_program_root = models.CharField(max_length=40, blank=True, db_index=True)
    obs_program_title = models.TextField(blank=True)
    obs_program_pi_coi = models.CharField(max_length=300, blank=True)
    technical = models.BooleanField(default=False)
    template_id = models.CharField(max_length=60, blank=True)
    template_start = models.DateTimeField(null=True)
    template_expno = models.IntegerField(null=True)
    template_nexp = models.IntegerField(null=True)

    interferometer_name = models.CharField(max_length=20)
    interferometer_version = models.CharField(max_length=20, blank=True)
    interferometer_stations = models.CharField(max_length=40, blank=True, help_text="In beam order.")
    station_set = models.CharField(max_length=40, blank=True, help_text="Sorted, to compare arrays.")
    interferometer_pops = models.CharField(max_length=12, blank=True)
    interferometer_channels = models.CharField(max_length=40, blank=True)
    configuration = models.CharField(max_length=40, blank=True)
    configuration_basis = models.CharField(max_length=20, blank=True)

    instrument_name = models.CharField(max_length=20)
    instrument_variant = models.CharField(max_length=20, blank=True)
    instrument_mode = models.CharField(max_length=40, blank=True)
    instrument_submode = models.CharField(max_length=40, blank=True)
    instrument_em_min = models.FloatField(null=True, help_text="m")
    instrument_em_max = models.FloatField(null=True, help_text="m")
    instrument_em_res_power = models.FloatField(null=True)
    wavelength_origin = models.CharField(max_length=10, blank=True)
    fringe_tracker = models.CharField(max_length=20, blank=True)
    fringe_tracker_status = models.CharField(max_length=10, blank=True)
    ao_mode = models.CharField(max_length=30, blank=True)
    bcd = models.CharField(max_length=20, blank=True)
    chopping = models.BooleanField(null=True)
    polarisation = models.CharField(max_length=20, blank=True)
    feed = models.CharField(max_length=20, blank=True)

    target = models.ForeignKey(Target, on_delete=models.PROTECT, related_name="exposures", db_index=False)
    pointing = models.ForeignKey(
        TargetPointing, null=True, on_delete=models.PROTECT, related_name="exposures"
    )
    ft_pointing = models.ForeignKey(
        TargetPointing, null=True, on_delete=models.PROTECT, related_name="tracked_exposures", db_index=False
    )
    observation = models.ForeignKey(
        Observation, null=True, on_delete=models.SET_NULL, related_name="exposures", db_index=False
    )
    target_typed_name = models.CharField(max_length=80, blank=True)
    target_normalised_name = models.CharField(max_length=80, blank=True, db_index=True)
    pointing_ra = models.FloatField(null=True, help_text="deg, what the header said")
    pointing_dec = models.FloatField(null=True, help_text="deg, what the header said")
    position_origin = models.CharField(max_length=40, blank=True)
    pointing_hpx = models.BigIntegerField(null=True, db_index=True)
    pointing_x = models.FloatField(null=True)
    pointing_y = models.FloatField(null=True)
    pointing_z = models.FloatField(null=True)
    ft_target = models.ForeignKey(
        Target, null=True, on_delete=models.PROTECT, related_name="tracked_exposures"
    )
    ft_offset_ra = models.FloatField(null=True, help_text="mas on the sky, science minus tracker, east")
    ft_offset_dec = models.FloatField(null=True, help_text="mas, north")

    pair_key = models.CharField(max_length=80, blank=True)
    time_counted = models.BooleanField(default=True)
    group_key = models.CharField(max_length=120, blank=True)

    objects = ExposureQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["instrument_name", "exp_mjd_start"], name="exposure_instrument_mjd"),
            models.Index(fields=["night", "interferometer_name"], name="exposure_night"),
            # Groups of a search are formed by reading these indexes alone.
            models.Index(fields=["observation", "exp_mjd_start", "visibility"], name="exposure_observation"),
            models.Index(
                fields=["target", "night", "interferometer_name", "visibility"], name="exposure_target_night"
            ),
            models.Index(fields=["pair_key"], name="exposure_pair", condition=~Q(pair_key="")),
            models.Index(fields=["group_key"], name="exposure_group", condition=~Q(group_key="")),
            models.Index(
                fields=["ft_pointing"], name="exposure_ft_pointing", condition=Q(ft_pointing__isnull=False)
            ),
            # Counts per facet read these indexes alone; visibility comes last, for as a first
            # column it would tempt the planner away from the order of time.
            models.Index(fields=[*FACET_COLUMNS, "visibility"], name="exposure_facets"),
            models.Index(fields=["exp_mjd_start", *FACET_COLUMNS, "visibility"], name="exposure_mjd_facets"),
        ]

    def __str__(self) -> str:
        return self.exp_id


class ContinuationFile(models.Model):
    """A further file of an exposure that was split on disk (MIDI); it waits for its first file."""

    group_key = models.CharField(max_length=120, db_index=True)
    header_version = models.ForeignKey(HeaderVersion, on_delete=models.PROTECT)
    header_id = models.CharField(max_length=120, unique=True)
    index = models.IntegerField()
    exp_mjd_end = models.FloatField(null=True)

    def __str__(self) -> str:
        return f"{self.header_id} ({self.index})"


class Override(models.Model):
    """A curator's correction of one field. A new row replaces the earlier one; none is changed.

    A row that withdraws brings back what the header says.
    """

    exposure = models.ForeignKey(Exposure, on_delete=models.CASCADE, related_name="overrides")
    field = models.CharField(max_length=40)
    value = models.JSONField(null=True)
    reason = models.TextField()
    author = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT)
    created_at = models.DateTimeField()
    parent = models.ForeignKey("self", null=True, on_delete=models.PROTECT)
    withdraws = models.BooleanField(default=False, help_text="Ends the correction: the header counts again.")
    before = models.JSONField(
        null=True, help_text="The columns it changed, as they were without any correction of this field."
    )

    def __str__(self) -> str:
        return f"{self.exposure_id}.{self.field} = {self.value}"


class Heartbeat(models.Model):
    """When a background process last said it was alive."""

    name = models.CharField(max_length=60, primary_key=True)
    beat_at = models.DateTimeField()
    detail = models.CharField(max_length=200, blank=True)

    def __str__(self) -> str:
        return self.name
