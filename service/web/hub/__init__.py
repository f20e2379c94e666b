"""/hub: the scan station of a hub, a page that works on while the service is away."""
