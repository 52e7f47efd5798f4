"""obsportal: the observation portal for optical interferometers."""

__version__ = "0.1.0"
