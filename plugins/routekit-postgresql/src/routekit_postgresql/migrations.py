"""What each version of the schema adds to a database: tables, and the functions that do in one step what takes several.

In one file, although it is long: it is the page that says what is in the database. Only ever appended to, but that a
function may be replaced by a later version.

A row that somebody owns has the owner's name, as the caller gives it, and the token of his process. A process is dead
when `owners` has no row of its token any more; nothing looks at a clock but what removes that row.
"""

from typing import Final, LiteralString

_OWNERS: Final[LiteralString] = """
CREATE SEQUENCE tokens;
CREATE TABLE owners (
    slot integer PRIMARY KEY, token bigint NOT NULL UNIQUE, until timestamptz NOT NULL,
    lease double precision NOT NULL, birth text NOT NULL, began timestamptz NOT NULL
);
CREATE TABLE lanes (
    token bigint NOT NULL REFERENCES owners (token) ON DELETE CASCADE, lane integer NOT NULL, batch bigint NOT NULL,
    PRIMARY KEY (token, lane)
) WITH (fillfactor = 20);

CREATE FUNCTION enter(the_lease double precision, the_birth text, the_lanes integer)
RETURNS TABLE (slot integer, token bigint) LANGUAGE plpgsql AS $$
DECLARE
    free integer;
    fresh bigint := nextval('tokens');
BEGIN
    LOCK TABLE owners IN SHARE ROW EXCLUSIVE MODE;
    SELECT min(n) INTO free FROM generate_series(0, (SELECT count(*) FROM owners)) n
        WHERE NOT EXISTS (SELECT FROM owners o WHERE o.slot = n);
    INSERT INTO owners (slot, token, until, lease, birth, began) VALUES
        (free, fresh, clock_timestamp() + make_interval(secs => the_lease), the_lease, the_birth, clock_timestamp());
    INSERT INTO lanes (token, lane, batch) SELECT fresh, n, 0 FROM generate_series(0, the_lanes - 1) n;
    RETURN QUERY SELECT free, fresh;
END $$;

CREATE FUNCTION depose(the_judge boolean, the_gone bigint[]) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    dead bigint;
    removed bigint := 0;
BEGIN
    FOR dead IN
        SELECT o.token FROM owners o WHERE o.token = ANY (the_gone) OR (the_judge AND o.until < clock_timestamp()
            AND pg_postmaster_start_time() + make_interval(secs => o.lease) < clock_timestamp())
    LOOP
        BEGIN
            PERFORM FROM lanes l WHERE l.token = dead FOR UPDATE NOWAIT;
            DELETE FROM owners o WHERE o.token = dead AND (o.token = ANY (the_gone) OR o.until < clock_timestamp());
            IF FOUND THEN removed := removed + 1; END IF;
        EXCEPTION WHEN lock_not_available THEN NULL;  -- its last transaction is not over yet
        END;
    END LOOP;
    RETURN removed;
END $$;
"""

_KEYS: Final[LiteralString] = """
CREATE TABLE keys (
    name text NOT NULL, key text NOT NULL, owner text NOT NULL, token bigint NOT NULL, until double precision,
    at double precision NOT NULL, PRIMARY KEY (name, key)
);
CREATE INDEX keys_done ON keys (name, at) WHERE until IS NULL;

CREATE FUNCTION claim(
    the_name text, the_key text, the_owner text, the_token bigint, the_now double precision, the_lease double precision
) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    found_until double precision;
BEGIN
    SELECT k.until INTO found_until FROM keys k WHERE k.name = the_name AND k.key = the_key;
    IF FOUND AND found_until IS NULL THEN RETURN 'done'; END IF;
    INSERT INTO keys AS k (name, key, owner, token, until, at)
        VALUES (the_name, the_key, the_owner, the_token, the_now + the_lease, the_now)
        ON CONFLICT (name, key) DO UPDATE
        SET owner = excluded.owner, token = excluded.token, until = excluded.until, at = excluded.at
        WHERE k.until IS NOT NULL AND (k.owner = excluded.owner OR k.until <= excluded.at
            OR NOT EXISTS (SELECT FROM owners o WHERE o.token = k.token));
    IF FOUND THEN RETURN 'mine'; END IF;
    SELECT k.until INTO found_until FROM keys k WHERE k.name = the_name AND k.key = the_key;
    RETURN CASE WHEN found_until IS NULL THEN 'done' ELSE 'held' END;
END $$;
"""

