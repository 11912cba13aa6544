"""The WSGI application that the web processes serve."""

import gc
import os

from django.core.wsgi import get_wsgi_application

from chengshu import logs

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chengshu.settings")
logs.configure()
application = get_wsgi_application()

# What was made to start lives as long as the process: the collector need not go through it again and again.
gc.collect()
gc.freeze()
gc.set_threshold(20_000, 20, 50)
