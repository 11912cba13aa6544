"""The entities of OGC SensorThings 1.1, Sensing (18-088), and what accept() keeps beside them.

Identifiers are whole numbers that a JSON number holds exactly. Members that SensorThings names bear its names in snake case;
what the register of things adds (owner, duty unit, liveness) is said to be ours in its help text. Observations themselves are no
model of Django's: they stand in partitions by UTC day that `sql/observations.sql` defines and `store` writes.
"""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import F, Q

from chengshu.parties.models import Account, Department
from chengshu.places.models import City


class Kept(models.Model):
    """What every entity has: its city, name and description, and free properties."""

    city = models.ForeignKey(City, models.PROTECT, related_name="+")
    name = models.TextField()
    description = models.TextField()
    properties = models.JSONField(null=True)

    class Meta:
        abstract = True


class Placed(Kept):
    """An entity somewhere: the divisions around it from the city down, which decide who sees it (ours), and its WGS 84 box."""

    places = ArrayField(models.BigIntegerField())
    west = models.FloatField(null=True)
    south = models.FloatField(null=True)
    east = models.FloatField(null=True)
    north = models.FloatField(null=True)

    class Meta:
        abstract = True


class Location(Placed):
    """Where Things stand, as `encoding_type` says: GeoJSON, or any document, which then has no box."""

    encoding_type = models.TextField()
    location = models.JSONField()

    class Meta:
        indexes = [
            GinIndex(fields=["places"], name="sensing_location_places"),
            models.Index(fields=["city", "id"], name="sensing_location_city"),
            models.Index(fields=["west", "south"], name="sensing_location_box"),
        ]


class FeatureOfInterest(Placed):
    """What an Observation is about; for a Thing at a known Location that Location, made once and used again."""

    encoding_type = models.TextField()
    feature = models.JSONField()
    location = models.OneToOneField(
        Location,
        models.SET_NULL,
        null=True,
        related_name="feature_of_interest",
        help_text="the Location it was made of",
    )

    class Meta:
        indexes = [
            GinIndex(fields=["places"], name="sensing_feature_places"),
            models.Index(fields=["city", "id"], name="sensing_feature_city"),
            models.Index(fields=["west", "south"], name="sensing_feature_box"),
        ]


class Sensor(Kept):
    """A procedure: the instrument or method that observes."""

    encoding_type = models.TextField()
    metadata = models.JSONField()

    class Meta:
        indexes = [models.Index(fields=["city", "id"], name="sensing_sensor_city")]


class ObservedProperty(Kept):
    """A phenomenon: what is observed. `definition` is its URI."""

    definition = models.TextField()

    class Meta:
        indexes = [models.Index(fields=["city", "id"], name="sensing_observedproperty_city")]


class Liveness(models.TextChoices):
    """How a Thing is doing, judged by the rule of its type."""

    NEW = "new", "new"  # never heard of
    LIVE = "live", "live"
    LATE = "late", "late"
    SILENT = "silent", "silent"
    FAULTY = "faulty", "faulty"  # it speaks, but what it says cannot be right
    RETIRED = "retired", "retired"


class Thing(Placed):
    """A thing that senses, with its row in the register (ours): key, type, owner, duty unit, state."""

    key = models.TextField(null=True, help_text="by which its owner and gateways know it, once in a city")
    type = models.TextField(blank=True, help_text="code of its kind, by which liveness is judged")
    owner = models.ForeignKey(Department, models.PROTECT, null=True, related_name="+")
    duty = models.ForeignKey(Department, models.PROTECT, null=True, related_name="+", help_text="who mends it")
    locations = models.ManyToManyField(Location, related_name="things", help_text="where it stands now")
    lon = models.FloatField(null=True)
    lat = models.FloatField(null=True)
    cell = models.BigIntegerField(null=True, help_text="H3 cell of resolution 9")
    state = models.TextField(choices=Liveness.choices, default=Liveness.NEW)
    state_at = models.DateTimeField(null=True)
    last_seen = models.DateTimeField(null=True, help_text="when the latest of its observations came in")
    retired_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["city", "key"], name="sensing_thing_key_once")]
        indexes = [
            GinIndex(fields=["places"], name="sensing_thing_places"),
            models.Index(fields=["city", "id"], name="sensing_thing_city"),
            models.Index(fields=["city", "type", "state"], name="sensing_thing_state"),
            models.Index(fields=["cell"], name="sensing_thing_cell"),
            models.Index(fields=["owner"], name="sensing_thing_owner"),
            models.Index(fields=["duty"], name="sensing_thing_duty"),
            models.Index(fields=["state", "id"], condition=~Q(state="live"), name="sensing_thing_unwell"),
            models.Index(
                fields=["city", "name"], opclasses=["int8_ops", "text_pattern_ops"], name="sensing_thing_name"
            ),
        ]