_MARKS: Final[LiteralString] = """
CREATE TABLE marks (
    name text NOT NULL, brief text COLLATE "C" NOT NULL, key text NOT NULL, value text NOT NULL,
    at double precision NOT NULL, PRIMARY KEY (name, brief)
);

CREATE FUNCTION put_mark(the_name text, the_brief text, the_key text, the_value text, the_at double precision)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO marks (name, brief, key, value, at) VALUES (the_name, the_brief, the_key, the_value, the_at)
    ON CONFLICT (name, brief) DO UPDATE SET value = excluded.value, at = excluded.at;
END $$;
"""

_LETTERS: Final[LiteralString] = """
CREATE TABLE letters (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, id text NOT NULL UNIQUE, route text NOT NULL,
    cluster text NOT NULL, at double precision NOT NULL, letter text NOT NULL
);
CREATE INDEX letters_by_time ON letters (at, number);
CREATE INDEX letters_by_route ON letters (route, at, number);
CREATE INDEX letters_alike ON letters (cluster, at, number);

CREATE FUNCTION mourn(the_id text, the_route text, the_cluster text, the_at double precision, the_letter text)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO letters (id, route, cluster, at, letter) VALUES (the_id, the_route, the_cluster, the_at, the_letter)
    ON CONFLICT (id) DO UPDATE SET number = DEFAULT, route = excluded.route, cluster = excluded.cluster,
        at = excluded.at, letter = excluded.letter;
END $$;
"""

_GROUPS: Final[LiteralString] = """
CREATE TABLE groups (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL, brief text NOT NULL, key text NOT NULL,
    size bigint NOT NULL, first double precision NOT NULL, last double precision NOT NULL, owner text NOT NULL,
    token bigint NOT NULL, until double precision
) WITH (fillfactor = 80);
CREATE UNIQUE INDEX groups_open ON groups (name, brief) WHERE owner = '' AND until IS NULL;
CREATE INDEX groups_by_key ON groups (name, brief, number);
CREATE INDEX groups_gone ON groups (name, until) WHERE until IS NOT NULL;
CREATE TABLE kept (
    number bigint NOT NULL, place bigint NOT NULL, id text NOT NULL, message text, PRIMARY KEY (number, place)
);
CREATE INDEX kept_by_id ON kept (id);

CREATE FUNCTION keep(
    the_name text, the_key text, the_brief text, the_id text, the_message text, the_owner text, the_token bigint,
    the_full bigint, the_reopen boolean, the_latest boolean, the_now double precision
) RETURNS TABLE (
    outcome text, number bigint, key text, size bigint, first double precision, last double precision, owner text
) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    mine groups;
    known groups;
    fresh boolean;
BEGIN
    -- Whoever has the open group locked is alone with its key.
    SELECT g.* INTO mine FROM groups g
        WHERE g.name = the_name AND g.brief = the_brief AND g.owner = '' AND g.until IS NULL FOR UPDATE;
    IF NOT FOUND THEN
        INSERT INTO groups AS g (name, brief, key, size, first, last, owner, token)
            VALUES (the_name, the_brief, the_key, 0, the_now, the_now, '', 0)
            ON CONFLICT (name, brief) WHERE owner = '' AND until IS NULL DO UPDATE SET size = g.size
            RETURNING g.* INTO mine;
    END IF;
    fresh := mine.size = 0;
    SELECT g.* INTO known FROM kept k JOIN groups g ON g.number = k.number
        WHERE k.id = the_id AND g.name = the_name AND g.brief = the_brief AND (g.until IS NULL OR g.until > the_now)
        ORDER BY g.number DESC LIMIT 1;
    IF FOUND THEN
        outcome := CASE WHEN known.until IS NOT NULL THEN 'released' WHEN known.owner <> '' THEN 'closed'
            ELSE 'again' END;
    ELSIF fresh AND NOT the_reopen THEN
        SELECT g.* INTO known FROM groups g WHERE g.name = the_name AND g.brief = the_brief
            AND g.number <> mine.number AND (g.until IS NULL OR g.until > the_now) ORDER BY g.number DESC LIMIT 1;
        IF FOUND THEN outcome := 'late'; END IF;
    END IF;
    IF outcome IS NOT NULL THEN
        IF fresh THEN DELETE FROM groups g WHERE g.number = mine.number; END IF;
        RETURN QUERY SELECT outcome, known.number, known.key, known.size, known.first, known.last, known.owner;
        RETURN;
    END IF;
    IF the_latest THEN DELETE FROM kept k WHERE k.number = mine.number; END IF;
    INSERT INTO kept (number, place, id, message) VALUES (mine.number, mine.size + 1, the_id, the_message);
    RETURN QUERY UPDATE groups g SET size = g.size + 1, last = the_now,
        owner = CASE WHEN g.size + 1 >= the_full THEN the_owner ELSE '' END,
        token = CASE WHEN g.size + 1 >= the_full THEN the_token ELSE 0 END
        WHERE g.number = mine.number RETURNING 'new', g.number, g.key, g.size, g.first, g.last, g.owner;
END $$;

CREATE FUNCTION forget_group(the_name text, the_number bigint, the_now double precision, the_remember double precision)
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    old bigint[];
BEGIN
    IF the_remember > 0 THEN
        UPDATE groups g SET until = the_now + the_remember WHERE g.number = the_number AND g.until IS NULL;
        UPDATE kept k SET message = NULL WHERE k.number = the_number AND k.message IS NOT NULL;
    ELSE
        UPDATE groups g SET until = the_now WHERE g.number = the_number AND g.until IS NULL;
    END IF;
    SELECT array_agg(o.number) INTO old FROM (
        SELECT g.number FROM groups g WHERE g.name = the_name AND g.until <= the_now LIMIT 1000 FOR UPDATE SKIP LOCKED
    ) o;
    DELETE FROM kept k WHERE k.number = ANY (old);
    DELETE FROM groups g WHERE g.number = ANY (old);
END $$;

CREATE FUNCTION all_groups(the_name text, the_process text, the_token bigint)
RETURNS TABLE (
    number bigint, key text, size bigint, first double precision, last double precision, owner text
) LANGUAGE plpgsql AS $$
BEGIN
    -- What dead processes were releasing is the caller's to release: of the same route, as the rest of the name says.
    UPDATE groups g SET owner = the_process || coalesce(substring(g.owner from '/.*$'), ''), token = the_token
        WHERE g.name = the_name AND g.until IS NULL AND g.owner <> ''
        AND NOT EXISTS (SELECT FROM owners o WHERE o.token = g.token);
    RETURN QUERY SELECT g.number, g.key, g.size, g.first, g.last, g.owner FROM groups g
        WHERE g.name = the_name AND g.until IS NULL ORDER BY g.number;
END $$;
"""

