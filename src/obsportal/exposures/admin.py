"""Exposures in the administration pages: what curators look at and correct."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest

from obsportal.exposures import corrections
from obsportal.exposures.models import Exposure, Override, RefusedHeader, Target


class ReadOnly(admin.ModelAdmin):  # type: ignore[type-arg]
    """Rows that only ingest changes."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Nobody adds rows by hand."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody changes rows by hand."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody deletes rows by hand."""
        return False


@admin.register(Exposure)
class ExposureAdmin(ReadOnly):
    """Exposures, found by identifier, programme or target."""

    list_display = ("exp_id", "instrument_name", "instrument_mode", "obs_type", "obs_program", "visibility")
    list_filter = ("instrument_name", "obs_type", "exp_validation_level", "visibility")
    search_fields = ("exp_id", "obs_program", "target__name")
    show_full_result_count = False
    exclude = ("header", "provenance")


@admin.register(RefusedHeader)
class RefusedHeaderAdmin(ReadOnly):
    """Refused headers and the test that said so."""

    list_display = ("header_id", "code", "instrument_name", "reason", "last_seen")
    list_filter = ("code", "instrument_name")
    search_fields = ("header_id", "reason")
    exclude = ("header_version",)


@admin.register(Target)
class TargetAdmin(ReadOnly):
    """Targets."""

    list_display = ("name", "ra", "dec")
    search_fields = ("name", "normalised_name")


class OverrideForm(forms.ModelForm):  # type: ignore[type-arg]
    """A correction, checked by the same rules as everywhere."""

    class Meta:
        model = Override
        fields = ("exposure", "field", "value", "reason")

    field = forms.ChoiceField(choices=[(name, name) for name in corrections.OVERRIDABLE])

    def clean(self) -> dict[str, Any]:
        """Refuse what the service refuses."""
        values = super().clean() or {}
        try:
            corrections.check_override(values.get("field", ""), values.get("value"), values.get("reason", ""))
        except corrections.OverrideError as error:
            raise forms.ValidationError(str(error)) from error
        return values


@admin.register(Override)
class OverrideAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Corrections: added, never changed or deleted."""

    form = OverrideForm
    list_display = ("exposure", "field", "value", "author", "created_at")
    raw_id_fields = ("exposure",)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """A correction is replaced by a newer one, not edited."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """A correction stays in the log."""
        return False

    def save_model(self, request: HttpRequest, obj: Override, form: Any, change: bool) -> None:
        """Apply the correction through the service."""
        made = corrections.override(
            obj.exposure,
            obj.field,
            obj.value,
            reason=obj.reason,
            author=request.user,  # type: ignore[arg-type]
        )
        obj.pk = made.pk
