"""The WSGI application that servers load."""

import os
import sys

from django.core.wsgi import get_wsgi_application

# Each step of SQLite gives up the interpreter lock; with the default of 5 ms between forced switches a
# thread that comes back waits that long for one that formats an answer.
sys.setswitchinterval(0.0005)

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "obsportal.site.settings")
application = get_wsgi_application()
