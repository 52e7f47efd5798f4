"""The exposures application."""

from django.apps import AppConfig


class ExposuresConfig(AppConfig):
    """Level 0: raw headers become exposures."""

    name = "obsportal.exposures"
    label = "exposures"

    def ready(self) -> None:
        """Gather pointings anew where known stars change."""
        from obsportal.exposures.gather import targets
        from obsportal.stars.changes import Change, stars_changed

        def follow(change: Change, **_: object) -> None:
            targets.follow_stars(change)

        stars_changed.connect(follow, weak=False, dispatch_uid="exposures.targets")
