"""Drawings made on the server: UV coverage, sidereal times, nights, bars."""
