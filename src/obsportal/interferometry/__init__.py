"""The science of the portal: arrays, geometry, sky and time. NumPy and astropy only."""