_JOURNAL: Final[LiteralString] = """
CREATE TABLE journal (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL, brief text NOT NULL, id text NOT NULL,
    message text NOT NULL, place text NOT NULL, at double precision NOT NULL, owner text NOT NULL,
    token bigint NOT NULL, until double precision
);
CREATE UNIQUE INDEX journal_ids ON journal (name, brief);
CREATE INDEX journal_open ON journal (name, number) WHERE until IS NULL;
CREATE INDEX journal_gone ON journal (name, until) WHERE until IS NOT NULL;
CREATE TABLE effects (
    number bigint NOT NULL, effect text NOT NULL, result text NOT NULL, PRIMARY KEY (number, effect)
);

CREATE FUNCTION arrive(
    the_name text, the_id text, the_brief text, the_message text, the_now double precision, the_owner text,
    the_token bigint
) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    known journal;
BEGIN
    LOOP
        INSERT INTO journal (name, brief, id, message, place, at, owner, token)
            VALUES (the_name, the_brief, the_id, the_message, '', the_now, the_owner, the_token)
            ON CONFLICT (name, brief) DO NOTHING;
        IF FOUND THEN RETURN 'new'; END IF;
        SELECT j.* INTO known FROM journal j WHERE j.name = the_name AND j.brief = the_brief FOR UPDATE;
        CONTINUE WHEN NOT FOUND;  -- it has just been finished
        IF known.until IS NULL THEN RETURN 'open'; END IF;
        IF known.until > the_now THEN RETURN 'finished'; END IF;
        DELETE FROM journal j WHERE j.number = known.number;
    END LOOP;
END $$;

-- What follows writes to an entry of the caller's own. It gives NULL, or who has it instead; '' if it is not there.
CREATE FUNCTION own(the_name text, the_brief text, the_owner text, the_token bigint)
RETURNS TABLE (mine bigint, holder text) LANGUAGE plpgsql AS $$
DECLARE
    known journal;
BEGIN
    SELECT j.* INTO known FROM journal j WHERE j.name = the_name AND j.brief = the_brief AND j.until IS NULL FOR UPDATE;
    IF NOT FOUND THEN RETURN QUERY SELECT NULL::bigint, '';
    ELSIF known.owner = the_owner AND known.token = the_token THEN RETURN QUERY SELECT known.number, NULL;
    ELSE RETURN QUERY SELECT NULL::bigint, known.owner;
    END IF;
END $$;

CREATE FUNCTION checkpoint(
    the_name text, the_brief text, the_owner text, the_token bigint, the_place text, the_message text
) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    entry record;
BEGIN
    SELECT * INTO entry FROM own(the_name, the_brief, the_owner, the_token);
    UPDATE journal j SET place = the_place, message = the_message WHERE j.number = entry.mine;
    DELETE FROM effects e WHERE e.number = entry.mine;
    RETURN entry.holder;
END $$;

CREATE FUNCTION record_effect(
    the_name text, the_brief text, the_owner text, the_token bigint, the_effect text, the_result text
) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    entry record;
BEGIN
    SELECT * INTO entry FROM own(the_name, the_brief, the_owner, the_token);
    IF entry.mine IS NOT NULL THEN
        INSERT INTO effects AS e (number, effect, result) VALUES (entry.mine, the_effect, the_result)
        ON CONFLICT (number, effect) DO UPDATE SET result = excluded.result;
    END IF;
    RETURN entry.holder;
END $$;

CREATE FUNCTION finish(
    the_name text, the_brief text, the_owner text, the_token bigint, the_now double precision,
    the_remember double precision
) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    entry record;
BEGIN
    SELECT * INTO entry FROM own(the_name, the_brief, the_owner, the_token);
    IF entry.mine IS NOT NULL THEN
        DELETE FROM effects e WHERE e.number = entry.mine;
        IF the_remember > 0 THEN
            UPDATE journal j SET message = '', place = '', until = the_now + the_remember WHERE j.number = entry.mine;
        ELSE
            DELETE FROM journal j WHERE j.number = entry.mine;
        END IF;
    END IF;
    RETURN entry.holder;
END $$;
"""

