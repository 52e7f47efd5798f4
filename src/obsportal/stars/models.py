"""Known stars with their names, and what name services answered.

Positions are ICRS at epoch J2000.0 in degrees; proper motions mas/yr, the one in RA with cos(dec).
"""

from __future__ import annotations

from django.db import models


class Star(models.Model):
    """A star whose place at J2000 and motion are known, from a loaded list or a name service."""

    name = models.CharField(max_length=80, help_text="Its main name, as the source gives it.")
    ra = models.FloatField(help_text="deg, ICRS, epoch J2000.0")
    dec = models.FloatField(help_text="deg, ICRS, epoch J2000.0")
    hpx = models.BigIntegerField(db_index=True, help_text="HEALPix, nested, order 29")
    pm_ra = models.FloatField(null=True, help_text="mas/yr, with cos(dec)")
    pm_dec = models.FloatField(null=True, help_text="mas/yr")
    parallax = models.FloatField(null=True, help_text="mas")
    object_type = models.CharField(max_length=20, blank=True)
    spectral_type = models.CharField(max_length=40, blank=True)
    source = models.CharField(max_length=80, help_text="sesame, or the name of the list it was loaded from.")
    updated_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["source", "name"], name="star_once_per_source")]

    def __str__(self) -> str:
        return self.name


class StarName(models.Model):
    """One of the names of a star."""

    star = models.ForeignKey(Star, on_delete=models.CASCADE, related_name="names")
    name = models.CharField(max_length=80)
    normalised_name = models.CharField(max_length=80, db_index=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["star", "normalised_name"], name="star_name_once")]

    def __str__(self) -> str:
        return self.name


class NameQuery(models.Model):
    """What a name service answered for a name, so that it is not asked again too soon."""

    class Outcome(models.TextChoices):
        """How it ended."""

        FOUND = "found", "found"
        UNKNOWN = "unknown", "not known there"
        FAILED = "failed", "the service did not answer"

    normalised_name = models.CharField(max_length=80, unique=True)
    name = models.CharField(max_length=80)
    outcome = models.CharField(max_length=10, choices=Outcome.choices)
    detail = models.CharField(max_length=200, blank=True)
    asked_at = models.DateTimeField()
    star = models.ForeignKey(Star, null=True, on_delete=models.SET_NULL)

    def __str__(self) -> str:
        return f"{self.name}: {self.outcome}"