class ThingChange(models.Model):
    """What happened to a Thing in the register: a state it came into, or what a person did, and why. Append-only.

    `told` waits for whoever opens maintenance cases: False for what falls silent or faulty, and for what recovers of that.
    """

    thing = models.ForeignKey(Thing, models.CASCADE, related_name="changes", db_index=False)
    at = models.DateTimeField()
    account = models.ForeignKey(Account, models.PROTECT, null=True, related_name="+", help_text="null: by rule")
    act = models.TextField(help_text="state, faulty, mended, retired, returned, changed")
    was = models.TextField(blank=True, help_text="the state before")
    state = models.TextField(blank=True)
    why = models.TextField(blank=True)
    facts = models.JSONField(default=dict, help_text="what was corrected: name → [before, after]")
    told = models.BooleanField(default=True)

    class Meta:
        indexes = [
            models.Index(fields=["thing", "-id"], name="sensing_thingchange_thing"),
            models.Index(fields=["at"], condition=Q(told=False), name="sensing_thingchange_untold"),
        ]


class Slice(models.Model):
    """8192 neighbouring numbers of Things, judged together: `id` is that of each Thing shifted right by 13."""

    id = models.BigIntegerField(primary_key=True)
    due_at = models.DateTimeField(db_index=True, help_text="when the state of one of them can change first")
    judged_at = models.DateTimeField(null=True)


class Tally(models.Model):
    """How many Things of a slice are in a state, by type and by the division below the city."""

    slice = models.BigIntegerField()
    city = models.ForeignKey(City, models.CASCADE, related_name="+", db_index=False)
    type = models.TextField(blank=True)
    division = models.BigIntegerField(help_text="below the city; 0 where none is known")
    state = models.TextField(choices=Liveness.choices)
    n = models.IntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["slice", "city", "type", "division", "state"], name="sensing_tally_once")
        ]
        indexes = [models.Index(fields=["city"], name="sensing_tally_city")]


class HistoricalLocation(models.Model):
    """Where a Thing stood from `time` on. Kept by moving the Thing."""

    thing = models.ForeignKey(Thing, models.CASCADE, related_name="historical_locations")
    time = models.DateTimeField()
    locations = models.ManyToManyField(Location, related_name="historical_locations")

    class Meta:
        indexes = [models.Index(fields=["thing", "time"], name="sensing_historical_thing")]


