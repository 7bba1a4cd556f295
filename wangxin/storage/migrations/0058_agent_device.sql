-- Where an agent can be called while his page sleeps. It belongs to an account, not to a shop, and is closed to the web's
-- role as accounts are.
create table agent_device (
  id uuid primary key,
  account_id uuid not null references account on delete cascade,
  endpoint text not null unique,       -- of the browser maker's push service
  made_at timestamptz not null default clock_timestamp(),
  called_for timestamptz               -- the shopper's words that were called about last
);
create index agent_device_by_account on agent_device (account_id);
