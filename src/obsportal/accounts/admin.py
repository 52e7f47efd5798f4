"""People in the administration pages."""

from django.conf import settings
from django.contrib import admin
from django.contrib.auth.admin import UserAdmin

from obsportal.accounts.models import User

admin.site.site_header = admin.site.site_title = settings.OBSPORTAL_SITE_NAME
admin.site.register(User, UserAdmin)
