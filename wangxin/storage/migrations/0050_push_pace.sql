-- A shop's own pace: so many recipients a second over all its rules.
alter table push_policy
  add column rate_per_s int check (rate_per_s between 1 and 100000),   -- null: as fast as it goes
  add column paced_until timestamptz;                                  -- no further chunk begins before
