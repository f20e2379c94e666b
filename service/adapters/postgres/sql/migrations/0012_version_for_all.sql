-- Every process looks, at its start, whether the database is the one of its version; which that is, is no secret.
GRANT SELECT (number, name) ON migrations TO PUBLIC;
