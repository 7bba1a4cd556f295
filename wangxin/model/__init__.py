"""Plain nouns that every part shares: ids, actors, facts, refusals, limits."""
