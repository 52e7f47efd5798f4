"""From pointings to targets: which star an exposure belongs to."""
