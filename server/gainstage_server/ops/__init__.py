"""How a Gainstage server is operated: alert rules, and the configurations that load them."""
