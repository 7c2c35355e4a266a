-- Whoever changes a key, and be it by hand, tells all replicas its id when the change is committed.
CREATE FUNCTION tell_changed_key() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('trifront_partner_keys', COALESCE(NEW.id, OLD.id));
    RETURN NULL;
END
$$;

CREATE TRIGGER tell_changed_key AFTER INSERT OR UPDATE OR DELETE ON api_keys
    FOR EACH ROW EXECUTE FUNCTION tell_changed_key();
