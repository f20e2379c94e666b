-- Who may do what. Group roles without a login: an operator makes users and puts each into one of them. The migrator
-- is the owner of the tables. Where it may not create roles, and they are not there yet, one user does everything, as
-- before: nothing fails, and `SELECT grant_roles()` does the rest once somebody has made them.
--
--   returns_ingest  appends, and moves offsets and cursors; it cannot change or delete history
--   returns_relay   reads the journal; keeps the search tables and their cursor
--   returns_web     reads

CREATE FUNCTION grant_roles() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    role text;
    missing text[] := '{}';
    tables text;
BEGIN
    FOREACH role IN ARRAY ARRAY['returns_ingest', 'returns_relay', 'returns_web'] LOOP
        BEGIN
            IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role) THEN
                EXECUTE format('CREATE ROLE %I NOLOGIN', role);
            END IF;
        EXCEPTION
            WHEN insufficient_privilege THEN missing := missing || role;
            -- Roles belong to the whole server: another database's migrator was first.
            WHEN duplicate_object OR unique_violation THEN NULL;
        END;
    END LOOP;
    IF missing <> '{}' THEN
        RAISE NOTICE 'no roles made: %', missing;
        RETURN;
    END IF;

    EXECUTE format('GRANT USAGE ON SCHEMA %I TO returns_ingest, returns_relay, returns_web', current_schema());

    GRANT SELECT, INSERT ON returns, labels, history, connote_members, connote_deliveries, parked, dead_letters, batches,
        offsets, cursors TO returns_ingest;
    GRANT DELETE ON parked TO returns_ingest;               -- an event leaves for the history
    GRANT UPDATE (next) ON offsets TO returns_ingest;
    GRANT UPDATE (n) ON cursors TO returns_ingest;
    GRANT UPDATE (attempts, resolved_at, reason, error) ON dead_letters TO returns_ingest;  -- what a replay changes

    GRANT SELECT ON returns, history, dead_letters, parked, batches, cursors TO returns_relay;
    GRANT INSERT, UPDATE ON cursors TO returns_relay;

    GRANT SELECT ON returns, labels, history, connote_members, connote_deliveries, parked, dead_letters, batches, offsets,
        cursors, tokens, migrations TO returns_web;

    SELECT string_agg(format('%I', tablename), ', ') INTO tables
    FROM pg_tables WHERE schemaname = current_schema() AND tablename LIKE 'search\_%';
    IF tables IS NOT NULL THEN
        EXECUTE 'GRANT SELECT, INSERT, UPDATE, DELETE ON ' || tables || ' TO returns_relay';
        EXECUTE 'GRANT SELECT ON ' || tables || ' TO returns_web';
    END IF;

    -- New partitions belong to the owner of the table, whoever asks for them.
    EXECUTE format('ALTER FUNCTION extend_history() SECURITY DEFINER SET search_path = %I, pg_temp', current_schema());
    REVOKE EXECUTE ON FUNCTION extend_history() FROM PUBLIC;
    GRANT EXECUTE ON FUNCTION extend_history() TO returns_ingest;

    IF to_regprocedure('grant_api()') IS NOT NULL THEN  -- a later migration's
        PERFORM grant_api();
    END IF;
END $$;
REVOKE EXECUTE ON FUNCTION grant_roles() FROM PUBLIC;
SELECT grant_roles();
