-- The only writers of cases. Both take a batch (a JSON array), lock in id order, give a verdict for every row, and write
-- the case, its step, clocks, tasks, evidence and outbox together. A single case is a batch of one. The same case, or the
-- same key, may stand in a batch once: the callers split repetitions into waves. Times are passed in; now() is never read,
-- but for `recorded_at`, which says when the row was written. Plans are made once for a connection (force_generic_plan): made
-- for each batch, they cost five times the work of a small one, and no batch needs another plan.

CREATE TYPE cases_verdict AS (
    i int, verdict text, detail text, case_id uuid, number text, seq int, version int
);

CREATE TYPE cases_opening AS (
    i int, report_id uuid, case_id uuid, origin text, origin_key text, kind_id bigint, number_prefix text, type_id bigint,
    title text, description text, severity smallint, source text, scene text, key text,
    place_text text, lon float8, lat float8, cell bigint, division_id bigint, places bigint[], unit_id bigint,
    reporter_id bigint, account_id bigint, post_id bigint, role text,
    at timestamptz, occurred_at timestamptz, reopen_after timestamptz,
    payload jsonb, contact jsonb, facts jsonb, terms text[], clocks jsonb, evidence uuid[], join_id uuid
);

CREATE TYPE cases_request AS (
    i int, case_id uuid, move text, version int, at timestamptz,
    account_id bigint, post_id bigint, role text, scope text, division_id bigint, department_id bigint,
    note text, facts jsonb, unit_id bigint, target_id uuid, evidence uuid[], clocks jsonb,
    type_id bigint, severity smallint, place_text text, lon float8, lat float8, cell bigint,
    place_id bigint, places bigint[], not_before timestamptz, returns_limit int
);

CREATE TYPE cases_work AS (
    i int, verdict text, detail text, case_id uuid, number text, seq int, version int,
    move_id bigint, from_state bigint, to_state bigint, phase text, does text[], stops text[], pauses boolean, resumes boolean,
    r cases_request  -- carried along: joined again by number, a batch would cost its square
);

CREATE TYPE cases_opened AS (
    i int, verdict text, case_id uuid, number text, seq int, version int,
    move_id bigint, from_state bigint, to_state bigint, r cases_opening
);

CREATE SEQUENCE cases_number;

-- At least six digits; lpad alone would cut the millionth number short.
CREATE FUNCTION cases_serial(n bigint) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT lpad(n::text, greatest(6, length(n::text)), '0')
$$;

-- The functions that judge are plpgsql, which keeps their plans; those of SQL functions are made anew with every call.
-- Did this account report the case, in the city to which the division belongs? Places begin with the city's root.
CREATE FUNCTION cases_reported(division bigint, account bigint, c cases_case)
RETURNS boolean LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN c.reporter_id = account AND EXISTS (
        SELECT FROM places_division d WHERE d.id = division AND d.path[1] = ANY (c.places));
END
$$;

-- May a post with this scope see the case? The same rule for reading stands in cases/visibility.py. What an official reported
-- is seen besides, in the city of the post.
CREATE FUNCTION cases_visible(scope text, division bigint, department bigint, account bigint, c cases_case)
RETURNS boolean LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN (
    CASE scope
        WHEN 'all' THEN true
        WHEN 'area' THEN division = ANY (c.places) OR cases_reported(division, account, c)
        WHEN 'unit' THEN c.unit_id = department OR EXISTS (
            SELECT FROM cases_task t WHERE t.case_id = c.id AND t.unit_id = department AND t.state IN ('open', 'done'))
            OR cases_reported(division, account, c)
        WHEN 'own' THEN c.reporter_id = account OR EXISTS (
            SELECT FROM cases_report r WHERE r.case_id = c.id AND r.account_id = account)
        ELSE false END);
END
$$;

