"""``python -m obsportal`` is the ``obsportal`` command."""

from obsportal.cli import main

main()
