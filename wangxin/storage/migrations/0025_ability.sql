-- Load that fits ability: how fast an agent types (his own words only), newcomers whose load rises; and when an agent
-- began to wrap up, for the account of his time.

alter table seat
  add column ramp_from date,                            -- his first day at work; null: no soft start
  add column fitted_max smallint;                       -- what of seats_max fits him now; written by the dispatcher

alter table assignment
  add column typed_chars int not null default 0,        -- the agent's own words: neither pasted nor from canned replies
  add column typed_ms bigint not null default 0,        -- he spent composing them
  add column wrapped_at timestamptz;
