"""How frames that are no longer new are kept: column by column, compressed, with rollups."""
