"""The WSGI application that the web processes serve."""

import os

from django.core.wsgi import get_wsgi_application

from chengshu import logs

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chengshu.settings")
logs.configure()
application = get_wsgi_application()