-- The files of a request that may become evidence of its step: the sender's own, and not yet of a case. What came with a
-- report stays what it is: no later step can show it as its proof.
CREATE FUNCTION cases_fresh(r cases_request) RETURNS boolean LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN EXISTS (
        SELECT FROM cases_evidence e
        WHERE e.id = ANY (r.evidence) AND e.case_id IS NULL AND e.account_id IS NOT DISTINCT FROM r.account_id);
END
$$;

-- What a move needs and this request does not bring: the first missing thing, or null.
CREATE FUNCTION cases_missing(needs text[], r cases_request, c cases_case)
RETURNS text LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN (
    SELECT n FROM unnest(needs) WITH ORDINALITY AS need (n, o)
    WHERE NOT CASE n
        WHEN 'note' THEN length(btrim(coalesce(r.note, ''))) >= 2
        WHEN 'unit' THEN EXISTS (
            SELECT FROM parties_department d JOIN cases_kind k ON k.city_id = d.city_id
            WHERE d.id = r.unit_id AND d.active AND k.id = c.kind_id)
        WHEN 'type' THEN coalesce(r.type_id, c.type_id) IS NOT NULL
        WHEN 'evidence' THEN cases_fresh(r)
        WHEN 'type_evidence' THEN (
            SELECT NOT ('photo' = ANY (t.evidence) AND NOT cases_fresh(r)
                        AND NOT EXISTS (SELECT FROM cases_evidence e WHERE e.case_id = c.id))
               AND NOT ('place' = ANY (t.evidence) AND coalesce(r.lon, c.lon) IS NULL
                        AND coalesce(r.place_text, c.place_text, '') = '')
            FROM cases_casetype t WHERE t.id = coalesce(r.type_id, c.type_id))
        WHEN 'rating' THEN (r.facts ->> 'rating')::numeric IN (1, 2, 3, 4, 5)
        WHEN 'until' THEN (r.facts ->> 'until')::timestamptz > r.at
        WHEN 'tracker' THEN EXISTS (
            SELECT FROM parties_account a
            JOIN parties_post p ON p.account_id = a.id AND p.role <> 'citizen'
            JOIN places_division d ON d.id = p.division_id
            JOIN places_city y ON y.id = d.city_id
            JOIN cases_kind k ON k.city_id = y.id
            CROSS JOIN LATERAL (SELECT (r.at AT TIME ZONE y.timezone)::date AS today) t
            WHERE a.id = (r.facts ->> 'tracker_id')::bigint AND a.is_active AND k.id = c.kind_id
              AND coalesce(p.valid_from <= t.today, true) AND coalesce(p.valid_to > t.today, true))
        WHEN 'tasks_done' THEN NOT EXISTS (
            SELECT FROM cases_task t WHERE t.case_id = c.id AND t.state = 'open' AND NOT t.lead)
        WHEN 'task' THEN EXISTS (
            SELECT FROM cases_task t
            WHERE t.case_id = c.id AND t.state = 'open' AND NOT t.lead AND t.unit_id = r.department_id)
        WHEN 'target' THEN EXISTS (
            SELECT FROM cases_case g
            WHERE g.id = r.target_id AND g.id <> c.id AND g.closed_at IS NULL AND g.kind_id = c.kind_id
              AND cases_visible(r.scope, r.division_id, r.department_id, r.account_id, g))
        WHEN 'window' THEN c.closed_at >= r.not_before
        ELSE false END IS TRUE
    ORDER BY n NOT IN ('tasks_done', 'task', 'window'), o LIMIT 1);  -- first what no form field can mend
END
$$;

