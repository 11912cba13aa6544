"""The ASGI application that the live process serves."""

import os

from chengshu import logs
from chengshu.live.app import application_on

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chengshu.settings")
logs.configure()
application = application_on(os.environ["CHENGSHU_DATABASE_URL"])
