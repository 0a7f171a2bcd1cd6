"""What the integration tests stand on: a private PostgreSQL, a pooler process, and a raw wire client."""
