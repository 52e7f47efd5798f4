"""From exposures to observations, and from science to its calibrators."""
