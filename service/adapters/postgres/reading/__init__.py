"""What the API, the pages and the desk read, on the web process's pool of connections."""
