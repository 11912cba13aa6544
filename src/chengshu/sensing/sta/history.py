"""Things move: where one stands now, and where it stood before (18-088, 8.2.2 and 8.2.3).

The Locations that a Thing is given at once are one place in different encodings, and replace those it had. Moving makes a
HistoricalLocation of the moment; a HistoricalLocation that is given by hand and is later than all others moves the Thing.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from chengshu.sensing import known, news
from chengshu.sensing.models import Datastream, FeatureOfInterest, HistoricalLocation, Location, Thing
from chengshu.sensing.scope import Scope
from chengshu.sensing.sta import place
from chengshu.sensing.sta.body import Malformed


def move(thing: Thing, locations: Sequence[Location], scope: Scope, at: datetime) -> None:
    """Put a Thing (locked, or new) to Locations from now on, and remember it."""
    stand(thing, locations, scope, at)
    made = HistoricalLocation.objects.create(thing=thing, time=at)
    made.locations.set(locations)
    news.made("HistoricalLocations", [made.pk])
    news.changed("Locations", [location.pk for location in locations], ["Things"])


def locked(thing: int) -> Thing:
    """A Thing and its Datastreams, locked; these first, as whoever adds observations locks them."""
    hold([thing])
    return Thing.objects.select_for_update(no_key=True).get(pk=thing)


def hold(things: Sequence[int]) -> None:
    """Lock the Datastreams of Things, in order."""
    rows = Datastream.objects.select_for_update(no_key=True).filter(thing__in=things)
    list(rows.order_by("pk").values_list("pk"))


def remembered(made: HistoricalLocation, locations: Sequence[Location], scope: Scope, at: datetime) -> None:
    """What a new HistoricalLocation, given by hand, means for its Thing."""
    made.locations.set(locations)
    later = HistoricalLocation.objects.filter(thing=made.thing_id, time__gte=made.time).exclude(pk=made.pk)
    if not later.exists():
        stand(locked(made.thing_id), locations, scope, at)


def stand(thing: Thing, locations: Sequence[Location], scope: Scope, at: datetime) -> None:
    """Set the Locations of a Thing and what follows from them."""
    encodings = [location.encoding_type for location in locations]
    if len(set(encodings)) < len(set(locations)):
        raise Malformed("The Locations of a Thing differ in encodingType.", where="Locations")
    thing.locations.set(locations)
    settle(thing, scope, at)


def settle(thing: Thing, scope: Scope, at: datetime) -> None:
    """Bring a Thing's place, point and features in line with its Locations. One that has none any more keeps its divisions."""
    chosen = main(list(thing.locations.order_by("pk")))
    geometry = chosen.location if chosen is not None and chosen.encoding_type in place.GEOJSON else None
    found = place.find(geometry, scope, at)
    for name, value in {**found.columns, "places": chosen.places if chosen is not None else thing.places}.items():
        setattr(thing, name, value)
    thing.lon, thing.lat = found.point or (None, None)
    thing.cell = found.cell
    thing.save(update_fields=["places", "west", "south", "east", "north", "lon", "lat", "cell"])
    feature = FeatureOfInterest.objects.filter(location=chosen).first() if chosen is not None else None
    Datastream.objects.filter(thing=thing).update(feature=feature)
    known.changed()


def main(locations: Sequence[Location]) -> Location | None:
    """Of Locations the one that says where a Thing stands: the first in GeoJSON, or the first."""
    return min(locations, key=lambda each: (each.encoding_type not in place.GEOJSON, each.pk), default=None)
