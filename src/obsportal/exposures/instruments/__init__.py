"""One rule file per instrument: what its headers mean."""
