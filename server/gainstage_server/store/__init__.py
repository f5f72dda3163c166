"""Where everything is kept: one narrow interface, and SQLite behind it."""
