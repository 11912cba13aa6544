-- Observations by UTC day of their phenomenon time. Hot days are partitions; sealed days stand in the lake.
--
-- id = day since 1970-01-01 << 37 | serial: it tells the day, and is below 2^53 until 2149. A serial comes from one sequence
-- that goes round: within one day 2^37 observations are told apart.
-- No foreign key leads to the datastream, for it would cost a look-up a row: who writes holds the shared lock
-- 'sensing', who deletes datastreams the exclusive one.
CREATE TABLE sensing_observation (
    datastream bigint NOT NULL,
    at timestamptz NOT NULL,            -- phenomenonTime, or its start
    nth smallint NOT NULL DEFAULT 0,    -- tells those of one datastream and time apart
    id bigint NOT NULL,
    result double precision,            -- a number; everything else stands in other
    feature bigint,
    until timestamptz,                  -- end of the phenomenonTime where it is an interval
    result_time timestamptz,
    valid_from timestamptz,
    valid_until timestamptz,
    other jsonb,
    quality jsonb,
    parameters jsonb
) PARTITION BY RANGE (at);

CREATE UNIQUE INDEX sensing_observation_once ON sensing_observation (datastream, at, nth);

CREATE SEQUENCE sensing_serial MINVALUE 1 MAXVALUE 137438953471 CYCLE;

CREATE FUNCTION sensing_partition(day date) RETURNS text LANGUAGE sql IMMUTABLE AS
    $$ SELECT 'sensing_observation_' || to_char(day, 'YYYYMMDD') $$;

CREATE FUNCTION sensing_day(id bigint) RETURNS date LANGUAGE sql IMMUTABLE AS
    $$ SELECT date '1970-01-01' + (id >> 37)::int $$;

-- An observation whose phenomenonTime was given another day keeps its number; here is the day that its row stands in.
CREATE TABLE sensing_moved (
    observation bigint PRIMARY KEY,
    day date NOT NULL
);

-- Makes the partition of a day unless it is there. In a transaction of its own: attaching holds no one up, waiting does.
CREATE FUNCTION sensing_open_day(wanted date) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    name text := sensing_partition(wanted);
    first timestamptz := wanted::timestamp AT TIME ZONE 'UTC';
    after timestamptz := (wanted + 1)::timestamp AT TIME ZONE 'UTC';
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('sensing_day'), wanted - date '1970-01-01');
    IF to_regclass(name) IS NULL THEN
        EXECUTE format('CREATE TABLE %I (LIKE sensing_observation INCLUDING DEFAULTS, CHECK (at >= %L AND at < %L))', name, first, after);
        EXECUTE format('CREATE UNIQUE INDEX ON %I (id)', name);
        EXECUTE format('ALTER TABLE sensing_observation ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', name, first, after);
    END IF;
    INSERT INTO sensing_day (day, hot, cold, changes) VALUES (wanted, true, false, 0)
        ON CONFLICT (day) DO UPDATE SET hot = true WHERE NOT sensing_day.hot;
END $$;

-- Rises when datastreams change: processes that keep what they know of them look at it once a second. It is no row, for
-- a row would be locked by the first who changes something until that transaction ends.
CREATE SEQUENCE sensing_register_version;

-- A block of serial numbers, its first. Short: the lock is given back here, not with the transaction.
CREATE FUNCTION sensing_serials(wanted bigint) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    first bigint;
BEGIN
    PERFORM pg_advisory_lock(hashtext('sensing_serial'));
    first := nextval('sensing_serial');
    IF first + wanted > 137438953471 THEN
        first := 1;
    END IF;
    PERFORM setval('sensing_serial', first + wanted - 1);
    PERFORM pg_advisory_unlock(hashtext('sensing_serial'));
    RETURN first;
END $$;

-- What accept() does before it copies, in one call. state: 'stale' when datastreams changed since the rows were checked, 'known'
-- when the same content came before (delivery is that one), else 'new' with a block of serial numbers. cold: whether the
-- lake holds any of the days. The first two locks keep out whoever deletes datastreams, and whoever seals a day.
CREATE FUNCTION sensing_begin(city bigint, door text, digest bytea, media_type text, received timestamptz, account bigint,
    version bigint, wanted bigint, days date[], OUT state text, OUT delivery bigint, OUT serial bigint, OUT cold boolean)
    LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared(hashtext('sensing'));
    LOCK TABLE ONLY sensing_observation IN ACCESS SHARE MODE;
    state := 'new';
    IF (SELECT last_value FROM sensing_register_version) <> version THEN
        state := 'stale';
        RETURN;
    END IF;
    INSERT INTO sensing_delivery AS d
        (city_id, door, digest, media_type, received, account_id, rows, known, refused, days, seen, looked)
        VALUES (city, door, digest, media_type, received, account, 0, 0, 0, days, false, false)
        ON CONFLICT ON CONSTRAINT sensing_delivery_once DO NOTHING RETURNING d.id INTO delivery;
    IF delivery IS NULL THEN
        state := 'known';
        SELECT d.id INTO delivery FROM sensing_delivery d WHERE d.city_id = city AND d.digest = sensing_begin.digest;
        RETURN;
    END IF;
    serial := sensing_serials(greatest(wanted, 1));
    cold := EXISTS (SELECT FROM sensing_day s WHERE s.day = ANY(days) AND s.cold);
END $$;