-- Would these requests be granted as the cases stand? The page asks for every move of a case; cases_move asks before it writes.
-- In plpgsql, because a function in SQL is planned at every call.
CREATE FUNCTION cases_judge(requests cases_request[]) RETURNS cases_work[] LANGUAGE plpgsql STABLE
SET plan_cache_mode = force_generic_plan AS $$
BEGIN
    RETURN (
    SELECT array_agg(ROW(r.i, split_part(v.verdict, ':', 1), split_part(v.verdict, ':', 2), r.case_id, c.number,
                         c.seq + 1, c.version + 1, m.id, m.from_state_id, m.to_state_id, s.phase, m.does, m.clocks_stop,
                         m.clocks_pause, m.clocks_resume, r)::cases_work)
    FROM unnest(requests) r
    LEFT JOIN cases_case c ON c.id = r.case_id
    LEFT JOIN cases_move m ON m.kind_id = c.kind_id AND m.code = r.move AND m.from_state_id = c.state_id AND m.active
    LEFT JOIN cases_state s ON s.id = m.to_state_id
    LEFT JOIN LATERAL (SELECT CASE WHEN cardinality(m.needs) > 0 THEN cases_missing(m.needs, r, c) END AS missing) n ON true
    CROSS JOIN LATERAL (SELECT CASE
        -- `IS NOT TRUE`: what is unknown, such as the account of nobody, grants nothing.
        WHEN c.id IS NULL OR cases_visible(r.scope, r.division_id, r.department_id, r.account_id, c) IS NOT TRUE THEN 'missing'
        WHEN r.version IS NOT NULL AND r.version <> c.version THEN 'conflict'
        WHEN m.id IS NULL THEN 'illegal'
        WHEN (r.role = ANY (m.roles)) IS NOT TRUE THEN 'forbidden'
        WHEN r.scope = 'unit' AND m.from_state_id <> m.to_state_id AND c.unit_id IS DISTINCT FROM r.department_id THEN 'lead'
        WHEN cardinality(m.not_who) > 0 AND EXISTS (
            SELECT FROM cases_step p JOIN cases_move pm ON pm.id = p.move_id
            WHERE p.case_id = c.id AND p.account_id = r.account_id AND pm.code = ANY (m.not_who)) THEN 'separation'
        WHEN 'count_return' = ANY (m.does) AND c.returns >= r.returns_limit THEN 'returns'
        -- Only the last step is withdrawn, by whoever made it, and not for long.
        WHEN 'undo' = ANY (m.does) AND NOT EXISTS (
            SELECT FROM cases_step p
            WHERE p.case_id = c.id AND p.seq = c.seq AND p.account_id = r.account_id AND p.at >= r.not_before
              AND p.from_state_id = m.to_state_id AND p.to_state_id = m.from_state_id
              AND NOT (p.facts ? 'lon' OR p.facts ? 'place_text')) THEN 'undo'  -- where it was before, no step tells
        WHEN n.missing IS NOT NULL THEN 'needs:' || n.missing
        -- An extension to an earlier time would be written into the story and change nothing.
        WHEN 'extend' = ANY (m.does) AND (r.facts ->> 'until')::timestamptz <= c.due_at THEN 'needs:later'
        WHEN r.type_id IS NOT NULL AND NOT EXISTS (
            SELECT FROM cases_casetype t WHERE t.id = r.type_id AND t.kind_id = c.kind_id) THEN 'needs:type'
        WHEN 'split' = ANY (m.does) AND EXISTS (
            SELECT FROM cases_task t WHERE t.case_id = c.id AND t.unit_id = r.unit_id AND t.state = 'open') THEN 'needs:other_unit'
        WHEN s.phase = 'open' AND c.closed_at IS NOT NULL AND c.key IS NOT NULL AND EXISTS (
            SELECT FROM cases_case o WHERE o.scene = c.scene AND o.key = c.key AND o.closed_at IS NULL) THEN 'clash'
        ELSE 'ok' END AS verdict) v);
END
$$;

CREATE FUNCTION cases_move(batch jsonb) RETURNS SETOF cases_verdict LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    requests cases_request[];
    work cases_work[];
