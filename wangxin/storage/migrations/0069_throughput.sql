-- How many conversations an agent finishes in an hour with 1, 2, 3 … at once: what curve_per_hour rests on. Both are
-- written by the dispatcher.

alter table seat
  add column curve_ended int[] not null default '{}',   -- conversations of his that ended at each believed level
  add column curve_minutes int[] not null default '{}'; -- he was at it
