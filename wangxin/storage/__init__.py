"""PostgreSQL remembers, Valkey hurries; the servers behind them, and the few doors through which both are used."""