BEGIN
    SELECT array_agg(r) INTO requests FROM jsonb_populate_recordset(NULL::cases_request, batch) r;
    -- Locked in a statement of its own, so that what follows sees what the last holder of the lock wrote. The target of a
    -- merge is locked too, or two cases could be merged into each other.
    PERFORM FROM cases_case
    WHERE id = ANY (ARRAY(SELECT r.case_id FROM unnest(requests) r
                          UNION SELECT r.target_id FROM unnest(requests) r WHERE r.target_id IS NOT NULL))
    ORDER BY id FOR UPDATE;

    work := cases_judge(requests);

    IF NOT EXISTS (SELECT FROM unnest(work) w WHERE w.verdict = 'ok') THEN
        RETURN QUERY SELECT w.i, w.verdict, w.detail, w.case_id, w.number, w.seq - 1, w.version - 1 FROM unnest(work) w;
        RETURN;
    END IF;

    UPDATE cases_clock k SET
        stopped_at = CASE WHEN a.stop THEN a.at END,
        stopped_seq = CASE WHEN a.stop THEN a.seq END,
        account_id = CASE WHEN a.stop THEN a.account_id END,
        -- A running limit goes over to the unit that takes the case.
        unit_id = CASE WHEN a.stop THEN k.unit_id ELSE coalesce(a.unit_id, k.unit_id) END,
        paused_at = CASE WHEN a.stop THEN k.paused_at WHEN a.pauses THEN coalesce(k.paused_at, a.at) WHEN a.resumes THEN NULL ELSE k.paused_at END,
        due_at = CASE WHEN a.stop THEN k.due_at ELSE coalesce(a.due_at, k.due_at) END,
        warn_at = CASE WHEN a.stop THEN k.warn_at ELSE coalesce(a.warn_at, k.warn_at) END,
        next_at = CASE WHEN a.stop THEN NULL
                       WHEN a.pauses THEN a.until  -- when the timer resumes the case
                       WHEN a.due_at IS NOT NULL AND (a.resumes OR k.paused_at IS NULL) THEN coalesce(a.warn_at, a.due_at)
                       ELSE k.next_at END
    FROM (
        SELECT w.case_id, w.seq, w.pauses, w.resumes, r.at, r.account_id, o.id, x.due_at, x.warn_at,
               (r.facts ->> 'until')::timestamptz AS until,
               CASE WHEN 'create_task' = ANY (w.does) THEN r.unit_id END AS unit_id,
               (w.phase IN ('done', 'dead') OR 'all' = ANY (w.stops) OR o.stage = ANY (w.stops)) AS stop
        FROM unnest(work) w
        CROSS JOIN LATERAL (SELECT (w.r).*) r
        JOIN cases_clock o ON o.case_id = w.case_id AND o.stopped_at IS NULL
        LEFT JOIN LATERAL jsonb_to_recordset(r.clocks) AS x (op text, stage text, due_at timestamptz, warn_at timestamptz)
               ON x.op = 'reset' AND x.stage = o.stage
        WHERE w.verdict = 'ok'
    ) a
    WHERE k.id = a.id AND (a.stop OR a.pauses OR a.resumes OR a.due_at IS NOT NULL OR a.unit_id IS NOT NULL);

    INSERT INTO cases_clock (case_id, stage, "limit", unit_id, started_seq, started_at, due_at, warn_at, next_at)
    SELECT w.case_id, x.stage, x."limit", coalesce(r.unit_id, c.unit_id), w.seq, r.at, x.due_at, x.warn_at,
           coalesce(x.warn_at, x.due_at)
    FROM unnest(work) w
    CROSS JOIN LATERAL (SELECT (w.r).*) r
    JOIN cases_case c ON c.id = w.case_id
    CROSS JOIN LATERAL jsonb_to_recordset(r.clocks) AS x (op text, stage text, "limit" text, due_at timestamptz, warn_at timestamptz)
    WHERE w.verdict = 'ok' AND x.op = 'start' AND w.phase = 'open'
    ON CONFLICT (case_id, stage) WHERE stopped_at IS NULL DO NOTHING;

    UPDATE cases_task t SET
        state = CASE
            WHEN 'task_done' = ANY (w.does) OR ('finish_tasks' = ANY (w.does) AND t.lead) THEN 'done'
            WHEN 'count_return' = ANY (w.does) AND t.lead THEN 'returned'
            ELSE 'cancelled' END,
        ended_seq = w.seq, ended_at = r.at
    FROM unnest(work) w CROSS JOIN LATERAL (SELECT (w.r).*) r
    WHERE w.verdict = 'ok' AND t.case_id = w.case_id AND t.state = 'open' AND (
        ('task_done' = ANY (w.does) AND t.unit_id = r.department_id AND NOT t.lead)
        OR (('finish_tasks' = ANY (w.does) OR 'create_task' = ANY (w.does)) AND t.lead)
        OR w.does && '{cancel_tasks,count_return,merge}' OR w.phase IN ('done', 'dead'));

    INSERT INTO cases_task (case_id, unit_id, lead, state, note, opened_seq, opened_at)
    SELECT w.case_id, coalesce(r.unit_id, c.unit_id), NOT 'split' = ANY (w.does), 'open', coalesce(r.note, ''), w.seq, r.at
    FROM unnest(work) w CROSS JOIN LATERAL (SELECT (w.r).*) r JOIN cases_case c ON c.id = w.case_id
    WHERE w.verdict = 'ok' AND w.does && '{create_task,split}' AND coalesce(r.unit_id, c.unit_id) IS NOT NULL
    ON CONFLICT DO NOTHING;

    UPDATE cases_case c SET
        state_id = w.to_state, version = w.version, seq = w.seq, moved_at = greatest(r.at, c.moved_at),
        closed_at = CASE WHEN w.phase IN ('done', 'dead') THEN coalesce(c.closed_at, r.at) END,
        unit_id = CASE WHEN 'create_task' = ANY (w.does) THEN coalesce(r.unit_id, c.unit_id)
                       WHEN 'count_return' = ANY (w.does) THEN NULL ELSE c.unit_id END,
        type_id = coalesce(r.type_id, c.type_id), severity = coalesce(r.severity, c.severity),
        place_text = coalesce(r.place_text, c.place_text), lon = coalesce(r.lon, c.lon), lat = coalesce(r.lat, c.lat),
        cell = coalesce(r.cell, c.cell), division_id = coalesce(r.place_id, c.division_id),
        places = coalesce(r.places, c.places),
        suspended = CASE WHEN w.pauses THEN true WHEN w.resumes OR w.phase <> 'open' THEN false ELSE c.suspended END,
        returns = c.returns + ('count_return' = ANY (w.does))::int,
        reworks = c.reworks + ('count_rework' = ANY (w.does))::int,
        urges = c.urges + ('urge' = ANY (w.does))::int,
        reopens = c.reopens + (c.closed_at IS NOT NULL AND w.phase = 'open')::int,
        escalation = CASE WHEN 'escalate' = ANY (w.does)
                          THEN greatest(c.escalation, coalesce((r.facts ->> 'level')::smallint, 1)) ELSE c.escalation END,
        tracker_id = CASE WHEN 'track' = ANY (w.does) THEN (r.facts ->> 'tracker_id')::bigint ELSE c.tracker_id END,
        merged_into_id = CASE WHEN 'merge' = ANY (w.does) THEN r.target_id ELSE c.merged_into_id END,
        rating = coalesce((r.facts ->> 'rating')::smallint, c.rating),
        due_at = (SELECT min(k.due_at) FROM cases_clock k
                  WHERE k.case_id = c.id AND k.stopped_at IS NULL AND k.paused_at IS NULL)
    FROM unnest(work) w CROSS JOIN LATERAL (SELECT (w.r).*) r
    WHERE w.verdict = 'ok' AND c.id = w.case_id;

    WITH steps AS (
        INSERT INTO cases_step (case_id, seq, prev, move_id, from_state_id, to_state_id, at, recorded_at,
                                account_id, post_id, role, unit_id, note, facts)
        SELECT w.case_id, w.seq, w.seq - 1, w.move_id, w.from_state, w.to_state, r.at, clock_timestamp(),
               r.account_id, r.post_id, r.role, r.unit_id, coalesce(r.note, ''), coalesce(r.facts, '{}')
        FROM unnest(work) w CROSS JOIN LATERAL (SELECT (w.r).*) r WHERE w.verdict = 'ok'
    ), proof AS (
        UPDATE cases_evidence e SET case_id = w.case_id, seq = w.seq
        FROM unnest(work) w CROSS JOIN LATERAL (SELECT (w.r).*) r
        WHERE w.verdict = 'ok' AND e.id = ANY (r.evidence) AND e.case_id IS NULL
          AND e.account_id IS NOT DISTINCT FROM r.account_id
    )
    INSERT INTO cases_outbox (topic, "case", facts, at)
    SELECT 'step', w.case_id,
           jsonb_build_object('seq', w.seq, 'move', r.move, 'ended', w.phase IN ('done', 'dead') AND f.phase = 'open'), r.at
    FROM unnest(work) w CROSS JOIN LATERAL (SELECT (w.r).*) r JOIN cases_state f ON f.id = w.from_state WHERE w.verdict = 'ok';

    RETURN QUERY SELECT w.i, w.verdict, w.detail, w.case_id, w.number,
                        CASE w.verdict WHEN 'ok' THEN w.seq ELSE w.seq - 1 END,
                        CASE w.verdict WHEN 'ok' THEN w.version ELSE w.version - 1 END
                 FROM unnest(work) w;
