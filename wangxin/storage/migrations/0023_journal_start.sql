-- A replay begins where a core began; retention forgets whole stretches between two beginnings.
create index dispatch_journal_start on dispatch_journal (shard, at_ms) where event->>'type' = 'TakenOver';