_VALUES: Final[LiteralString] = """
CREATE TABLE user_values (
    name text NOT NULL, brief text COLLATE "C" NOT NULL, key text NOT NULL, text text NOT NULL, version bigint NOT NULL,
    at double precision NOT NULL, until double precision, PRIMARY KEY (name, brief)
);
CREATE INDEX user_values_gone ON user_values (name, until) WHERE until IS NOT NULL;

CREATE FUNCTION put_value(
    the_name text, the_key text, the_brief text, the_text text, the_version bigint, the_until double precision,
    the_now double precision
) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    written bigint;
BEGIN
    DELETE FROM user_values v WHERE (v.name, v.brief) IN (
        SELECT o.name, o.brief FROM user_values o WHERE o.name = the_name AND o.until <= the_now
        LIMIT 100 FOR UPDATE SKIP LOCKED
    );
    IF the_version IS NULL OR the_version = 0 THEN
        INSERT INTO user_values AS v (name, brief, key, text, version, at, until)
            VALUES (the_name, the_brief, the_key, the_text, 1, the_now, the_until)
            ON CONFLICT (name, brief) DO UPDATE SET text = excluded.text, at = excluded.at, until = excluded.until,
                version = CASE WHEN v.until <= the_now THEN 1 ELSE v.version + 1 END
            WHERE the_version IS NULL OR v.until <= the_now
            RETURNING v.version INTO written;
    ELSE
        UPDATE user_values v SET text = the_text, at = the_now, until = the_until, version = v.version + 1
            WHERE v.name = the_name AND v.brief = the_brief AND v.version = the_version
            AND (v.until IS NULL OR v.until > the_now) RETURNING v.version INTO written;
    END IF;
    RETURN written;
END $$;
"""

_OUTBOX: Final[LiteralString] = """
CREATE TABLE outbox (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL, brief text NOT NULL, id text NOT NULL,
    message text NOT NULL, at double precision NOT NULL, owner text NOT NULL, token bigint NOT NULL,
    until double precision
);
CREATE UNIQUE INDEX outbox_ids ON outbox (name, brief);
CREATE INDEX outbox_in_order ON outbox (name, number);
"""

_AUDIT: Final[LiteralString] = """
CREATE TABLE audit (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, at double precision NOT NULL, who text NOT NULL,
    action text NOT NULL, what text NOT NULL, details text NOT NULL
);
CREATE INDEX audit_by_time ON audit (at, number);
"""