END
$$;

-- Verdicts: opened (a new case); known (this origin key was accepted before); joined (an open case of the same key, the open
-- case that the last one was merged into, or the open case `join_id` that whoever reports chose);
-- stale (not newer than the closing of its case); reopens (newer, within the window, and the case's life has a way back:
-- the caller is to make the move `reopen`). Where a rejected case has no way back, a newer finding is a new case.
CREATE FUNCTION cases_open(batch jsonb) RETURNS SETOF cases_verdict LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    reports cases_opening[];
    work cases_opened[];
BEGIN
    SELECT array_agg(r) INTO reports FROM jsonb_populate_recordset(NULL::cases_opening, batch) r;
    PERFORM FROM cases_case c JOIN unnest(reports) r ON c.scene = r.scene AND c.key = r.key
    WHERE c.closed_at IS NULL ORDER BY c.id FOR UPDATE OF c;
    IF EXISTS (SELECT FROM unnest(reports) r WHERE r.join_id IS NOT NULL) THEN
        PERFORM FROM cases_case c WHERE c.id IN (SELECT r.join_id FROM unnest(reports) r) ORDER BY c.id FOR UPDATE;
    END IF;

    SELECT array_agg(ROW(r.i, v.verdict,
                         CASE WHEN v.verdict = 'opened' THEN r.case_id ELSE coalesce(k.case_id, o.id, j.id, g.id, l.id) END,
                         CASE WHEN v.verdict = 'opened' THEN r.number_prefix || '-' || cases_serial(nextval('cases_number'))
                              ELSE coalesce(kc.number, o.number, j.number, g.number, l.number) END,
                         CASE WHEN v.verdict = 'opened' THEN 1 ELSE coalesce(kc.seq, o.seq, j.seq, g.seq, l.seq) END,
                         CASE WHEN v.verdict = 'opened' THEN 1
                              ELSE coalesce(kc.version, o.version + 1, j.version + 1, g.version + 1, l.version + 1) END,
                         m.id, m.from_state_id, m.to_state_id, r)::cases_opened)
    INTO work
    FROM unnest(reports) r
    LEFT JOIN cases_report k ON k.origin = r.origin AND k.origin_key = r.origin_key
    LEFT JOIN cases_case kc ON kc.id = k.case_id
    LEFT JOIN cases_case o ON k.id IS NULL AND r.scene IS NOT NULL AND o.scene = r.scene AND o.key = r.key AND o.closed_at IS NULL
    LEFT JOIN cases_case j ON k.id IS NULL AND o.id IS NULL AND j.id = r.join_id AND j.closed_at IS NULL
    LEFT JOIN LATERAL (
        SELECT d.* FROM cases_case d
        WHERE k.id IS NULL AND o.id IS NULL AND r.scene IS NOT NULL AND d.scene = r.scene AND d.key = r.key
          AND d.closed_at IS NOT NULL AND d.closed_at >= least(r.reopen_after, r.occurred_at)
        ORDER BY d.closed_at DESC LIMIT 1) l ON true
    LEFT JOIN cases_case g ON g.id = l.merged_into_id AND g.closed_at IS NULL
    LEFT JOIN cases_move a ON a.kind_id = l.kind_id AND a.from_state_id = l.state_id AND a.code = 'reopen' AND a.active
           AND 'system' = ANY (a.roles)
    LEFT JOIN cases_move m ON m.kind_id = r.kind_id AND m.code = 'open' AND m.active
    CROSS JOIN LATERAL (SELECT CASE
        WHEN k.id IS NOT NULL THEN 'known'
        WHEN o.id IS NOT NULL OR j.id IS NOT NULL OR g.id IS NOT NULL THEN 'joined'
        WHEN l.id IS NOT NULL AND r.occurred_at <= l.closed_at THEN 'stale'
        WHEN a.id IS NOT NULL AND l.closed_at >= r.reopen_after THEN 'reopens'
        ELSE 'opened' END AS verdict) v;

    INSERT INTO cases_case (id, number, kind_id, type_id, state_id, version, seq, title, description, severity, source, scene, key,
                            place_text, lon, lat, cell, division_id, places, unit_id, reporter_id, opened_at, moved_at, due_at,
                            suspended, returns, reworks, urges, reopens, escalation)
    SELECT r.case_id, w.number, r.kind_id, r.type_id, w.to_state, 1, 1, r.title, r.description, r.severity, r.source, r.scene, r.key,
           r.place_text, r.lon, r.lat, r.cell, r.division_id, r.places, r.unit_id, r.reporter_id, r.at, r.at,
           (SELECT min(x.due_at) FROM jsonb_to_recordset(r.clocks) AS x (due_at timestamptz)),
           false, 0, 0, 0, 0, 0
    FROM unnest(work) w CROSS JOIN LATERAL (SELECT (w.r).*) r WHERE w.verdict = 'opened';

    UPDATE cases_case c SET version = c.version + 1
    FROM unnest(work) w WHERE c.id = w.case_id AND w.verdict IN ('joined', 'stale', 'reopens');

    WITH kept AS (
        INSERT INTO cases_report (id, case_id, origin, origin_key, received_at, occurred_at, verdict, account_id, payload)
        SELECT r.report_id, w.case_id, r.origin, r.origin_key, r.at, r.occurred_at,
               CASE w.verdict WHEN 'reopens' THEN 'reopened' ELSE w.verdict END, r.reporter_id, coalesce(r.payload, '{}')
        FROM unnest(work) w CROSS JOIN LATERAL (SELECT (w.r).*) r WHERE w.verdict <> 'known'
    ), contacts AS (
        INSERT INTO cases_contact (report_id, name, phone, phone_key, secret)
        SELECT r.report_id, coalesce(r.contact ->> 'name', ''), coalesce(r.contact ->> 'phone', ''),
               coalesce(r.contact ->> 'phone_key', ''), coalesce(r.contact ->> 'secret', '')
        FROM unnest(work) w CROSS JOIN LATERAL (SELECT (w.r).*) r WHERE w.verdict <> 'known' AND r.contact IS NOT NULL
    ), words AS (
        INSERT INTO cases_casetext (case_id, terms)
        -- Besides its words a case is found by the end of its number and by the places it lies in (core/text.py).
        SELECT r.case_id, array_to_tsvector(r.terms || ARRAY(SELECT 'division' || p FROM unnest(r.places[2:]) p)
                                            || ('serial' || reverse(substring(w.number FROM '[0-9]+$'))))
        FROM unnest(work) w CROSS JOIN LATERAL (SELECT (w.r).*) r WHERE w.verdict = 'opened'
    ), steps AS (
        INSERT INTO cases_step (case_id, seq, prev, move_id, from_state_id, to_state_id, at, recorded_at,
                                account_id, post_id, role, unit_id, note, facts)
        SELECT r.case_id, 1, NULL, w.move_id, w.from_state, w.to_state, r.at, clock_timestamp(),
               r.account_id, r.post_id, r.role, r.unit_id, '', coalesce(r.facts, '{}')
        FROM unnest(work) w CROSS JOIN LATERAL (SELECT (w.r).*) r WHERE w.verdict = 'opened'
    ), clocks AS (
        INSERT INTO cases_clock (case_id, stage, "limit", unit_id, started_seq, started_at, due_at, warn_at, next_at)
        SELECT r.case_id, x.stage, x."limit", r.unit_id, 1, coalesce(x.started_at, r.at), x.due_at, x.warn_at, coalesce(x.warn_at, x.due_at)
        FROM unnest(work) w CROSS JOIN LATERAL (SELECT (w.r).*) r
        CROSS JOIN LATERAL jsonb_to_recordset(r.clocks)
            AS x (stage text, "limit" text, started_at timestamptz, due_at timestamptz, warn_at timestamptz)
        WHERE w.verdict = 'opened'
    ), proof AS (  -- of the step that opens the case; what a later report brings is of no step
        UPDATE cases_evidence e SET case_id = w.case_id, seq = CASE w.verdict WHEN 'opened' THEN 1 END
        FROM unnest(work) w CROSS JOIN LATERAL (SELECT (w.r).*) r
        WHERE w.verdict <> 'known' AND e.id = ANY (r.evidence) AND e.case_id IS NULL
          AND e.account_id IS NOT DISTINCT FROM r.account_id
    )
    INSERT INTO cases_outbox (topic, "case", facts, at)
    SELECT 'report', w.case_id, jsonb_build_object('report', r.report_id, 'verdict', w.verdict), r.at
    FROM unnest(work) w CROSS JOIN LATERAL (SELECT (w.r).*) r WHERE w.verdict <> 'known';

    RETURN QUERY SELECT w.i, w.verdict, NULL::text, w.case_id, w.number, w.seq, w.version FROM unnest(work) w;
