"""FeaturesOfInterest made of Locations: once for each Location, when something is first observed there (18-088, 10.2.1.1)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from django.db import connection, transaction

from chengshu.sensing import known

_CHOSEN: Final = """
SELECT DISTINCT ON (d.thing_id) d.thing_id, l.*
FROM sensing_datastream d
    JOIN sensing_thing_locations s ON s.thing_id = d.thing_id
    JOIN sensing_location l ON l.id = s.location_id
WHERE d.id = ANY(%s)
ORDER BY d.thing_id, l.encoding_type IN ('application/geo+json', 'application/vnd.geo+json') DESC, l.id
"""
_LOCK: Final = """
SELECT id FROM sensing_datastream WHERE thing_id IN (SELECT thing_id FROM sensing_datastream WHERE id = ANY(%s))
ORDER BY id FOR NO KEY UPDATE
"""
_MAKE: Final = f"""
INSERT INTO sensing_featureofinterest
    (city_id, name, description, properties, places, west, south, east, north, encoding_type, feature, location_id)
SELECT DISTINCT ON (id) city_id, name, description, properties, places, west, south, east, north, encoding_type, location, id
FROM ({_CHOSEN}) chosen
ON CONFLICT (location_id) DO NOTHING
"""  # noqa: S608
_LINK: Final = f"""
UPDATE sensing_datastream d SET feature_id = f.id
FROM ({_CHOSEN}) chosen JOIN sensing_featureofinterest f ON f.location_id = chosen.id
WHERE d.thing_id = chosen.thing_id AND d.feature_id IS DISTINCT FROM f.id
"""  # noqa: S608


def ensure(datastreams: Sequence[int]) -> None:
    """Give these datastreams, and the others of their Things, the feature of their Thing's Location: GeoJSON first. What stands
    nowhere gets none.
    """
    ids = sorted(datastreams)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_LOCK, [ids])  # who moves one of the Things meanwhile comes before or after
        cursor.execute(_MAKE, [ids])
        cursor.execute(_LINK, [ids])
        if cursor.rowcount:
            known.changed()