class Datastream(Kept):
    """Observations of one property by one sensor of one Thing.

    Ours: `key`, by which gateways name it; `ucum`, its unit in UCUM where the unit of measurement says one, and then what comes
    in another unit is converted; `low` and `high`, beyond which a result cannot be true; `period`, the seconds between results.
    """

    key = models.TextField(null=True, help_text="by which gateways know it, once in a city")
    observation_type = models.TextField()
    unit_of_measurement = models.JSONField()
    observed_area = models.JSONField(null=True)
    thing = models.ForeignKey(Thing, models.CASCADE, related_name="datastreams")
    sensor = models.ForeignKey(Sensor, models.CASCADE, related_name="datastreams")
    observed_property = models.ForeignKey(ObservedProperty, models.CASCADE, related_name="datastreams")
    ucum = models.TextField(blank=True)
    low = models.FloatField(null=True)
    high = models.FloatField(null=True)
    period = models.FloatField(null=True)
    feature = models.ForeignKey(
        FeatureOfInterest, models.SET_NULL, null=True, related_name="+", help_text="of its Thing's present Location"
    )
    # What it has observed; kept by those who write observations, in their transaction or soon after.
    first_at = models.DateTimeField(null=True)
    last_start = models.DateTimeField(
        null=True, help_text="start of the latest phenomenonTime; last_at is its latest end"
    )
    last_at = models.DateTimeField(null=True)
    first_result_at = models.DateTimeField(null=True)
    last_result_at = models.DateTimeField(null=True)
    last_id = models.BigIntegerField(null=True, help_text="the observation at last_start")
    last_result = models.FloatField(null=True)
    last_received = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["city", "key"], name="sensing_datastream_key_once"),
            models.CheckConstraint(
                condition=Q(low=None) | Q(high=None) | Q(low__lte=F("high")), name="sensing_datastream_range"
            ),
        ]
        indexes = [models.Index(fields=["city", "id"], name="sensing_datastream_city")]


class Delivery(models.Model):
    """What came in at once through one door, known by its digest: the same content again adds nothing."""

    city = models.ForeignKey(City, models.PROTECT, related_name="+")
    door = models.TextField(help_text="bulk, dataArray, mqtt, file:NAME, poll:NAME, repair …")
    digest = models.BinaryField(
        null=True, help_text="SHA-256 of the content; none where the content has no times of its own"
    )
    media_type = models.TextField()
    received = models.DateTimeField(db_index=True)
    account = models.ForeignKey(Account, models.SET_NULL, null=True, related_name="+")
    rows = models.IntegerField(default=0, help_text="observations added")
    known = models.IntegerField(default=0, help_text="observations that were there before")
    refused = models.IntegerField(default=0, help_text="rows in quarantine")
    serial_first = models.BigIntegerField(null=True, help_text="block of serial numbers of its observations")
    serial_last = models.BigIntegerField(null=True)
    days = ArrayField(models.DateField(), default=list)
    first_at = models.DateTimeField(null=True, help_text="earliest phenomenonTime that it added")
    seen = models.BooleanField(default=False, help_text="whether what follows from it was done")
    looked = models.BooleanField(default=False, help_text="whether the scenes know that it came")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["city", "digest"], name="sensing_delivery_once")]
        indexes = [
            models.Index(fields=["id"], condition=Q(seen=False), name="sensing_delivery_unseen"),
            models.Index(fields=["city", "id"], condition=Q(looked=False), name="sensing_delivery_new"),
        ]


class Raw(models.Model):
    """The content of a delivery as it came, compressed with Zstandard."""

    delivery = models.OneToOneField(Delivery, models.CASCADE, primary_key=True, related_name="raw")
    content = models.BinaryField()


class Quarantined(models.Model):
    """A row that could not be taken: why, where it stood, what mends it; repaired, it is sent again from a page."""

    class State(models.TextChoices):
        OPEN = "open", "open"
        REPAIRED = "repaired", "repaired"
        DROPPED = "dropped", "dropped"

    city = models.ForeignKey(City, models.PROTECT, related_name="+")
    delivery = models.ForeignKey(Delivery, models.CASCADE, related_name="quarantined")
    line = models.IntegerField(help_text="counted from 1")
    datastream = models.ForeignKey(Datastream, models.SET_NULL, null=True, related_name="+")
    reason = models.TextField(help_text="code, such as range, unit, time, unknown, contradicts")
    detail = models.TextField()
    content = models.JSONField(help_text="the row as read")
    state = models.TextField(choices=State.choices, default=State.OPEN)
    at = models.DateTimeField()
    by = models.ForeignKey(Account, models.SET_NULL, null=True, related_name="+")

    class Meta:
        indexes = [models.Index(fields=["city", "state", "reason"], name="sensing_quarantine_open")]