END
$$;

CREATE FUNCTION chengshu_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'integrity_constraint_violation';
END
$$;

CREATE TRIGGER cases_step_append_only BEFORE UPDATE OR DELETE ON cases_step
    FOR EACH ROW EXECUTE FUNCTION chengshu_append_only();
CREATE TRIGGER cases_report_append_only BEFORE UPDATE OR DELETE ON cases_report
    FOR EACH ROW EXECUTE FUNCTION chengshu_append_only();
CREATE TRIGGER parties_access_append_only BEFORE UPDATE OR DELETE ON parties_access
    FOR EACH ROW EXECUTE FUNCTION chengshu_append_only();
CREATE TRIGGER parties_audit_append_only BEFORE UPDATE OR DELETE ON parties_audit
    FOR EACH ROW EXECUTE FUNCTION chengshu_append_only();

-- A step is a legal move, and begins where the step before it ended.
ALTER TABLE cases_step
    ADD CONSTRAINT step_is_a_move FOREIGN KEY (move_id, from_state_id, to_state_id)
        REFERENCES cases_move (id, from_state_id, to_state_id),
    ADD CONSTRAINT step_end UNIQUE (case_id, seq, to_state_id),
    ADD CONSTRAINT step_follows FOREIGN KEY (case_id, prev, from_state_id) REFERENCES cases_step (case_id, seq, to_state_id),
    ADD CONSTRAINT step_prev CHECK (prev IS NOT DISTINCT FROM CASE WHEN seq > 1 THEN seq - 1 END);