_OFFICES: Final[LiteralString] = """
CREATE TABLE offices (
    name text COLLATE "C" PRIMARY KEY, holder text NOT NULL, token bigint NOT NULL, term bigint NOT NULL,
    seen timestamptz, vacated timestamptz
);
CREATE INDEX offices_held ON offices (token) WHERE token <> 0;

-- An office is free once its holder has given it up, or is dead: then its term grows by one with the next holder.
CREATE FUNCTION stand(the_name text, the_holder text, the_token bigint)
RETURNS TABLE (
    mine boolean, holder text, holder_token bigint, term bigint, seen double precision, vacated double precision
) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    known offices;
BEGIN
    SELECT o.* INTO known FROM offices o WHERE o.name = the_name;
    IF NOT FOUND THEN
        INSERT INTO offices (name, holder, token, term) VALUES (the_name, '', 0, 0) ON CONFLICT (name) DO NOTHING;
    END IF;
    IF known.name IS NULL OR known.token = 0 THEN
        SELECT o.* INTO known FROM offices o WHERE o.name = the_name FOR UPDATE;
    END IF;
    IF known.token = 0 THEN
        UPDATE offices o SET holder = the_holder, token = the_token, term = o.term + 1 WHERE o.name = the_name
            RETURNING o.* INTO known;
    END IF;
    RETURN QUERY SELECT known.token = the_token, known.holder, known.token, known.term,
        extract(epoch FROM known.seen)::float8, extract(epoch FROM known.vacated)::float8;
END $$;

CREATE FUNCTION resign(the_name text, the_token bigint) RETURNS void LANGUAGE sql AS $$
    UPDATE offices SET token = 0, holder = '', seen = clock_timestamp(), vacated = clock_timestamp()
        WHERE name = the_name AND token = the_token;
$$;

-- Whoever deletes a process, an administrator too, may have another search path.
CREATE FUNCTION vacate() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    PERFORM FROM offices o WHERE o.token = OLD.token ORDER BY o.name FOR UPDATE;
    UPDATE offices SET token = 0, holder = '', vacated = clock_timestamp(),
        seen = least(clock_timestamp(), OLD.until - make_interval(secs => OLD.lease)) WHERE token = OLD.token;
    RETURN NULL;
END $$;
CREATE TRIGGER vacating AFTER DELETE ON owners FOR EACH ROW EXECUTE FUNCTION vacate();
"""

_WRITING: Final[LiteralString] = """
-- Those who write several values at once do it one after the other, so that a key that must not be there is not put in
-- beside them. What was written before a version did not fit is undone with the block.
CREATE FUNCTION write_values(the_name text, the_changes json, the_given json, the_now double precision)
RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    one record;
    known bigint;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended(current_schema() || '.values ' || the_name, 0));
    FOR one IN SELECT * FROM json_to_recordset(the_given) AS g (brief text, version bigint) ORDER BY brief LOOP
        SELECT v.version INTO known FROM user_values v WHERE v.name = the_name AND v.brief = one.brief
            AND (v.until IS NULL OR v.until > the_now) FOR SHARE;
        IF coalesce(known, 0) <> one.version THEN RETURN false; END IF;
    END LOOP;
    FOR one IN SELECT * FROM json_to_recordset(the_changes)
        AS c (key text, brief text, text text, version bigint, until double precision) ORDER BY brief
    LOOP
        IF one.text IS NOT NULL THEN
            known := put_value(the_name, one.key, one.brief, one.text, one.version, one.until, the_now);
            IF known IS NULL THEN RAISE SQLSTATE 'RK001'; END IF;
        ELSE
            SELECT v.version INTO known FROM user_values v WHERE v.name = the_name AND v.brief = one.brief
                AND (v.until IS NULL OR v.until > the_now) FOR UPDATE;
            IF coalesce(known, 0) <> coalesce(one.version, known, 0) THEN RAISE SQLSTATE 'RK001'; END IF;
            DELETE FROM user_values v WHERE v.name = the_name AND v.brief = one.brief;
        END IF;
    END LOOP;
    RETURN true;
EXCEPTION WHEN SQLSTATE 'RK001' THEN
    RETURN false;
END $$;
"""

MIGRATIONS: Final[tuple[tuple[LiteralString, ...], ...]] = (
    (_OWNERS, _KEYS, _MARKS, _LETTERS, _GROUPS, _JOURNAL, _VALUES, _OUTBOX, _AUDIT),
    (_OFFICES,),
    (_WRITING,),
)
"""The scripts of each version. The table `version` says which one a database has."""