class Day(models.Model):
    """A UTC day of observations: where its rows stand, and how often what was written to it changed after it had ended."""

    day = models.DateField(primary_key=True)
    hot = models.BooleanField(default=True, help_text="whether a partition holds rows of it")
    cold = models.BooleanField(default=False, help_text="whether the lake holds rows of it")
    changes = models.BigIntegerField(default=0)
    sealed_at = models.DateTimeField(null=True)


class Gone(models.Model):
    """An observation that the lake still holds but that was deleted or replaced; its day's next sealing leaves it out."""

    observation = models.BigIntegerField(primary_key=True)
    day = models.DateField(db_index=True)


class GoneStream(models.Model):
    """A datastream that was deleted while the lake holds observations of it."""

    datastream = models.BigIntegerField(primary_key=True)


class Lake(models.Model):
    """The one row that says which version of the lake's table of observations is true: whoever reads, reads that one."""

    id = models.SmallIntegerField(primary_key=True, default=1)
    version = models.BigIntegerField(null=True)


class FeedKind(models.TextChoices):
    """How a feed is fetched, or that it comes by itself."""

    HTTP = "http", "http"
    SQL = "sql", "sql"
    FILE = "file", "file"
    MQTT = "mqtt", "mqtt"  # not fetched: messages come by themselves


class FeedState(models.TextChoices):
    """Whether a feed is looked at, and whether the last look went well."""

    ON = "on", "on"
    FAILING = "failing", "failing"
    OFF = "off", "off"


class Feed(models.Model):
    """A source that is looked at by schedule: an address, a database, a folder, read by a declared mapping."""

    city = models.ForeignKey(City, models.PROTECT, related_name="+")
    name = models.SlugField(help_text="once in a city; also its folder")
    label = models.TextField(help_text="what people call it")
    kind = models.TextField(choices=FeedKind.choices)
    address = models.TextField(blank=True, help_text="URL; {cursor} stands for where it got to; or filter of topics")
    query = models.TextField(blank=True, help_text="a SELECT; %(cursor)s stands for where it got to")
    mapping = models.JSONField()
    schedule = models.TextField(help_text="seconds, or times of day such as 06:00 18:00")
    owner = models.ForeignKey(
        Department, models.PROTECT, null=True, related_name="+", help_text="it writes its Things only"
    )
    header = models.TextField(default="Authorization", help_text="in which the secret is sent")
    secret = models.BinaryField(null=True, help_text="encrypted; never shown again")
    secret_name = models.TextField(blank=True, help_text="of the environment's variable that holds the secret instead")
    state = models.TextField(choices=FeedState.choices, default=FeedState.OFF)
    cursor = models.JSONField(default=dict, help_text="where it got to: value, next, etag, modified")
    tried_at = models.DateTimeField(null=True)
    succeeded_at = models.DateTimeField(null=True)
    failures = models.IntegerField(default=0, help_text="in a row")
    error = models.TextField(blank=True)
    next_at = models.DateTimeField(null=True)
    lease = models.UUIDField(null=True, help_text="of the process that is at it; next_at is when that ends")
    version = models.IntegerField(default=1, help_text="rises with every change by a person")
    made_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["city", "name"], name="sensing_feed_once")]
        indexes = [models.Index(fields=["next_at"], condition=~Q(state="off"), name="sensing_feed_due")]


class FeedChange(models.Model):
    """Who changed a feed, why, and what it was before and after (never its secret). Append-only."""

    feed = models.ForeignKey(Feed, models.CASCADE, related_name="changes")
    at = models.DateTimeField()
    account = models.ForeignKey(Account, models.PROTECT, null=True, related_name="+")
    act = models.TextField(help_text="made, changed, on, off, run")
    why = models.TextField(blank=True)
    before = models.JSONField(null=True)
    after = models.JSONField()

    class Meta:
        indexes = [models.Index(fields=["feed", "at"], name="sensing_feedchange_feed")]
