"""What happens now, told to the pages that are open: one small process that sends server-sent events.

Only `announce` touches Django's database; the process itself (`app`) knows no model, so that it stays small.
"""
