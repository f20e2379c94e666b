"""All of PostgreSQL: sessions, migrations, deadlines. The only place that imports psycopg."""
