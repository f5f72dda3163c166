"""The server: stores what trainers send, diagnoses it, and shows it to viewers."""
