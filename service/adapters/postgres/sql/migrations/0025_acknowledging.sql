-- A void is watched anew where what it named is another return's since. Who replays a letter may find that, too.
ALTER FUNCTION grant_api() RENAME TO grant_api_before_acknowledging;
CREATE FUNCTION grant_api() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM grant_api_before_acknowledging();
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'returns_web') THEN
        GRANT UPDATE (recorded_at) ON unheard_voids TO returns_web;
    END IF;
END $$;
REVOKE EXECUTE ON FUNCTION grant_api() FROM PUBLIC;
SELECT grant_api();
